import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { asciiBytes, asciiText, concat } from "../../src/bytes/bytes.ts";
import { Driver } from "../../src/engine/driver.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineEvent } from "../../src/engine/engine_events.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/engine/limits.ts";
import type { Inbound } from "../../src/engine/link.ts";
import { PendingTotal } from "../../src/engine/pending_chunks.ts";
import { Scheduler } from "../../src/engine/scheduler.ts";
import { OutboundQueue } from "../../src/pattern/pipe/outbound_queue.ts";
import type { Transport, TransportHandlers } from "../../src/ports.ts";
import { encodeCommandFrame, encodePing, encodeReady, encodeSubscribe } from "../../src/zmtp/commands.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { encodeGreeting } from "../../src/zmtp/greeting.ts";
import { nullMechanism } from "../../src/zmtp/mechanism/null.ts";
import { encodeOurMetadata } from "../../src/zmtp/metadata.ts";
import { SegmentPool } from "../../src/zmtp/segment.ts";
import { World } from "../support/world.ts";

const GREETING = encodeGreeting({ mechanism: "NULL", asServer: false });
const READY = encodeCommandFrame(
  encodeReady(encodeOurMetadata({ socketType: "PAIR", identity: new Uint8Array(0) })),
);
const HELLO = concat([GREETING, READY]);

/** A transport whose every answer the test decides, with a list of what it was asked. */
class Bench {
  readonly world: World = new World(1);
  readonly calls: string[] = [];
  readonly written: Uint8Array[] = [];
  readonly events: EngineEvent[] = [];
  gone: { readonly cause: unknown } | undefined = undefined;
  /** What the next writes answer; without an entry: taken. */
  readonly answers: boolean[] = [];
  /** Called inside each write, before it answers. */
  onWrite: (() => void) | undefined = undefined;
  onPull: (() => boolean) | undefined = undefined;
  canPause = true;
  /** Messages that were delivered. */
  readonly messages: Uint8Array[][] = [];
  readonly subscriptions: string[] = [];
  credit = Infinity;
  handlers!: TransportHandlers;
  readonly driver: Driver;
  readonly engine: Engine;
  readonly queue: OutboundQueue;
  writable = 0;

  constructor(options: BenchOptions = {}) {
    this.engine = new Engine({
      socketType: "PAIR",
      identity: new Uint8Array(0),
      mechanism: nullMechanism,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      timings: {
        handshakeMs: 30_000,
        heartbeatIntervalMs: options.heartbeatMs ?? 0,
        heartbeatTimeoutMs: options.heartbeatMs ?? 0,
        heartbeatTtlMs: 0,
      },
      pendingTotal: new PendingTotal(Infinity),
      random: (into) => into.fill(0),
    });
    this.driver = new Driver(this.engine, new Scheduler(this.world.host), {
      opened: () => void this.calls.push("opened"),
      dropped: (count, why) => void this.calls.push(`dropped ${count}: ${why}`),
      engine: (event) => this.#engineEvent(event),
      gone: (cause) => {
        assertEquals(this.gone, undefined, "gone comes once");
        this.gone = { cause };
      },
    });
    this.queue = new OutboundQueue({
      pool: new SegmentPool(),
      mark: { messages: options.sendMark ?? 1_000, bytes: 0 },
      writable: () => void this.writable++,
    });
    if (options.accepted === true) this.driver.accepts();
    this.driver.start((handlers) => {
      this.handlers = handlers;
      return this.#transport(options);
    });
  }

  /** Opens, shakes hands and attaches the queues. */
  static ready(options: BenchOptions = {}): Bench {
    const bench = new Bench(options);
    bench.handlers.open({ localAddress: "", remoteAddress: "" });
    bench.handlers.data(HELLO.slice());
    bench.world.runFor(0);
    bench.calls.length = 0;
    bench.written.length = 0;
    return bench;
  }

  send(...bodies: (string | Uint8Array)[]): void {
    for (const body of bodies) {
      assert(this.queue.write(typeof body === "string" ? asciiBytes(body) : body), "there is room");
    }
  }

  /** Lets the callback end, and no more. */
  endCallback(): void {
    this.world.run(() => true);
  }

  get closed(): EngineEvent & { type: "closed" } | undefined {
    return this.events.find((event) => event.type === "closed");
  }

