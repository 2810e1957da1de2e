import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { concat, NO_BYTES } from "../../../src/bytes/bytes.ts";
import { partialWriter } from "../../../src/bytes/partial_writer.ts";
import { PeerError } from "../../../src/errors.ts";
import type { Dial, Transport, TransportHandlers } from "../../../src/ports.ts";
import type { Opening, OpeningStream } from "../../../src/websocket/opening.ts";
import { bridgeStream } from "../../../src/websocket/stream_bridge.ts";
import { encodeCredit } from "../../../src/websocket/zws/wire.ts";
import { encodeCommandFrame, encodeReady } from "../../../src/zmtp/commands.ts";
import { encodeFrame } from "../../../src/zmtp/frame_encoder.ts";
import { encodeGreeting } from "../../../src/zmtp/greeting.ts";
import { encodeMetadata, type Property } from "../../../src/zmtp/metadata.ts";
import { bridged, instantOpening } from "../../support/bridged_streams.ts";
import { RecordingHandlers } from "../../support/recording_handlers.ts";
import { ScriptedStream } from "../../support/scripted_stream.ts";
import { frame, framesIn, type PlainFrame } from "../../support/web_socket_frames.ts";
import { World } from "../../support/world.ts";

type Role = "client" | "server";
const ROLES: readonly Role[] = ["client", "server"];
const text = (told: string): Uint8Array => Uint8Array.from(told, (one) => one.charCodeAt(0));

interface OneInit {
  readonly role?: Role;
  readonly gathers?: boolean;
  readonly pingIntervalMs?: number;
  readonly properties?: readonly Property[];
  readonly frameBytesMax?: number;
}

/** A bridge whose handshake is over. */
class One {
  readonly world: World = new World(1);
  readonly stream: ScriptedStream;
  readonly handlers: RecordingHandlers = new RecordingHandlers();
  readonly transport: Transport;
  readonly role: Role;

  constructor({ role = "server", gathers, properties = [], pingIntervalMs, frameBytesMax }: OneInit = {}) {
    this.role = role;
    this.stream = new ScriptedStream(gathers);
    const { host } = this.world;
    this.transport = bridged(this.stream.dial, role, {
      host,
      ...(pingIntervalMs === undefined ? {} : { pingIntervalMs }),
      ...(frameBytesMax === undefined ? {} : { frameBytesMax }),
    })(this.handlers);
    this.handlers.transport = this.transport;
    this.stream.open();
    this.transport.write(encodeGreeting({ mechanism: "NULL", asServer: false }));
    this.transport.write(encodeCommandFrame(encodeReady(encodeMetadata([["Socket-Type", text("PAIR")]]))));
    this.hears(2, encodeReady(encodeMetadata([["Socket-Type", text("PAIR")], ...properties])));
    this.stream.taken.length = 0;
    this.handlers.chunks.length = 0;
  }

  /** The peer sends a frame. */
  gets(first: number, payload: Uint8Array): void {
    this.stream.handlers.data(frame(first, payload, this.role === "server" ? [1, 2, 3, 4] : undefined));
  }

  hears(flags: number, body: Uint8Array): void {
    this.gets(0x82, concat([Uint8Array.of(flags), body]));
  }

  get frames(): PlainFrame[] {
    const { frames, rest } = framesIn(this.stream.written);
    assertEquals(rest, NO_BYTES);
    return frames;
  }

  /** Opcodes and lengths of what left: `2:5 a:0`. */
  get left(): string {
    return this.frames.map(({ first, payload }) => `${(first & 15).toString(16)}:${payload.length}`).join(
      " ",
    );
  }
}

