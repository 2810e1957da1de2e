/** A bare listener of the runtime that holds what connects, each with a read under way, and does nothing with it. */

import { createServer } from "node:net";
import { fail, follow, say, sayReady } from "./control.ts";
import { collectedResidentBytes } from "./memory_report.ts";

/** What an adapter would start with on Deno, where the reader brings the buffer. */
const READ_BYTES = 1024;

interface DenoConn {
  read(into: Uint8Array): Promise<number | null>;
}
interface Globals {
  Deno?: { listen(options: object): AsyncIterable<DenoConn> & { readonly addr: { readonly port: number } } };
  Bun?: { listen(options: object): { readonly port: number } };
}

const held: unknown[] = [];

async function holdDeno(conn: DenoConn): Promise<void> {
  held.push(conn);
  const buffer = new Uint8Array(READ_BYTES);
  while (await conn.read(buffer) !== null) continue;
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
    const socket = { data: () => {}, open: (opened: unknown) => void held.push(opened), error: () => {} };
    sayReady(`tcp://127.0.0.1:${Bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port}`);
  } else {
    const server = createServer((socket) => {
      held.push(socket);
      socket.on("data", () => {}).on("error", () => {});
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