  #engineEvent(event: EngineEvent): void {
    this.events.push(event);
    if (event.type !== "ready") return;
    const inbound: Inbound = {
      run: (bytes, start, end, messages) => {
        assertEquals(messages >= 1, true);
        this.messages.push([bytes.slice(start, end)]);
        this.credit -= messages;
      },
      subscription: (topic, on) => void this.subscriptions.push(`${on ? "+" : "-"}${asciiText(topic)}`),
      message: (frames) => {
        this.messages.push(frames);
        this.credit--;
      },
      credit: 0,
      announce: () => {},
    };
    Object.defineProperty(inbound, "credit", { get: () => this.credit });
    this.queue.listener = this.driver;
    this.engine.attach(inbound, this.queue);
    this.driver.resumeDecoding();
    if (this.queue.hasSegments) this.driver.queued();
  }

  #transport({ gather }: BenchOptions): Transport {
    const write = (chunks: readonly Uint8Array[], name: string): boolean => {
      this.written.push(...chunks.map((chunk) => chunk.slice()));
      this.calls.push(`${name} ${chunks.map((chunk) => chunk.length).join("+")}`);
      this.onWrite?.();
      return this.answers.shift() ?? true;
    };
    return {
      write: (chunk) => write([chunk], "write"),
      ...(gather ? { writev: (chunks: readonly Uint8Array[]) => write(chunks, "writev") } : {}),
      setPaused: (paused) => {
        this.calls.push(paused ? "pause" : "resume");
        return this.canPause;
      },
      pull: () => {
        this.calls.push("pull");
        return this.onPull?.() ?? false;
      },
      close: (mode) => void this.calls.push(`close ${mode}`),
    };
  }
}

interface BenchOptions {
  readonly accepted?: boolean;
  readonly gather?: boolean;
  readonly sendMark?: number;
  readonly heartbeatMs?: number;
  readonly limits?: Partial<Limits>;
}

function frames(...bodies: string[]): Uint8Array {
  return concat(bodies.map((body) => encodeFrame(0, asciiBytes(body))));
}

test("the greeting leaves when the stream opens, unasked, and READY when the peer's greeting is there", () => {
  const bench = new Bench();
  bench.handlers.open({ localAddress: "", remoteAddress: "" });
  assertEquals(bench.calls, ["opened", "write 64"]);
  bench.handlers.data(GREETING.slice());
  assertEquals(bench.calls.slice(2), [`write ${READY.length}`]);
});

test("of an accepted stream the greeting leaves with READY, in one write, if the peer speaks at once", () => {
  const bench = new Bench({ accepted: true });
  bench.handlers.open({ localAddress: "", remoteAddress: "" });
  assertEquals(bench.calls, ["opened"]);
  bench.handlers.data(HELLO.slice());
  assertEquals(bench.calls.slice(1), [`write ${HELLO.length}`]);
  assertEquals(asciiText(bench.written[0]!), asciiText(HELLO));
});

test("of an accepted stream the greeting leaves after two turns, or with the first byte, at the latest", () => {
  const silent = new Bench({ accepted: true });
  silent.handlers.open({ localAddress: "", remoteAddress: "" });
  assertEquals(silent.calls, ["opened"]);
  silent.world.runFor(0);
  assertEquals(silent.calls, ["opened", "write 64"]);
  silent.handlers.data(HELLO.slice());
  assertEquals(silent.calls.slice(2), [`write ${READY.length}`]);
  const slow = new Bench({ accepted: true });
  slow.handlers.open({ localAddress: "", remoteAddress: "" });
  // As libzmq does: it waits for our signature before it sends the rest.
  slow.handlers.data(HELLO.slice(0, 10));
  assertEquals(slow.calls, ["opened", "write 64"]);
  slow.world.runFor(0);
  slow.handlers.data(HELLO.slice(10));
  assertEquals(slow.calls.slice(2), [`write ${READY.length}`]);
});

test("an accepted stream that closes or breaks while the greeting waits gets none", () => {
  for (const close of [true, false]) {
    const bench = new Bench({ accepted: true });
    bench.handlers.open({ localAddress: "", remoteAddress: "" });
    if (close) bench.driver.close("abort");
    else bench.handlers.close();
    bench.world.runFor(0);
    assertEquals(bench.calls.filter((call) => call.startsWith("write")), []);
  }
});

test("a lone message leaves at the end of the callback in which it was sent", () => {
  const bench = Bench.ready();
  bench.send("one");
  assertEquals(bench.calls, [], "not inside the call");
  bench.endCallback();
  assertEquals(bench.written, [frames("one")]);
});