test("open comes when the upgrade is done, with its facts, and the greeting after it", () => {
  const stream = new ScriptedStream();
  const handlers = new RecordingHandlers();
  let opening!: OpeningStream;
  const scripted: Opening = {
    start: (given) => void (opening = given),
    receive: () => {},
    ended: () => {},
    abandoned: () => {},
  };
  const { host } = new World(1);
  const setup = { role: "client", frameBytesMax: 100, pingIntervalMs: 0, host } as const;
  handlers.transport = bridgeStream(stream.dial, scripted, setup)(handlers);
  stream.open();
  opening.write(text("GET"));
  assertEquals([handlers.events, stream.written], [[], text("GET")]);
  const http = { path: "/a", host: "h", origin: undefined, protocol: "ZWS2.0/NULL" };
  const rest = frame(0x89, text("p"));
  opening.done({ protocol: "ZWS2.0/NULL", http, remoteAddress: "sim://client", rest });
  assertEquals(handlers.events, ["open", "data 64"]);
  assertEquals(handlers.info?.http, http);
  assertEquals([handlers.info?.localAddress, handlers.info?.remoteAddress], ["sim://near", "sim://client"]);
  assertEquals(
    framesIn(stream.written.slice(3)).frames[0]?.first,
    0x8a,
    "what came with the upgrade is read",
  );
});

test("an upgrade that fails lets its last bytes leave, and its error is the cause of the close", () => {
  const stream = new ScriptedStream();
  const handlers = new RecordingHandlers();
  const error = new PeerError("ERR_HTTP_REQUEST", "no");
  const failing: Opening = {
    start: (opening) => {
      stream.lends = true;
      opening.write(text("HTTP/1.1 400 no"));
      opening.fail(error);
    },
    receive: () => {},
    ended: () => {},
    abandoned: () => {},
  };
  const { host } = new World(1);
  const setup = { role: "server", frameBytesMax: 100, pingIntervalMs: 0, host } as const;
  handlers.transport = bridgeStream(stream.dial, failing, setup)(handlers);
  stream.open();
  assertEquals(stream.flushes, 0, "the last bytes are with the stream");
  stream.lends = false;
  stream.drain();
  assertEquals([stream.flushes, stream.written], [1, text("HTTP/1.1 400 no")]);
  stream.close();
  assertEquals([handlers.events, handlers.cause], [["close"], error]);
});

test("an upgrade is abandoned once when its stream closes, and when our engine gives up", () => {
  for (const end of ["close", "abort"] as const) {
    let abandoned = 0;
    const stream = new ScriptedStream();
    const handlers = new RecordingHandlers();
    const waiting: Opening = {
      start: () => {},
      receive: () => {},
      ended: () => {},
      abandoned: () => void abandoned++,
    };
    const { host } = new World(1);
    const setup = { role: "server", frameBytesMax: 100, pingIntervalMs: 0, host } as const;
    const transport = handlers.transport = bridgeStream(stream.dial, waiting, setup)(handlers);
    stream.open();
    if (end === "abort") transport.close("abort");
    stream.close();
    assertEquals([abandoned, stream.aborts, handlers.events], [1, end === "abort" ? 1 : 0, ["close"]]);
  }
});

test("a sub-protocol that is none of ZWS 2.0 is refused", () => {
  const { host } = new World(1);
  const stream = new ScriptedStream();
  const handlers = new RecordingHandlers();
  const setup = { role: "server", frameBytesMax: 100, pingIntervalMs: 0, host } as const;
  handlers.transport = bridgeStream(stream.dial, instantOpening("chat"), setup)(handlers);
  stream.open();
  stream.close();
  assertEquals([handlers.events, (handlers.cause as PeerError).code], [["close"], "ERR_WEBSOCKET"]);
});

/** A stream that takes `first` bytes of everything written to it, and the rest when it is told to. */
function takesAt(
  first: number,
): { dial: Dial; taken: Uint8Array[]; resume: () => boolean; open: () => void } {
  const taken: Uint8Array[] = [];
  let room = first;
  let handlers!: TransportHandlers;
  const writer = partialWriter((chunk, offset, length) => {
    const count = Math.min(room, length);
    room -= count;
    if (count > 0) taken.push(chunk.slice(offset, offset + count));
    return count;
  });
  return {
    taken,
    dial: (given) => {
      handlers = given;
      return {
        write: (chunk) => writer.write(chunk),
        setPaused: () => true,
        close: () => writer.release(),
      };
    },
    open: () => handlers.open({ localAddress: "sim://a", remoteAddress: "sim://b" }),
    resume: () => {
      room = Infinity;
      if (!writer.resume()) return false;
      handlers.drain();
      return true;
    },
  };
}

