import net from "node:net";
import process from "node:process";
import { test } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "@std/assert";
import { keepFreedMemory } from "../../adapters/node/freed_memory.ts";
import { nodeAdapter } from "../../adapters/node/mod.ts";
import { SocketReads } from "../../adapters/node/reads.ts";
import { createReadServer, directReads } from "../../adapters/node/sockets.ts";
import type { ReadSocket } from "../../adapters/node/stream.ts";
import type { NodeNet, NodeSocket, NodeSocketOptions } from "../../adapters/node/types.ts";
import type { TransportHandlers } from "../../src/ports.ts";
import { FrameDecoder } from "../../src/zmtp/frame_decoder.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { Bench } from "../../testing/bench.ts";
import { concat } from "../../src/bytes/bytes.ts";

const MIB = 1_048_576;
const LIMITS = { frameBytesMax: 1 << 28, messageBytesMax: 1 << 28, messageFramesMax: 10 };

/** A socket's reads with a decoder behind them, and a kernel that always has more, unless told how much. */
class Receiver {
  readonly reads: SocketReads = new SocketReads();
  readonly chunks: Uint8Array[] = [];
  readonly frames: Uint8Array[] = [];
  readonly #decoder: FrameDecoder;
  /** Bytes that did not arrive where they belong. */
  copiedBytes = 0;

  constructor() {
    this.#decoder = new FrameDecoder({
      run: () => {},
      message: (frames) => void this.frames.push(...frames),
      command: () => undefined,
    }, LIMITS);
    const handlers = {
      data: (chunk: Uint8Array) => this.#data(chunk),
      bodyMemory: () => this.#decoder.bodyRest,
    } as unknown as TransportHandlers;
    this.reads.deliverTo(handlers);
  }

  #data(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    if (this.#decoder.bodyRest?.buffer !== chunk.buffer) this.copiedBytes += chunk.length;
    assertEquals(this.#decoder.decode(chunk, 0, Infinity), chunk.length);
  }

  /** Reads all of `stream`, at most `bytesMax` at a time, and returns how many reads it took. */
  read(stream: Uint8Array, bytesMax = Infinity): number {
    let reads = 0;
    for (let at = 0; at < stream.length; reads++) {
      const target = this.reads.buffer();
      const bytes = Math.min(target.length, stream.length - at, bytesMax);
      target.set(stream.subarray(at, at + bytes));
      this.reads.callback(bytes);
      at += bytes;
    }
    return reads;
  }
}

function patterned(bytes: number, seed: number): Uint8Array {
  return new Uint8Array(bytes).map((_, index) => (index * 7 + (index >> 8) + seed) % 251);
}

test("sockets that wait share one buffer: an idle one holds no memory, whatever it received before", () => {
  const first = new SocketReads().buffer();
  assertEquals(first.length, 65_536);
  for (const bytes of [0, 10, 5_000, 65_535, 65_536 * 3 + 7, 4 * MIB + 9]) {
    const receiver = new Receiver();
    receiver.read(encodeFrame(0, new Uint8Array(bytes)));
    // A body that ended exactly where its memory ends leaves the socket with a part of the buffer.
    assert(receiver.reads.buffer().buffer === first.buffer, `after ${bytes} bytes`);
  }
});

test("bodies of 1 MiB and more take two reads each MiB at most, and only their beginning is copied", () => {
  for (const bytes of [MIB / 2, MIB, 4 * MIB]) {
    const bodies = Array.from({ length: 6 }, (_, index) => patterned(bytes, index));
    const receiver = new Receiver();
    const reads = receiver.read(concat(bodies.map((body) => encodeFrame(0, body))));
    assertEquals(receiver.frames, bodies);
    assertLessOrEqual(reads, 6 * Math.ceil(bytes / MIB) * 2 + 16, `${reads} reads`);
    const beginning = bytes > MIB ? bytes / 8 + 262_144 : 65_536;
    assertLessOrEqual(receiver.copiedBytes, 6 * beginning, `${receiver.copiedBytes} of ${bytes * 6} bytes`);
    for (const frame of receiver.frames) assertEquals(frame.buffer.byteLength, bytes);
  }
});

test("bodies that are smaller come with four or more in a read, once some have come", () => {
  const bodies = Array.from({ length: 200 }, (_, index) => patterned(60_000, index));
  const receiver = new Receiver();
  const reads = receiver.read(concat(bodies.map((body) => encodeFrame(0, body))));
  assertLess(reads, 200 / 4 + 4);
});

test("small frames pin no more than a read of 64 KiB, and a small read no more than 8 KiB", () => {
  const receiver = new Receiver();
  const stream = concat(Array.from({ length: 20_000 }, (_, index) => encodeFrame(0, patterned(100, index))));
  receiver.read(stream);
  for (const chunk of receiver.chunks) assertLessOrEqual(chunk.buffer.byteLength, 65_536);
  assertLessOrEqual(receiver.chunks.length, stream.length / 65_536 + 1);
  const slow = new Receiver();
  slow.read(stream.subarray(0, 102_000), 102);
  for (const chunk of slow.chunks) assertLessOrEqual(chunk.buffer.byteLength, 8_192);
  slow.read(stream.subarray(102_000), 2_040);
  for (const chunk of slow.chunks.slice(1_000)) assertEquals(chunk.buffer.byteLength, chunk.length);
});