test("messages of one callback leave in one write", () => {
  const bench = Bench.ready();
  bench.send("one", "two", "three");
  bench.endCallback();
  assertEquals(bench.written, [frames("one", "two", "three")]);
});

test("on a hot connection messages gather until the turn ends", () => {
  const bench = Bench.ready();
  bench.send("first");
  bench.endCallback();
  for (let i = 0; i < 50; i++) {
    bench.send("more");
    bench.endCallback();
  }
  assertEquals(bench.written.length, 1, "nothing more in this turn");
  bench.world.runFor(1);
  assertEquals(bench.written.slice(1), [frames(...Array.from({ length: 50 }, () => "more"))]);
});

test("a connection that was hot in one turn is idle in the next", () => {
  const bench = Bench.ready();
  for (let turn = 0; turn < 3; turn++) {
    bench.send("lone");
    bench.endCallback();
    assertEquals(bench.written.length, turn + 1, "written at the end of the callback");
    bench.world.runFor(1);
  }
});

test("a full segment is written inline, without waiting for the callback's or the turn's end", () => {
  const bench = Bench.ready();
  const body = new Uint8Array(10_000);
  for (let i = 0; i < 6; i++) bench.send(body);
  assertEquals(bench.written.length, 0);
  bench.send(body);
  assertEquals(bench.written.length, 1);
  assertEquals(bench.written[0]!.length, 6 * 10_009);
});

test("a queue at its mark is written inline, so that a fast transport never makes anybody wait", () => {
  const bench = Bench.ready({ sendMark: 3 });
  for (let i = 0; i < 10; i++) bench.send("message");
  assertEquals([bench.written.length, bench.writable], [3, 0]);
});

test("while a write is in flight nothing is written, whatever happens; its drain writes all that is queued", () => {
  const bench = Bench.ready();
  bench.answers.push(false);
  bench.send("lent");
  bench.endCallback();
  assertEquals(bench.written.length, 1);
  bench.send("queued", new Uint8Array(60_000), new Uint8Array(60_000));
  bench.driver.writeNow();
  bench.driver.queued();
  bench.handlers.data(encodeCommandFrame(encodePing(0, asciiBytes("p"))));
  bench.driver.subscribe(asciiBytes("topic"), true);
  bench.driver.resumeDecoding();
  bench.endCallback();
  bench.world.runFor(1);
  assertEquals(bench.written.length, 1, "one write in flight");
  bench.handlers.drain();
  const rest = concat(bench.written.slice(1));
  // The PONG and the subscription go ahead of messages.
  assertEquals(new TextDecoder().decode(rest.slice(2, 8)), "\x04PONGp");
  assert(rest.length > 120_000, "everything was written");
  assertEquals(bench.queue.messages, 0);
});

test("a drain that is followed by another loan stops again, and nothing is lost in between", () => {
  const bench = Bench.ready();
  const sent: string[] = [];
  bench.answers.push(false, false, false, false);
  bench.send("0");
  sent.push("0");
  bench.endCallback();
  for (let round = 1; round <= 4; round++) {
    bench.send(`${round}`);
    sent.push(`${round}`);
    bench.world.runFor(0);
    bench.handlers.drain();
    assertEquals(bench.written.length, round + 1);
  }
  assertEquals(concat(bench.written), frames(...sent));
});

test("a drain in the turn of its write lets what is queued gather until the turn ends", () => {
  const bench = Bench.ready();
  bench.answers.push(false, false);
  bench.send("0");
  bench.endCallback();
  bench.send("1");
  bench.handlers.drain();
  bench.send("2");
  bench.endCallback();
  assertEquals(bench.written.length, 1);
  bench.world.runFor(0);
  assertEquals(concat(bench.written), frames("0", "1", "2"));
  assertEquals(bench.written.length, 2);
});

test("a drain in the turn of its write is followed by a write where a segment is full or a message was refused", () => {
  const full = Bench.ready();
  full.answers.push(false);
  full.send("0");
  full.endCallback();
  for (let i = 0; i < 8; i++) full.send(new Uint8Array(12_000));
  full.handlers.drain();
  assert(full.written.length > 1, "a whole segment");
  const refused = Bench.ready({ sendMark: 2 });
  refused.answers.push(false);
  refused.send("0");
  refused.endCallback();
  refused.send("1");
  assert(!refused.queue.write(new Uint8Array(1)));
  refused.handlers.drain();
  assertEquals(concat(refused.written), frames("0", "1"));
});

