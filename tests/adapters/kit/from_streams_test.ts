import { connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type BytePair, fromStreams, type StreamsOptions } from "../../../adapters/kit/from_streams.ts";
import { offer } from "../../../adapters/kit/offer.ts";
import { MisuseError } from "../../../src/errors.ts";
import type { Accept, TransportFactory } from "../../../src/ports.ts";
import { Probe, Progress, turns } from "../../../testing/probe.ts";
import { transportSuite } from "../../../testing/transport_suite.ts";
import { namedTransport } from "../../support/names.ts";

const ENDS = { localAddress: "test://near", remoteAddress: "test://far" };
let names = 0;

/** Pairs of TransformStreams: each passes on the very chunks that it is given. */
function transforms(makeStream: () => TransformStream<Uint8Array, Uint8Array>): TransportFactory {
  return namedTransport("transform", (address) => {
    const [there, back] = [makeStream(), makeStream()];
    const ends = { localAddress: address, remoteAddress: address };
    const near = { readable: back.readable, writable: there.writable };
    const far = { readable: there.readable, writable: back.writable };
    const refuse = () => {
      void far.writable.abort("refused").catch(() => {});
      void far.readable.cancel("refused").catch(() => {});
    };
    return { near: fromStreams(near as BytePair, ends), far: fromStreams(far as BytePair, ends), refuse };
  });
}

transportSuite(test, "TransformStreams through fromStreams", {
  factory: transforms(() => new TransformStream()),
  address: () => `transform://${++names}`,
});
transportSuite(test, "TransformStreams with room and empty chunks", {
  factory: transforms(() =>
    new TransformStream(
      {
        // As a decompressor does, which has nothing to say about every part of its input.
        transform: (chunk, controller) => {
          controller.enqueue(new Uint8Array(0));
          controller.enqueue(chunk);
        },
      },
      { highWaterMark: 4 },
      { highWaterMark: 4 },
    )
  ),
  address: () => `transform://${++names}`,
});

interface DenoConn extends BytePair {
  closeWrite(): Promise<void>;
  close(): void;
}

interface DenoNet {
  connect(target: { hostname: string; port: number }): Promise<DenoConn>;
  listen(target: { hostname: string; port: number }): {
    readonly addr: { readonly port: number };
    accept(): Promise<DenoConn>;
    close(): void;
  };
}

/** A TCP transport by port, over streams that `streams` makes of a connection. */
interface Tcp {
  readonly closesWrite: boolean;
  connect(port: number): PromiseLike<{ pair: BytePair; options: Partial<StreamsOptions> }>;
  listen(
    port: number,
    accepted: (pair: BytePair, options: Partial<StreamsOptions>, refuse: () => void) => void,
  ): Promise<{ port: number; close: () => Promise<void> }>;
}

function portTransport(tcp: Tcp): TransportFactory {
  const parse = (address: string): number => {
    const port = /^web:\/\/(\d+)$/.exec(address)?.[1];
    if (port === undefined) throw new MisuseError("ERR_ENDPOINT", `"${address}" is not web://port`);
    return Number(port);
  };
  return {
    dial: (address) => {
      const port = parse(address);
      return (handlers) => {
        let made: Partial<StreamsOptions> = {};
        const pair = tcp.connect(port).then(({ pair, options }) => (made = options, pair));
        const options = {
          ...ENDS,
          halfClose: false,
          abort: () => made.abort?.(),
          ...(tcp.closesWrite ? { closeWrite: () => made.closeWrite?.() } : {}),
        };
        return fromStreams(pair, options)(handlers);
      };
    },
    listen: (address) => {
      const port = parse(address);
      return async (accept: Accept) => {
        const bound = await tcp.listen(port, (pair, options, refuse) => {
          offer(accept, fromStreams(pair, { ...ENDS, ...options, halfClose: false }), refuse);
        });
        return { address: `web://${bound.port}`, close: bound.close };
      };
    },
  };
}

const deno = (globalThis as { Deno?: DenoNet }).Deno;

