/**
 * Bare sockets on Deno, read 256 KiB at a time: `Deno.connect` and `Deno.listen`, a batch encoded once, one reader that
 * counts frames.
 */

import { fail, follow, Meter, readParameters, RoundTrips, say, sayReady, turn } from "./control.ts";
import { encodeBatch, encodeFrame, FrameCounter, parseEndpoint } from "./raw_frames.ts";

interface Conn {
  read(into: Uint8Array): Promise<number | null>;
  write(from: Uint8Array): Promise<number>;
  setNoDelay?(on: boolean): void;
}
interface DenoNet {
  connect(options: object): Promise<Conn>;
  listen(options: object): { accept(): Promise<Conn>; readonly addr: { readonly port?: number } };
}
declare const Deno: DenoNet;

const parameters = readParameters();
const place = parseEndpoint(parameters.endpoint);
const READ_BYTES = 262144;
/** Bytes moved in one turn before the loop lets others in. */
const BYTES_PER_TURN = 4194304;

function options(): object {
  return "path" in place
    ? { transport: "unix", path: place.path }
    : { hostname: place.host, port: place.port };
}

async function accept(): Promise<Conn> {
  const listener = Deno.listen(options());
  const port = listener.addr.port;
  sayReady(port === undefined ? parameters.endpoint : `tcp://127.0.0.1:${port}`);
  const conn = await listener.accept();
  if (!("path" in place)) conn.setNoDelay?.(true);
  return conn;
}

async function connect(): Promise<Conn> {
  const conn = await Deno.connect(options());
  if (!("path" in place)) conn.setNoDelay?.(true);
  return conn;
}

async function writeAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  let written = await conn.write(bytes);
  while (written < bytes.length) written += await conn.write(bytes.subarray(written));
}

async function receive(): Promise<void> {
  const meter = new Meter();
  const counter = new FrameCounter();
  follow({ start: (warmupMs, windowMs) => meter.start(warmupMs, windowMs), stop: () => meter.stop() });
  const conn = await accept();
  const buffer = new Uint8Array(READ_BYTES);
  let read = 0;
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return;
    counter.read(count === buffer.length ? buffer : buffer.subarray(0, count));
    meter.check(counter.messages, counter.bytes);
    read += count;
    if (read < BYTES_PER_TURN) continue;
    read = 0;
    await turn();
  }
}

async function send(): Promise<void> {
  const batch = encodeBatch(parameters.bytes);
  let running = false;
  const conn = await connect();
  async function run(): Promise<void> {
    running = true;
    let written = 0;
    while (running) {
      await writeAll(conn, batch);
      written += batch.length;
      if (written < BYTES_PER_TURN) continue;
      written = 0;
      await turn();
    }
    say("STOPPED");
  }
  follow({ start: () => void run().catch(fail), stop: () => void (running = false) });
  sayReady();
}

async function echo(): Promise<void> {
  follow({ start: () => {} });
  const conn = await accept();
  const buffer = new Uint8Array(READ_BYTES);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return;
    await writeAll(conn, buffer.subarray(0, count));
  }
}

async function ping(): Promise<void> {
  const frame = encodeFrame(parameters.bytes);
  const buffer = new Uint8Array(READ_BYTES);
  const conn = await connect();
  async function run(trips: RoundTrips): Promise<void> {
    for (;;) {
      const sentMs = performance.now();
      await writeAll(conn, frame);
      for (let missing = frame.length; missing > 0;) {
        missing -= (await conn.read(buffer)) ?? fail("echo ended");
      }
      if (!trips.add(sentMs, performance.now())) return;
    }
  }
  follow({
    start: (warmupMs, windowMs) => void run(new RoundTrips(warmupMs, windowMs, parameters.bytes)).catch(fail),
  });
  sayReady();
}

const roles: Record<string, () => Promise<void>> = { receive, send, echo, ping };
(roles[parameters.role] ?? (() => fail(`unknown role ${parameters.role}`)))().catch(fail);