test("a gather write goes to writev as it is, and chunk by chunk where there is none", () => {
  const large = new Uint8Array(20_000).fill(1);
  for (const gather of [true, false]) {
    const bench = Bench.ready({ gather });
    bench.send("a", large, "b");
    bench.endCallback();
    const expected = concat([frames("a"), encodeFrame(0, large), frames("b")]);
    assertEquals(concat(bench.written), expected);
    assertEquals(bench.calls, gather ? ["writev 12+20000+3"] : ["write 12", "write 20000", "write 3"]);
  }
});

test("of a gather write without writev each chunk may be lent; the segment is free after the last", () => {
  const bench = Bench.ready();
  bench.answers.push(false, false, false);
  bench.send("a", new Uint8Array(20_000), "b");
  bench.endCallback();
  for (let lent = 1; lent <= 3; lent++) {
    assertEquals([bench.written.length, bench.queue.messages], [lent, 3]);
    bench.handlers.drain();
  }
  assertEquals(bench.queue.messages, 0);
});

test("whatever a transport reports from inside a write waits until the write has returned", () => {
  const reports: readonly ((bench: Bench) => void)[] = [
    (bench) => bench.handlers.data(frames("from inside")),
    (bench) => bench.handlers.end(),
    (bench) => bench.handlers.close(new Error("broken inside")),
    (bench) => {
      bench.handlers.data(frames("from inside"));
      bench.handlers.end();
      bench.handlers.close();
    },
  ];
  for (const report of reports) {
    for (const taken of [true, false]) {
      for (const inline of [true, false]) {
        const bench = Bench.ready({ sendMark: inline ? 1 : 1_000 });
        bench.answers.push(taken);
        bench.onWrite = () => {
          bench.onWrite = undefined;
          report(bench);
          assertEquals([bench.messages.length, bench.closed, bench.gone], [0, undefined, undefined]);
        };
        bench.send("one");
        if (inline) bench.queue.write(asciiBytes("two"));
        assertEquals(bench.gone, undefined, "a sender never meets it inside its own call");
        bench.world.runFor(0);
        const seen = bench.messages.length + (bench.closed === undefined ? 0 : 1);
        assert(seen > 0, `nobody dealt with it (${taken}, ${inline})`);
      }
    }
  }
});

test("nothing is written behind a close that was told from inside a write", () => {
  const large = new Uint8Array(20_000);
  for (const gather of [true, false]) {
    const bench = Bench.ready({ gather });
    bench.onWrite = () => {
      bench.onWrite = undefined;
      bench.handlers.close();
    };
    bench.send("a", large, "b", new Uint8Array(60_000), "c");
    bench.endCallback();
    bench.world.runFor(1);
    assertEquals(bench.calls.length, 1, bench.calls.join());
    assert(bench.gone !== undefined);
  }
});

test("data that arrive inside setPaused and pull are received in order", () => {
  const bench = Bench.ready({ limits: { pendingBytesMax: 1 } });
  bench.credit = 1;
  bench.handlers.data(frames("1", "2"));
  assertEquals(bench.calls, ["pause"]);
  bench.credit = 3;
  bench.onPull = () => {
    bench.handlers.data(frames("3"));
    return true;
  };
  bench.driver.resumeDecoding();
  assertEquals(bench.messages.map(([run]) => new TextDecoder().decode(run!.slice(2))), ["1", "2", "3"]);
  assertEquals(bench.calls.at(-1), "resume");
});

test("what arrived inside a write is received before what a pull brings after it", () => {
  const bench = Bench.ready({ sendMark: 1 });
  bench.credit = 0;
  bench.handlers.data(frames("1"));
  bench.onWrite = () => {
    bench.onWrite = undefined;
    bench.handlers.data(frames("2").slice(0, 2));
  };
  bench.onPull = () => {
    bench.handlers.data(frames("2").slice(2));
    return true;
  };
  bench.send("one");
  bench.queue.write(asciiBytes("two"));
  bench.credit = 9;
  bench.driver.resumeDecoding();
  bench.world.runFor(0);
  assertEquals(bench.closed, undefined);
  const texts = bench.messages.map((message) => new TextDecoder().decode(message[0]!).slice(-1));
  assertEquals(texts, ["1", "2"]);
});

