/**
 * Bare sockets on Bun, which reads as much as it likes: `Bun.connect` and `Bun.listen`, a batch encoded once,
 * one reader that counts frames.
 */

import { fail, follow, Meter, readParameters, RoundTrips, say, sayReady, turn } from "./control.ts";
import { encodeBatch, encodeFrame, FrameCounter, parseEndpoint } from "./raw_frames.ts";

interface BunSocket {
  write(data: Uint8Array, byteOffset: number, byteLength: number): number;
}
interface Handlers {
  open?(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Uint8Array): void;
  drain?(socket: BunSocket): void;
  error(socket: BunSocket, cause: Error): void;
}
declare const Bun: {
  connect(options: object): Promise<BunSocket>;
  listen(options: object): { readonly port?: number };
};

const parameters = readParameters();
const place = parseEndpoint(parameters.endpoint);
/** Bytes written in one turn before the loop lets others in. */
const BYTES_PER_TURN = 1048576;

function options(socket: Handlers): object {
  return "path" in place ? { unix: place.path, socket } : { hostname: place.host, port: place.port, socket };
}

function accept(data: Handlers["data"]): void {
  const server = Bun.listen(options({ data, error: (_socket, cause) => fail(cause) }));
  sayReady("path" in place ? parameters.endpoint : `tcp://127.0.0.1:${server.port}`);
}

function receive(): void {
  const meter = new Meter();
  const counter = new FrameCounter();
  follow({ start: (warmupMs, windowMs) => meter.start(warmupMs, windowMs), stop: () => meter.stop() });
  accept((_socket, chunk) => {
    counter.read(chunk);
    meter.check(counter.messages, counter.bytes);
  });
}

async function send(): Promise<void> {
  const batch = encodeBatch(parameters.bytes);
  let running = false;
  let drained: () => void = () => {};
  const socket = await Bun.connect(options({
    data: () => {},
    drain: () => drained(),
    error: (_socket, cause) => fail(cause),
  }));
  async function run(): Promise<void> {
    running = true;
    let offset = 0;
    let written = 0;
    while (running) {
      const taken = socket.write(batch, offset, batch.length - offset);
      if (taken < 0) fail("socket closed");
      offset += taken;
      if (offset < batch.length) {
        await new Promise<void>((resolve) => void (drained = resolve));
        continue;
      }
      offset = 0;
      if ((written += batch.length) % BYTES_PER_TURN < batch.length) await turn();
    }
    say("STOPPED");
  }
  follow({ start: () => void run().catch(fail), stop: () => void (running = false) });
  sayReady();
}

function echo(): void {
  follow({ start: () => {} });
  accept((socket, chunk) => void socket.write(chunk, 0, chunk.length));
}

async function ping(): Promise<void> {
  const frame = encodeFrame(parameters.bytes);
  let trips: RoundTrips | undefined;
  let sentMs = 0;
  let missing = 0;
  function next(socket: BunSocket): void {
    missing = frame.length;
    sentMs = performance.now();
    socket.write(frame, 0, frame.length);
  }
  const opened = await Bun.connect(options({
    data: (socket, chunk) => {
      missing -= chunk.length;
      if (missing === 0 && trips?.add(sentMs, performance.now())) next(socket);
    },
    error: (_socket, cause) => fail(cause),
  }));
  follow({
    start: (warmupMs, windowMs) => {
      trips = new RoundTrips(warmupMs, windowMs, parameters.bytes);
      next(opened);
    },
  });
  sayReady();
}

const roles: Record<string, () => void | Promise<void>> = { receive, send, echo, ping };
Promise.resolve((roles[parameters.role] ?? (() => fail(`unknown role ${parameters.role}`)))()).catch(fail);
