/**
 * A bare listener of the runtime that holds what connects, each with a read under way. It says and hears the bytes of a
 * handshake, as hawser's does, and does nothing else with them.
 */

import { createServer } from "node:net";
import { fail, follow, say, sayReady } from "./control.ts";
import { greetingOf, HELLO_BYTES, readyOf } from "./memory_handshake.ts";
import { collectedResidentBytes } from "./memory_report.ts";

/** What an adapter would start with on Deno, where the reader brings the buffer. */
const READ_BYTES = 1024;

interface DenoConn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
}
interface BunSocket {
  data: number;
  write(bytes: Uint8Array): number;
}
interface Globals {
  Deno?: { listen(options: object): AsyncIterable<DenoConn> & { readonly addr: { readonly port: number } } };
  Bun?: { listen(options: object): { readonly port: number } };
}

const held: unknown[] = [];
const greeting = greetingOf();
const ready = readyOf("PULL");

async function holdDeno(conn: DenoConn): Promise<void> {
  held.push(conn);
  const buffer = new Uint8Array(READ_BYTES);
  await conn.write(greeting);
  let heard = 0;
  for (let read = await conn.read(buffer); read !== null; read = await conn.read(buffer)) {
    heard += read;
    if (heard === HELLO_BYTES) await conn.write(ready);
  }
}

function listen(): void {
  const { Deno, Bun } = globalThis as Globals;
  if (Deno !== undefined) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    sayReady(`tcp://127.0.0.1:${listener.addr.port}`);
    (async () => {
      for await (const conn of listener) holdDeno(conn).catch(() => {});
    })().catch(fail);
  } else if (Bun !== undefined) {
    const socket = {
      open(opened: BunSocket): void {
        held.push(opened);
        opened.data = 0;
        opened.write(greeting);
      },
      data(heard: BunSocket, chunk: Uint8Array): void {
        heard.data += chunk.length;
        if (heard.data === HELLO_BYTES) heard.write(ready);
      },
      error: () => {},
    };
    sayReady(`tcp://127.0.0.1:${Bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port}`);
  } else {
    const server = createServer((socket) => {
      held.push(socket);
      socket.write(greeting);
      let heard = 0;
      socket.on("error", () => {}).on("data", (chunk) => {
        heard += chunk.length;
        if (heard === HELLO_BYTES) socket.write(ready);
      });
    });
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) sayReady(`tcp://127.0.0.1:${address.port}`);
    });
  }
}

async function report(): Promise<void> {
  say(`RESULT ${JSON.stringify({ residentBytes: await collectedResidentBytes(), held: held.length })}`);
}

follow({ start: () => void report().catch(fail) });
listen();