test("a pull stops at the pending bound: the transport is told from inside it", () => {
  const bench = Bench.ready({ limits: { pendingBytesMax: 10_000 } });
  bench.credit = 0;
  bench.handlers.data(encodeFrame(0, new Uint8Array(9_000)));
  assertEquals(bench.calls, []);
  bench.credit = 1;
  bench.onPull = () => {
    for (let chunks = 0; chunks < 10 && bench.calls.at(-1) !== "pause"; chunks++) {
      bench.handlers.data(encodeFrame(0, new Uint8Array(4_000)));
    }
    return true;
  };
  bench.driver.resumeDecoding();
  assertEquals(bench.calls, ["pull", "pause"]);
  assert(bench.engine.pendingBytes < 15_000, `${bench.engine.pendingBytes} bytes`);
});

test("at the pending bound the transport is paused, and resumed when there is room", () => {
  const bench = Bench.ready({ limits: { pendingBytesMax: 40_000 } });
  bench.credit = 0;
  bench.handlers.data(encodeFrame(0, new Uint8Array(30_000)));
  assertEquals(bench.calls, []);
  bench.handlers.data(encodeFrame(0, new Uint8Array(30_000)));
  assertEquals(bench.calls, ["pause"]);
  // What still comes after the pause is kept as well.
  bench.handlers.data(encodeFrame(0, new Uint8Array(30_000)));
  bench.credit = 10;
  bench.driver.resumeDecoding();
  assertEquals(bench.messages.length, 3);
  assertEquals(bench.calls.filter((call) => call !== "pull"), ["pause", "resume"]);
});

test("a transport that cannot pause is closed by name when it runs past the bound and the grace", () => {
  const bench = Bench.ready({ limits: { pendingBytesMax: 10_000, unpausableBytesMax: 10_000 } });
  bench.canPause = false;
  bench.credit = 0;
  for (let i = 0; i < 6 && bench.closed === undefined; i++) {
    bench.handlers.data(encodeFrame(0, new Uint8Array(5_000)));
  }
  const reason = bench.closed!.reason;
  assertEquals(reason.kind === "peer" && reason.error.code, "ERR_PEER_PENDING");
  assertEquals(bench.engine.pendingBytes, 0, "its memory is given back");
});

test("a close lets what is queued leave, and then ends the stream in order", () => {
  const bench = Bench.ready();
  bench.send("last");
  bench.driver.close("flush");
  assertEquals(bench.calls, ["write 6", "close flush"]);
  bench.handlers.close();
  assert(bench.gone !== undefined);
});

test("a close waits for what is lent, but not for ever", () => {
  const bench = Bench.ready();
  bench.answers.push(false);
  bench.send("lent");
  bench.endCallback();
  bench.driver.close("flush");
  bench.world.runFor(900);
  assertEquals(bench.calls.at(-1), "write 6", "there is still hope");
  bench.world.runFor(1_000);
  assertEquals(bench.calls.at(-1), "close abort");
  assertEquals(bench.queue.messages, 1, "the memory is lent until the transport says it is closed");
  bench.handlers.close();
  assertEquals(bench.queue.messages, 0);
  assert(bench.gone !== undefined);
});

test("a stream that does not end in order is cut", () => {
  const bench = Bench.ready();
  bench.driver.close("flush");
  bench.world.runIdle();
  assertEquals(bench.calls, ["close flush", "close abort"]);
});

test("a close before the stream is open cuts it, and nothing is written", () => {
  for (const mode of ["flush", "abort"] as const) {
    const bench = new Bench();
    bench.driver.close(mode);
    assertEquals(bench.calls, ["close abort"]);
    bench.handlers.close();
    assert(bench.gone !== undefined);
  }
});

test("an abort may follow a flush, once", () => {
  const bench = Bench.ready();
  bench.driver.close("flush");
  bench.driver.close("abort");
  bench.driver.close("abort");
  bench.driver.close("flush");
  assertEquals(bench.calls, ["close flush", "close abort"]);
});

test("nothing is written after the transport was told to close", () => {
  const bench = Bench.ready();
  bench.driver.close("flush");
  bench.handlers.data(encodeCommandFrame(encodePing(0)));
  bench.handlers.data(frames("late"));
  bench.driver.subscribe(asciiBytes("late"), true);
  bench.queue.write(asciiBytes("late"));
  bench.driver.queued();
  bench.driver.writeNow();
  bench.driver.resumeDecoding();
  bench.world.runIdle();
  assertEquals(bench.calls.filter((call) => call.startsWith("write")), []);
});