test("a write that is taken in part at any byte breaks no frame, and control frames wait for its end", () => {
  const bodies = [text("a"), new Uint8Array(130).fill(2), new Uint8Array(300).fill(3), text("z")];
  for (const role of ROLES) {
    for (let at = 0; at < 620; at++) {
      const raw = takesAt(at);
      const handlers = new RecordingHandlers();
      const transport = bridged(raw.dial, role, { host: new World(at).host })(handlers);
      handlers.transport = transport;
      raw.open();
      const chunk = concat(bodies.map((body) => encodeFrame(0, body)));
      let lent = !transport.write(encodeGreeting({ mechanism: "NULL", asServer: false }));
      if (!lent) lent = !transport.write(chunk);
      transport.close("flush");
      const before = handlers.drains;
      assertEquals(raw.resume(), lent || concat(raw.taken).length > at, "something was kept");
      assertEquals(handlers.drains - before, lent ? 1 : 0, `drain at ${at}`);
      const { frames, rest } = framesIn(concat(raw.taken));
      assertEquals(rest, NO_BYTES);
      assertEquals(frames.map(({ first }) => first), [0x82, 0x82, 0x82, 0x82, 0x88]);
      assertEquals(frames.slice(0, 4).map(({ payload }) => payload.slice(1)), bodies);
    }
  }
});

test("what our engine wrote is lent exactly as long as the stream keeps something of it", () => {
  for (const role of ROLES) {
    const one = new One({ role });
    assert(one.transport.write(encodeFrame(0, text("a"))));
    one.stream.lends = true;
    assert(!one.transport.write(encodeFrame(0, text("bb"))));
    one.stream.lends = false;
    assertEquals(one.handlers.drains, 0);
    one.stream.drain();
    assertEquals([one.handlers.drains, one.left], [1, "2:2 2:3"]);
    assert(one.transport.write(encodeFrame(0, text("ccc"))));
    assertEquals(one.handlers.problems, []);
  }
});

test("a large body goes out in several writes, and is lent until the last", () => {
  const body = new Uint8Array(400_000).map((_, index) => index * 7);
  for (const role of ROLES) {
    for (const gathers of [true, false]) {
      const one = new One({ role, gathers });
      const [header, rest] = [encodeFrame(0, body).subarray(0, 9), body];
      one.stream.lends = true;
      assert(!one.transport.writev!([header, rest, encodeFrame(0, text("next"))]));
      let writes = 0;
      while (one.stream.isLent) {
        if (writes++ === 0) one.gets(0x89, text("p"));
        one.stream.drain();
      }
      assertEquals(one.handlers.drains, 1);
      assert(writes > (gathers && role === "server" ? 0 : 1), `${writes} writes`);
      const [first, ...others] = one.frames;
      assertEquals(first!.payload.length, 400_001);
      assert(first!.payload.every((byte, index) => index === 0 || byte === ((index - 1) * 7 & 255)));
      const opcodes = others.map(({ first }) => first);
      assertEquals(opcodes.filter((opcode) => opcode === 0x82).length, 1);
      assert(opcodes.includes(0x8a), "the PING was answered, between two frames");
      assert(body.every((byte, index) => byte === (index * 7 & 255)), "the engine's memory is as it was");
    }
  }
});

test("a server's large body leaves from the engine's own memory", () => {
  const one = new One({ gathers: true });
  const body = new Uint8Array(20_000).fill(5);
  one.stream.lends = true;
  one.transport.writev!([encodeFrame(0, body).subarray(0, 9), body]);
  body.fill(6);
  one.stream.drain();
  assertEquals(one.frames[0]!.payload.subarray(1), new Uint8Array(20_000).fill(6));
});

test("a frame that our engine has begun is finished before a control frame", () => {
  for (const role of ROLES) {
    const one = new One({ role });
    const message = encodeFrame(0, new Uint8Array(1_000));
    for (let at = 1; at < message.length; at += 37) {
      one.stream.taken.length = 0;
      assert(one.transport.write(message.subarray(0, at)));
      one.gets(0x89, text("p"));
      assert(one.transport.write(message.subarray(at)));
      one.gets(0x89, text("q"));
      // A header that has not left yet is nothing begun.
      assertEquals(one.left, at < 9 ? "a:1 2:1001 a:1" : "2:1001 a:1 a:1", `at ${at}`);
    }
  }
});

