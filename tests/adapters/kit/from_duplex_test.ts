import { connect, createServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { fromDuplex, offer } from "../../../adapters/kit/mod.ts";
import { MisuseError } from "../../../src/errors.ts";
import type { TransportFactory } from "../../../src/ports.ts";
import { Probe, Progress, turns } from "../../../testing/probe.ts";
import { transportSuite } from "../../../testing/transport_suite.ts";

/** TCP by `node:net` and `fromDuplex`: what a user would write in a minute. */
function socketTransport(copy: boolean): TransportFactory {
  const parse = (address: string): number => {
    const port = /^net:\/\/(\d+)$/.exec(address)?.[1];
    if (port === undefined) throw new MisuseError("ERR_ENDPOINT", `"${address}" is not net://port`);
    return Number(port);
  };
  const describe = (socket: Socket) => ({
    localAddress: `net://${socket.localPort ?? 0}`,
    remoteAddress: `net://${socket.remotePort ?? 0}`,
    copy,
  });
  return {
    dial: (address) => {
      const port = parse(address);
      const options = { localAddress: "net://any", remoteAddress: address, copy };
      return (handlers) => {
        const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
        return fromDuplex(socket, options)(handlers);
      };
    },
    listen: (address) => {
      const port = parse(address);
      return (accept) =>
        new Promise((resolve, reject) => {
          const server: Server = createServer(
            { allowHalfOpen: true },
            (socket) => offer(accept, fromDuplex(socket, describe(socket)), () => socket.destroy()),
          );
          server.on("error", (error) => reject(new MisuseError("ERR_ADDRESS_IN_USE", error.message)));
          server.listen(port, "127.0.0.1", () => {
            const bound = server.address() as { readonly port: number };
            const close = () => {
              server.close();
              return turns(1);
            };
            resolve({ address: `net://${bound.port}`, close });
          });
        });
    },
  };
}

for (const copy of [true, false]) {
  transportSuite(test, `a socket through fromDuplex, copy ${copy}`, {
    factory: socketTransport(copy),
    address: () => "net://0",
  });
}

const ENDS = { localAddress: "test://near", remoteAddress: "test://far" };

function probe(): Probe {
  return new Probe("probe", new Progress(3_000));
}

test("a stream that never tells of its close is closed all the same, once, with its error", async () => {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(), emitClose: false });
  const end = probe().dial(fromDuplex(stream, ENDS));
  await end.until("open", () => end.opened);
  stream.destroy(new Error("unplugged"));
  await end.until("close", () => end.closed);
  assertEquals((end.cause as Error).message, "unplugged");
  end.verifyOrder();
});

test("a promise of a stream that fails closes with its reason, also without one", async () => {
  for (const reason of [new Error("no such port"), undefined]) {
    const end = probe().dial(fromDuplex(Promise.reject(reason), ENDS));
    await end.until("close", () => end.closed);
    assert(end.cause instanceof Error);
    assert(!end.opened);
    end.verifyOrder();
  }
});

test("a stream that comes after its transport was aborted is destroyed", async () => {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  let give = (_stream: Duplex): void => {};
  const end = probe().dial(fromDuplex(new Promise<Duplex>((resolve) => give = resolve), ENDS));
  end.finish("abort");
  await end.until("close", () => end.closed);
  give(stream);
  await turns(2);
  assert(stream.destroyed);
  end.verifyOrder();
});

test("lent memory is in use until its write has called back, although the stream has closed", async () => {
  let written = (): void => {};
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => void (written = () => done()) });
  const end = probe().dial(fromDuplex(stream, { ...ENDS, copy: false }));
  await end.until("open", () => end.opened);
  assertEquals(end.writePattern(10), false);
  end.finish("abort");
  await turns(5);
  assert(stream.destroyed);
  assertEquals(end.closed, false);
  written();
  await end.until("close", () => end.closed);
  end.verifyOrder();
});

test("a stream can be dialled once", async () => {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const dial = fromDuplex(stream, ENDS);
  const first = probe().dial(dial);
  const second = probe().dial(dial);
  await second.until("close", () => second.closed);
  assert(String(second.cause).includes("used already"));
  await first.until("open", () => first.opened);
  first.finish("abort");
  await first.until("close", () => first.closed);
});

test("a stream that ends without closing closes once both sides have ended", async () => {
  const stream = new Duplex({ autoDestroy: false, read() {}, write: (_chunk, _encoding, done) => done() });
  const end = probe().dial(fromDuplex(stream, ENDS));
  await end.until("open", () => end.opened);
  stream.push(null);
  await end.until("end", () => end.ended);
  end.finish("flush");
  await end.until("close", () => end.closed);
  assertEquals(end.cause, undefined);
  end.verifyOrder();
});