test("a stream that breaks gives up what was lent, and keeps the rest for the next connection", () => {
  const bench = Bench.ready();
  bench.answers.push(false);
  bench.send("lost");
  bench.endCallback();
  bench.send("kept", "kept too");
  bench.handlers.close(new Error("broken"));
  assertEquals(bench.queue.messages, 2);
  assertEquals(concat(bench.queue.take()!.chunks()), frames("kept", "kept too"));
  assertEquals(bench.closed?.reason.kind, "transport");
});

test("a body that was resized before it was written closes the connection by name, even where nothing else happens", () => {
  for (const inline of [true, false]) {
    const bench = Bench.ready({ sendMark: inline ? 1 : 1_000 });
    const body = new Uint8Array(20_000);
    bench.send(body);
    structuredClone(body, { transfer: [body.buffer] });
    assertEquals(body.length, 0, "given away to somebody else");
    if (inline) bench.queue.write(asciiBytes("next"));
    bench.world.runIdle();
    const reason = bench.closed!.reason;
    assertEquals(reason.kind === "peer" && reason.error.code, "ERR_PEER_BODY_CHANGED");
    assertEquals(bench.written, [], "not even its header was written");
    assertEquals(bench.calls.at(-1), "close abort");
  }
});

test("a deadline that moved away needs no new timer, and is met", () => {
  const bench = Bench.ready({ heartbeatMs: 1_000 });
  const fired: number[] = [];
  for (let ms = 0; ms < 10_000; ms += 500) {
    bench.world.runFor(500);
    bench.handlers.data(frames("alive"));
    fired.push(bench.written.length);
  }
  assertEquals(bench.closed, undefined);
  assertEquals(bench.written.length, 10, "one PING a second");
  bench.world.runFor(1_900);
  assertEquals(bench.closed, undefined, "the last PING may still be answered");
  bench.world.runFor(400);
  const reason = bench.closed!.reason;
  assertEquals(reason.kind === "peer" && reason.error.code, "ERR_PEER_HEARTBEAT_TIMEOUT");
});

test("a timer that fires early is set again for at least a millisecond", () => {
  const bench = new Bench();
  const delays: number[] = [];
  const { host } = bench.world;
  const schedule = host.schedule.bind(host);
  host.schedule = (delayMs, run, referenced) => {
    delays.push(delayMs);
    // As a host that counts whole milliseconds may do: it fires a trifle before its time.
    return schedule(Math.max(0, delayMs - 0.75), run, referenced);
  };
  bench.handlers.open({ localAddress: "", remoteAddress: "" });
  bench.world.runFor(40_000);
  const reason = bench.closed!.reason;
  assertEquals(reason.kind === "peer" && reason.error.code, "ERR_PEER_HANDSHAKE_TIMEOUT");
  // The handshake's end, its moment of grace, the end of an orderly close.
  assert(delays.length <= 3 * 4, `set ${delays.length} times`);
  for (const delay of delays) assert(delay === 0 || delay >= 1, `${delay} ms`);
});

test("who is refused for its greeting is still told ours", () => {
  const bench = new Bench();
  bench.handlers.open({ localAddress: "", remoteAddress: "" });
  bench.handlers.data(encodeGreeting({ mechanism: "CURVE", asServer: false }));
  assertEquals(bench.calls, ["opened", "write 64", "close flush"]);
  const reason = bench.closed!.reason;
  assertEquals(reason.kind === "peer" && reason.error.code, "ERR_PEER_MECHANISM");
});

test("the peer's end ends the connection in order, and what was complete has been delivered", () => {
  const bench = Bench.ready();
  bench.credit = 1;
  bench.handlers.data(concat([frames("1", "2", "3"), Uint8Array.of(0, 9, 1)]));
  assertEquals(bench.messages.length, 1);
  bench.handlers.end();
  assertEquals(bench.messages.length, 2, "one run with the two that waited; the half one vanished");
  assertEquals(bench.closed?.reason.kind, "remote");
  assertEquals(bench.calls.at(-1), "close flush");
});

test("a subscription that arrives inside a write of the same connection is told after it", () => {
  const bench = Bench.ready();
  bench.onWrite = () => {
    bench.onWrite = undefined;
    bench.handlers.data(encodeCommandFrame(encodeSubscribe(asciiBytes("t"))));
    assertEquals(bench.subscriptions, []);
  };
  bench.send("one");
  bench.endCallback();
  assertEquals(bench.subscriptions, ["+t"]);
});