test("of several PINGs that come while a write is lent the latest is answered", () => {
  const one = new One();
  one.stream.lends = true;
  one.transport.write(encodeFrame(0, text("a")));
  for (const payload of ["1", "22", "333"]) one.gets(0x89, text(payload));
  one.stream.lends = false;
  one.stream.drain();
  assertEquals(one.left, "2:2 a:3");
});

test("flush sends what is lent, then a close frame with 1000, then ends the stream", () => {
  for (const role of ROLES) {
    const one = new One({ role });
    one.stream.lends = true;
    one.transport.write(encodeFrame(0, text("a")));
    one.transport.close("flush");
    one.stream.lends = false;
    assertEquals(one.stream.flushes, 0);
    one.stream.drain();
    assertEquals([one.left, one.stream.flushes, one.stream.aborts], ["2:2 8:2", 1, 0]);
    assertEquals(one.frames[1]!.payload, Uint8Array.of(3, 0xe8));
    one.hears(0, text("late"));
    assertEquals(one.handlers.chunks, [], "what still arrives is discarded");
    one.stream.close();
    assertEquals(one.handlers.events.slice(-2), ["drain", "close"]);
  }
});

test("abort cuts the stream at once, and may follow a flush", () => {
  const one = new One();
  one.stream.lends = true;
  one.transport.write(encodeFrame(0, text("a")));
  one.transport.close("flush");
  one.transport.close("abort");
  one.transport.close("abort");
  assertEquals([one.stream.flushes, one.stream.aborts], [0, 1]);
  one.stream.close();
  assertEquals(one.handlers.cause, undefined);
});

test("the peer's close frame is answered behind the frame that has begun, and our engine hears the end", () => {
  const one = new One();
  one.stream.lends = true;
  one.transport.write(encodeFrame(0, text("a")));
  one.gets(0x88, Uint8Array.of(3, 0xe9, 0x78));
  assertEquals(one.handlers.ended, true);
  one.stream.lends = false;
  one.stream.drain();
  assertEquals([one.left, one.stream.flushes], ["2:2 8:2", 1]);
  assertEquals(one.frames[1]!.payload, Uint8Array.of(3, 0xe9));
  one.transport.close("flush");
  one.stream.close();
  assertEquals(one.handlers.problems, []);
});

test("a stream that ends without a close frame is an end like any other", () => {
  const one = new One();
  one.stream.handlers.end();
  assertEquals(one.handlers.ended, true);
  one.transport.close("flush");
  assertEquals([one.left, one.stream.flushes], ["8:2", 1]);
});

test("a violation closes the stream, which is cut if it does not end within a second", () => {
  const one = new One();
  one.gets(0x81, text("no text"));
  assertEquals([one.left.split(":")[0], one.stream.flushes, one.handlers.closed], ["8", 1, false]);
  one.world.runFor(900);
  assertEquals(one.stream.aborts, 0);
  one.world.runFor(200);
  assertEquals(one.stream.aborts, 1);
  one.stream.close();
  assertEquals((one.handlers.cause as PeerError).code, "ERR_WEBSOCKET");
});

test("a violation while our engine is inside a frame cuts the stream: nothing can follow half a frame", () => {
  const one = new One();
  one.transport.write(encodeFrame(0, new Uint8Array(500)).subarray(0, 100));
  one.gets(0x81, text("no text"));
  assertEquals([one.stream.flushes, one.stream.aborts], [0, 1]);
});

test("a PING leaves when nothing else did for the interval, and nothing keeps the process alive for it", () => {
  const one = new One({ pingIntervalMs: 25_000 });
  one.world.runFor(20_000);
  one.transport.write(encodeFrame(0, text("a")));
  one.world.runFor(20_000);
  assertEquals(one.left, "2:2");
  one.world.runFor(6_000);
  assertEquals(one.left, "2:2 9:0");
  one.world.runFor(50_000);
  assertEquals(one.left, "2:2 9:0 9:0 9:0");
  assertEquals(one.world.holdsProcess, false);
  one.stream.close();
  one.world.runFor(100_000);
  assertEquals(one.left, "2:2 9:0 9:0 9:0");
  const none = new One({ pingIntervalMs: 0 });
  none.world.runFor(1_000_000);
  assertEquals(none.left, "");
});