test("what was delivered never changes, whoever reads next", () => {
  const kept: [Uint8Array, Uint8Array][] = [];
  const receivers = Array.from({ length: 5 }, () => new Receiver());
  for (let round = 0; round < 60; round++) {
    const receiver = receivers[round % 5]!;
    const bytes = [1, 900, 20_000, 65_525, 200_000, 1_300_000, 5][round % 7]!;
    const before = receiver.chunks.length;
    const stream = encodeFrame(0, patterned(bytes, round));
    receiver.read(stream, [Infinity, 70_000, 1_000][round % 3]);
    kept.push([concat(receiver.chunks.slice(before)), stream]);
    // Chunks are compared again at the end, as they are then.
    receiver.chunks.splice(0, before);
  }
  for (const receiver of receivers) {
    for (const frame of receiver.frames) assert(frame.length > 0);
  }
  for (const [got, sent] of kept) assertEquals(got, sent);
});

test("nothing is delivered and no body is filled once the stream is closing", () => {
  const receiver = new Receiver();
  receiver.read(encodeFrame(0, new Uint8Array(MIB)).subarray(0, 70_000));
  const chunks = receiver.chunks.length;
  receiver.reads.deliverTo(undefined);
  receiver.read(new Uint8Array(200_000));
  assertEquals(receiver.chunks.length, chunks);
});

const isNode = !("Deno" in globalThis) && !("Bun" in globalThis);

test("on Node both ends read into memory of ours, elsewhere neither does", async () => {
  const expected = directReads.connected;
  if (!isNode) assertEquals(expected, false);
  const factory = nodeAdapter.transports.get("tcp")!;
  const bench = new Bench({ factory, address: () => "tcp://127.0.0.1:*" });
  const { left, right } = await bench.pair();
  assertEquals(directReads, { connected: expected, accepted: expected });
  left.placeBytes = right.placeBytes = 2 * MIB;
  await left.send(6 * MIB, MIB);
  await right.send(6 * MIB, MIB);
  for (const end of [left, right]) {
    await end.until("6 MiB", () => end.receivedBytes === 6 * MIB);
    const placed = end.chunks.filter((chunk) => chunk.buffer.byteLength === 2 * MIB);
    const bytes = placed.reduce((sum, chunk) => sum + chunk.length, 0);
    if (expected) assertGreaterOrEqual(bytes, 5 * MIB);
    else assertEquals(bytes, 0);
    end.verify();
  }
  await bench.clear();
});

/** What differs from the Node of today. */
type Broken = "nothing" | "no buffers" | "no socket over a handle" | "onread is not known";

/** `node:net` with something that is not as it was. */
function brokenNet(broken: Broken): NodeNet {
  const module = net as unknown as NodeNet;
  const Socket = function (options: NodeSocketOptions): NodeSocket {
    if (broken === "no socket over a handle") throw new TypeError("a handle is not for you");
    const { onread: _, ...known } = options;
    return new module.Socket(broken === "onread is not known" ? known as typeof options : options);
  };
  return {
    connect: module.connect,
    Socket: Socket as unknown as NodeNet["Socket"],
    createServer: (options) => {
      const server = module.createServer(options);
      // Added first, so it is called first.
      server.on("connection", ({ _handle: handle }) => {
        if (broken === "no buffers") (handle as { useUserBuffer?: unknown }).useUserBuffer = undefined;
      });
      return server;
    },
  };
}

/** What becomes of one connection, which must work in any case and be counted by the server. */
async function echoVia(module: NodeNet): Promise<ReadSocket> {
  let took: (accepted: ReadSocket) => void;
  const accepted = new Promise<ReadSocket>((resolve) => took = resolve);
  const server = createReadServer(module, (one) => {
    one.socket.on("error", () => {});
    if (one.reads === undefined) one.socket.on("data", (chunk) => void one.socket.write(chunk));
    else {
      one.reads.deliverTo({ data: (chunk: Uint8Array) => void one.socket.write(chunk) } as TransportHandlers);
    }
    took(one);
  });
  await new Promise<void>((resolve) => {
    server.on("listening", resolve);
    server.listen({ port: 0, host: "127.0.0.1" });
  });
  const { port } = server.address() as { port: number };
  const client = net.connect(port, "127.0.0.1");
  client.write("hello");
  const echoed = await new Promise<string>((resolve) => client.once("data", (data) => resolve(String(data))));
  assertEquals(echoed, "hello");
  const closed = new Promise<void>((resolve) => (server as unknown as net.Server).once("close", resolve));
  client.destroy();
  const one = await accepted;
  one.socket.destroy();
  server.close();
  // The server counts whichever socket has the handle: it closes only when that has.
  await closed;
  return one;
}

test("where a handle cannot be taken, sockets report with events, from the first connection on", async () => {
  const before = { ...directReads };
  try {
    const all: Broken[] = ["nothing", "no buffers", "no socket over a handle", "onread is not known"];
    for (const broken of isNode ? all : ["nothing" as const]) {
      directReads.accepted = isNode;
      const one = await echoVia(brokenNet(broken));
      const direct = isNode && broken === "nothing";
      assertEquals([one.reads !== undefined, directReads.accepted], [direct, direct], broken);
    }
  } finally {
    Object.assign(directReads, before);
  }
});

test("memory for large reads is found without files to look at, and without address space", () => {
  const fs = process.getBuiltinModule("node:fs");
  const { existsSync } = fs;
  const asked: number[] = [];
  const memory = (bytes: number): Uint8Array => (asked.push(bytes), new Uint8Array(1));
  const denied = (): never => {
    throw new Error("denied");
  };
  const answers = ([() => false, () => true, denied] as const).map((exists) => {
    try {
      fs.existsSync = exists;
      return keepFreedMemory(memory);
    } finally {
      fs.existsSync = existsSync;
    }
  });
  const linux = process.platform === "linux";
  assertEquals(answers, [linux, false, linux]);
  assertEquals(asked.length, linux ? 2 : 0);
  assertEquals(keepFreedMemory(denied), false);
});