/** A Deno.Conn is a pair of streams, but closing its `writable`, and the end of its `readable`, ends both directions. */
function denoTcp(net: DenoNet): Tcp {
  const options = (conn: DenoConn): Partial<StreamsOptions> => ({
    closeWrite: () => conn.closeWrite(),
    abort: () => conn.close(),
  });
  return {
    closesWrite: true,
    connect: (port) =>
      net.connect({ hostname: "127.0.0.1", port }).then((conn) => ({ pair: conn, options: options(conn) })),
    listen: (port, accepted) => {
      let listener: ReturnType<DenoNet["listen"]>;
      try {
        listener = net.listen({ hostname: "127.0.0.1", port });
      } catch (cause) {
        return Promise.reject(new MisuseError("ERR_ADDRESS_IN_USE", String(cause)));
      }
      let ended = Promise.resolve();
      let closed = false;
      const next = (): void => {
        ended = listener.accept().then((conn) => {
          accepted(conn, options(conn), () => conn.close());
          next();
        }, () => {});
      };
      next();
      const close = () => {
        if (!closed) listener.close();
        closed = true;
        return ended;
      };
      return Promise.resolve({ port: listener.addr.port, close });
    },
  };
}

/** Sockets of `node:net` as WHATWG streams, which end when both directions have. */
const nodeTcp: Tcp = {
  closesWrite: false,
  connect: (port) =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.on("error", reject);
      socket.on("connect", () => resolve({ pair: toWeb(socket), options: release(socket) }));
    }),
  listen: (port, accepted) =>
    new Promise((resolve, reject) => {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        accepted(toWeb(socket), release(socket), () => socket.destroy());
      });
      server.on("error", (error) => reject(new MisuseError("ERR_ADDRESS_IN_USE", error.message)));
      server.listen(port, "127.0.0.1", () => {
        const bound = server.address() as { readonly port: number };
        resolve({ port: bound.port, close: () => (server.close(), turns(1)) });
      });
    }),
};

function toWeb(socket: Socket): BytePair {
  return Duplex.toWeb(socket) as unknown as BytePair;
}

function release(socket: Socket): Partial<StreamsOptions> {
  return { abort: () => socket.destroy() };
}

if (deno !== undefined) {
  transportSuite(test, "Deno.Conn through fromStreams", {
    factory: portTransport(denoTcp(deno)),
    address: () => "web://0",
    halfClose: false,
  });
} else {
  transportSuite(test, "Duplex.toWeb through fromStreams", {
    factory: portTransport(nodeTcp),
    address: () => "web://0",
    halfClose: false,
  });
}

function probe(): Probe {
  return new Probe("probe", new Progress(3_000));
}

test("a stream that fails without a reason closes with an error", async () => {
  for (const reason of [undefined, new Error("lost")]) {
    const readable = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(reason) });
    const pair = { readable, writable: new WritableStream<Uint8Array>() } as BytePair;
    const end = probe().dial(fromStreams(pair, ENDS));
    await end.until("close", () => end.closed);
    assert(end.cause instanceof Error);
    if (reason !== undefined) assertEquals(end.cause, reason);
    end.verifyOrder();
  }
});

test("a pair that is in use elsewhere closes with the reason, without open", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  readable.getReader();
  const end = probe().dial(fromStreams({ readable, writable } as BytePair, ENDS));
  await end.until("close", () => end.closed);
  assert(end.cause instanceof Error && !end.opened);
  end.verifyOrder();
});

test("nothing is read while paused, and what a read brings then is held", async () => {
  let pulls = 0;
  const readable = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      pulls += 1;
      await turns(1);
      controller.enqueue(new Uint8Array(10));
    },
  }, { highWaterMark: 0 });
  const end = probe().dial(fromStreams({ readable, writable: new WritableStream() } as BytePair, ENDS));
  await end.until("open", () => end.opened);
  assertEquals(end.setPaused(true), true);
  await turns(5);
  assertEquals([pulls, end.receivedBytes], [1, 0]);
  end.setPaused(false);
  await end.until("data", () => end.receivedBytes >= 30);
  end.finish("abort");
  await end.until("close", () => end.closed);
  end.verifyOrder();
});

test("large chunks are written in parts, none of which is the caller's memory", async () => {
  const parts: Uint8Array[] = [];
  const writable = new WritableStream<Uint8Array>({ write: (part) => void parts.push(part) });
  const pair = { readable: new ReadableStream<Uint8Array>(), writable } as BytePair;
  const end = probe().dial(fromStreams(pair, ENDS));
  await end.until("open", () => end.opened);
  const chunk = new Uint8Array(150_000).fill(1);
  assertEquals(end.transport.write(chunk), false);
  await turns(5);
  assertEquals(parts.map(({ length }) => length), [65_536, 65_536, 150_000 - 2 * 65_536]);
  assert(parts.every(({ buffer }) => buffer !== chunk.buffer));
  end.transport.close("abort");
});