test("credit: no frame begins at the peer's limit, and CREDIT lets the next ones begin", () => {
  for (const role of ROLES) {
    const one = new One({ role, properties: [["X-Hawser-Flow", text("164")]] });
    const message = encodeFrame(0, new Uint8Array(60));
    assert(!one.transport.write(concat([message, message, message, message])));
    assertEquals(one.left, "2:61 2:61", "the second one began below the limit");
    one.gets(0x89, NO_BYTES);
    assertEquals(one.left, "2:61 2:61 a:0", "control frames do not wait");
    one.hears(2, encodeCredit(84));
    assertEquals(one.left, "2:61 2:61 a:0", "248 of 248: a frame counts its body and 64");
    one.hears(2, encodeCredit(124));
    assertEquals([one.left, one.handlers.drains], ["2:61 2:61 a:0 2:61", 0]);
    one.hears(2, encodeCredit(372));
    assertEquals([one.left, one.handlers.drains], ["2:61 2:61 a:0 2:61 2:61", 1]);
    assertEquals(concat(one.handlers.chunks).length, 7, "of all that our engine saw a sign of life");
    assert(one.transport.write(NO_BYTES));
  }
});

test("credit: not a byte of a frame is taken above the limit, and what is used up ends in order", () => {
  const one = new One({ properties: [["X-Hawser-Flow", text("124")]] });
  const message = encodeFrame(0, new Uint8Array(60));
  assert(one.transport.write(message), "all of it left, and nothing waits");
  assert(!one.transport.write(message.subarray(0, 1)));
  one.hears(2, encodeCredit(124));
  assertEquals([one.left, one.handlers.drains], ["2:61", 1]);
  assert(one.transport.write(message.subarray(1)));
  one.transport.close("flush");
  assertEquals(one.left, "2:61 2:61 8:2");
});

test("the rest of a large body is read into the engine's memory, unmasked there", () => {
  for (const role of ROLES) {
    const one = new One({ role });
    const body = new Uint8Array(100_000).map((_, index) => index * 3);
    const bytes = frame(
      0x82,
      concat([NO_BYTES, Uint8Array.of(0), body]),
      role === "server" ? [9, 8, 7, 6] : undefined,
    );
    const memory = new Uint8Array(100_000);
    let asked = 0;
    Object.assign(one.handlers, {
      bodyMemory: () => {
        asked++;
        return memory.subarray(memory.length - (bytes.length - at));
      },
    });
    let at = 50_000;
    one.stream.handlers.data(bytes.slice(0, at));
    const first = concat(one.handlers.chunks);
    memory.set(first.subarray(9));
    while (at < bytes.length) {
      const place = one.stream.handlers.bodyMemory!()!;
      const filled = place.subarray(0, 7_777);
      filled.set(bytes.subarray(at, at + filled.length));
      at += filled.length;
      one.stream.handlers.data(filled);
    }
    assert(asked > 5);
    assertEquals(memory, body);
    assertEquals(one.stream.handlers.bodyMemory!(), undefined, "a header comes next");
  }
});

test("what arrives from inside a call of ours waits for its turn, also an end and a close", () => {
  const one = new One();
  const message = (told: string): Uint8Array => frame(0x82, text(`\0${told}`), [1, 2, 3, 4]);
  let nested = false;
  one.handlers.onEvent = (event) => {
    if (event !== "data" || nested) return;
    nested = true;
    one.stream.handlers.data(message("third"));
    one.stream.handlers.end();
    one.stream.close();
  };
  one.stream.handlers.data(
    concat([message("first"), frame(0x89, NO_BYTES, [0, 0, 0, 0]), message("second")]),
  );
  const seen = concat(one.handlers.chunks);
  const told = ["first", "second", "third"].map((one) => encodeFrame(0, text(one)));
  assertEquals(seen.filter((byte) => byte > 96).length, 5 + 6 + 5);
  assertEquals(seen.slice(-told[2]!.length), told[2]);
  assertEquals(one.handlers.events.slice(-2), ["end", "close"]);
});

test("setPaused, pull and setReferenced are the stream's own", () => {
  const one = new One();
  assertEquals([one.transport.setPaused(true), one.transport.setPaused(false)], [true, true]);
  assertEquals(one.stream.paused, [true, false]);
  assertEquals(one.transport.pull!(), false);
  one.transport.setReferenced!(false);
});
