import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { TRANSPORT_RULES, type TransportRule } from "../../src/engine/transport_rules.ts";
import { PeerError } from "../../src/errors.ts";
import type { Dial, Transport, TransportFactory, TransportHandlers } from "../../src/ports.ts";
import type { SocketEvent } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Pull, Push } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { errorOf } from "../support/event_fields.ts";

// What the authors of transports do wrong: each mistake is named, costs its own stream, and nothing else.

const MESSAGES = 40;
const INFO = { localAddress: "sim://here", remoteAddress: "sim://there" };

/** How the first stream differs from a good one. */
type Fault = (dial: Dial, world: World) => Dial;
type Handlers = TransportHandlers;
/** Whatever somebody without types may pass. */
// deno-lint-ignore no-explicit-any
type Anything = any;

/** Changes what the transport reports, and what it is asked. */
function changed(
  parts: {
    readonly handlers?: (handlers: Handlers, world: World) => Partial<Handlers>;
    readonly transport?: (transport: Transport, handlers: Handlers, world: World) => Partial<Transport>;
  },
): Fault {
  return (dial, world) => (handlers) => {
    const transport = dial({ ...handlers, ...parts.handlers?.(handlers, world) });
    return { ...transport, ...parts.transport?.(transport, handlers, world) };
  };
}

/** Runs once the stream is open, in an event of its own. */
function onceOpen(run: (handlers: Handlers) => void): Fault {
  return changed({
    handlers: (handlers, world) => ({
      open: (info) => {
        handlers.open(info);
        world.host.schedule(0, () => run(handlers), true);
      },
    }),
  });
}

/** The nth write, from 0, does something else. */
function onWrite(
  nth: number,
  write: (transport: Transport, handlers: Handlers, world: World) => Anything,
): Fault {
  return changed({
    transport: (transport, handlers, world) => {
      let writes = 0;
      const wrap = (plain: (chunks: Anything) => boolean) => (chunks: Anything): boolean =>
        writes++ === nth ? write(transport, handlers, world) : plain(chunks);
      const { writev } = transport;
      return {
        write: wrap((chunk) => transport.write(chunk)),
        ...(writev === undefined ? {} : { writev: wrap((chunks) => writev.call(transport, chunks)) }),
      };
    },
  });
}

const fail = (): never => {
  throw new Error("a mistake in the transport");
};

interface Mistake {
  readonly name: string;
  readonly fault: Fault;
  /** `undefined`: nothing can be named but what follows from it. */
  readonly rule: TransportRule | undefined;
  /** How many messages the receiver takes before it stops. 0: all. */
  readonly receiveMark?: number;
  readonly frameBytes?: number;
}

const dataOf = (chunk: Anything): Fault => onceOpen((handlers) => handlers.data(chunk));
const early = (run: (handlers: Handlers) => void): Fault => (dial, world) => (handlers) => {
  world.host.schedule(0, () => run(handlers), true);
  return dial({ ...handlers, open: (info) => void world.host.schedule(5, () => handlers.open(info), true) });
};
const insideDial = (run: (handlers: Handlers) => void): Fault => (dial) => (handlers) => {
  run(handlers);
  return dial(handlers);
};

/** Mistakes that show in the handshake already, on either side. */
const HANDSHAKE: readonly Mistake[] = [
  { name: "the first write throws", rule: "writeThrows", fault: onWrite(0, fail) },
  { name: "the second write throws", rule: "writeThrows", fault: onWrite(1, fail) },
  { name: "write returns nothing", rule: "writeAnswers", fault: onWrite(0, () => undefined) },
  { name: "write is async", rule: "writeAnswers", fault: onWrite(0, () => Promise.resolve(true)) },
  {
    name: "write is async and fails",
    rule: "writeAnswers",
    fault: onWrite(0, () => Promise.reject(new Error())),
  },
  { name: "drain without a loan", rule: "drainLent", fault: onceOpen((handlers) => handlers.drain()) },
  {
    name: "drain after a write that returned true",
    rule: "drainLent",
    fault: onWrite(0, (_transport, handlers, world) => {
      world.host.microtask(() => handlers.drain());
      return true;
    }),
  },
  { name: "open twice", rule: "openOnce", fault: onceOpen((handlers) => handlers.open(INFO)) },
  { name: "open inside dial", rule: "dialQuiet", fault: insideDial((handlers) => handlers.open(INFO)) },
  {
    name: "data inside dial",
    rule: "dialQuiet",
    fault: insideDial((handlers) => handlers.data(new Uint8Array(1))),
  },
  { name: "close inside dial", rule: "dialQuiet", fault: insideDial((handlers) => handlers.close()) },
  {
    name: "open without addresses",
    rule: "openInfo",
    fault: changed({ handlers: (handlers) => ({ open: () => (handlers.open as Anything)() }) }),
  },
  {
    name: "open with an object that tells nothing",
    rule: "openInfo",
    fault: changed({ handlers: (handlers) => ({ open: () => handlers.open({} as Anything) }) }),
  },
  {
    name: "data before open",
    rule: "openFirst",
    fault: early((handlers) => handlers.data(new Uint8Array(1))),
  },
  { name: "drain before open", rule: "openFirst", fault: early((handlers) => handlers.drain()) },
  { name: "end before open", rule: "openFirst", fault: early((handlers) => handlers.end()) },
  {
    name: "an async dial",
    rule: "dialReturns",
    fault: (dial) => ((handlers: Handlers) => Promise.resolve(dial(handlers))) as Anything,
  },
  {
    name: "an async dial that fails",
    rule: "dialReturns",
    fault: () => (() => Promise.reject(new Error())) as Anything,
  },
  { name: "a dial that returns nothing", rule: "dialReturns", fault: () => (() => undefined) as Anything },
  {
    name: "a dial that returns half a transport",
    rule: "dialReturns",
    fault: () => (() => ({ write: () => true })) as Anything,
  },
  {
    name: "a dial that returns what throws when it is looked at",
    rule: "dialReturns",
    fault: () => (() => Object.defineProperty({}, "write", { get: fail })) as Anything,
  },
  {
    name: "a promise in place of a dial",
    rule: "dialReturns",
    fault: () => Promise.reject(new Error()) as Anything,
  },
  { name: "data with a string", rule: "dataBytes", fault: dataOf("text") },
  { name: "data with an ArrayBuffer", rule: "dataBytes", fault: dataOf(new ArrayBuffer(9)) },
  { name: "data with a DataView", rule: "dataBytes", fault: dataOf(new DataView(new ArrayBuffer(9))) },
  { name: "data with other numbers than bytes", rule: "dataBytes", fault: dataOf(new Uint16Array(9)) },
  {
    name: "data inside a write, with memory that is given away",
    rule: "dataMemory",
    fault: onWrite(1, (_transport, handlers) => {
      const own = new Uint8Array(9);
      handlers.data(own);
      structuredClone(own, { transfer: [own.buffer] });
      return true;
    }),
  },
  { name: "data with nothing", rule: "dataBytes", fault: dataOf(undefined) },
  {
    name: "setReferenced throws",
    rule: "neverThrows",
    fault: changed({ transport: () => ({ setReferenced: fail }) }),
  },
  {
    name: "open twice, and close throws and is never followed by the event",
    rule: "openOnce",
    fault: (dial, world) =>
      changed({
        handlers: () => ({ close: () => {} }),
        transport: (transport) => ({
          close: (mode) => {
            transport.close(mode);
            fail();
          },
        }),
      })(onceOpen((handlers) => handlers.open(INFO))(dial, world), world),
  },
  { name: "never open", rule: undefined, fault: changed({ handlers: () => ({ open: () => {} }) }) },
  {
    name: "never drain",
    rule: undefined,
    fault: changed({ transport: () => ({ write: () => false }) }),
  },
  {
    name: "a dial that throws",
    rule: undefined,
    fault: () => fail,
  },
];

/** A context whose first stream on one side has a fault. */
function contextWith(world: World, side: "dial" | "listen", fault: Fault): Context {
  let streams = 0;
  const once = (dial: Dial): Dial => streams++ === 0 ? fault(dial, world) : dial;
  const { network } = world;
  const sim: TransportFactory = {
    dial: (address, options) => {
      const dial = network.dial(address, options);
      // A factory's dial is used again for the next attempt.
      return side === "listen" ? dial : (handlers) => {
        const used = once(dial);
        return typeof used === "function" ? used(handlers) : used as Anything;
      };
    },
    listen: (address, options) => {
      const listen = network.listen(address, options);
      if (side === "dial") return listen;
      return (accept, failed) => listen((attach) => accept(once(attach)), failed);
    },
  };
  return new Context({ host: world.host, transports: { sim } });
}

function eventsOf(socket: Socket): SocketEvent[] {
  const events: SocketEvent[] = [];
  for (
    const type of [
      "connect:delay",
      "disconnect",
      "handshake:error:other",
      "handshake:error:protocol",
      "handshake:error:auth",
    ] as const
  ) socket.events.on(type, (event) => events.push(event));
  return events;
}

function assertNamed(events: readonly SocketEvent[], rule: TransportRule | undefined): void {
  const first = events[0]!;
  const error = errorOf(first);
  if (rule === undefined) return assert(error !== undefined, "an event tells of it");
  assert(error instanceof PeerError, `${first.type}: ${error}`);
  assertEquals(error.code, "ERR_TRANSPORT");
  assertStringIncludes(error.message, TRANSPORT_RULES[rule]);
  assert(first.type !== "handshake:error:protocol", "the peer did nothing wrong");
}

async function assertEnds(world: World, context: Context, ...sockets: Socket[]): Promise<void> {
  await world.driveTo(Promise.all(sockets.map((socket) => socket[Symbol.asyncDispose]())));
  await world.driveIdle();
  const { pendingTotal, queuedTotal, receivedTotal } = context.runtime;
  assertEquals([pendingTotal.bytes, queuedTotal.bytes, queuedTotal.queues], [0, 0, 0]);
  assertEquals([receivedTotal.bytes, receivedTotal.queues], [0, 0]);
  assertEquals(world.keptAlive, false, "something still keeps the process alive");
  world.assertNoViolations();
}

/** Plays one mistake: everything arrives once and in order over the streams that follow. */
async function play(side: "dial" | "listen", { fault, rule }: Mistake, large = false): Promise<void> {
  // What was handed over before the stream is cut arrives: then all must.
  const world = new World(1, { link: { cutKeepsFlightChance: 1, latencyMsMax: 1, canGather: large } });
  const context = contextWith(world, side, fault);
  const pull = new Pull({ context, handshakeInterval: 2_000 });
  const push = new Push({ context, handshakeInterval: 2_000, reconnectInterval: 10, linger: 0 });
  const events = eventsOf(side === "dial" ? push : pull);
  await world.driveTo(pull.bind("sim://work"));
  push.connect("sim://work");
  const frame = (i: number): Uint8Array => new Uint8Array(large ? 20_000 : 10).fill(i);
  for (let i = 0; i < MESSAGES; i++) push.send(frame(i)).catch(() => {});
  const got: number[] = [];
  await world.drive(() => {
    for (let message = pull.tryReceive(); message !== undefined; message = pull.tryReceive()) {
      got.push(message[0]![0]!);
    }
    return got.length >= MESSAGES && events.length > 0;
  });
  await world.driveFor(200);
  assertEquals(got, Array.from({ length: MESSAGES }, (_, i) => i));
  assertNamed(events, rule);
  assertEquals(events.length, 1, "told once");
  await assertEnds(world, context, pull, push);
}

for (const mistake of HANDSHAKE) {
  test(`a dialled stream with a mistake is named and cut, and all messages arrive: ${mistake.name}`, async () => {
    await play("dial", mistake);
  });
  test(`an accepted stream with a mistake is named and cut, and the listener goes on: ${mistake.name}`, async () => {
    await play("listen", mistake);
  });
}

for (const [nth, large] of [[2, false], [2, true], [3, true]] as const) {
  test(`what a write refused by throwing is sent once, over the next stream: write ${nth}, ${large ? "large" : "small"}`, async () => {
    await play("dial", { name: "", rule: "writeThrows", fault: onWrite(nth, fail) }, large);
  });
}

test("without a gather write a throw in the middle of a batch loses and doubles nothing", async () => {
  for (let nth = 2; nth < 12; nth++) {
    const world = new World(nth, { link: { cutKeepsFlightChance: 1, lendChance: 0.5, bufferBytes: 1e9 } });
    const context = contextWith(world, "dial", onWrite(nth, fail));
    const pull = new Pull({ context });
    // With heartbeats, large batches are handed over in parts as well.
    const push = new Push({
      context,
      reconnectInterval: 10,
      linger: 0,
      ...(nth % 2 ? {} : { heartbeatInterval: 5_000 }),
    });
    const events = eventsOf(push);
    await world.driveTo(pull.bind("sim://work"));
    push.connect("sim://work");
    const sizes = [10, 20_000, 10, 300_000, 10, 10, 20_000, 700_000, 10, 16_384];
    for (const size of sizes) push.send([new Uint8Array(3), new Uint8Array(size)]).catch(() => {});
    const got: number[] = [];
    await world.drive(() => {
      for (let message = pull.tryReceive(); message !== undefined; message = pull.tryReceive()) {
        got.push(message[1]!.length);
      }
      return got.length >= sizes.length;
    });
    await world.driveFor(200);
    assertEquals(got, sizes);
    assertNamed(events, "writeThrows");
    await assertEnds(world, context, pull, push);
  }
});

/**
 * Mistakes of the receiving side: the messages of the first stream may be lost, those of the next are not.
 */
const RECEIVING: readonly Mistake[] = [
  {
    name: "setPaused throws",
    rule: "neverThrows",
    fault: changed({ transport: () => ({ setPaused: fail }) }),
  },
  {
    name: "setPaused returns nothing",
    rule: "pauseAnswers",
    fault: changed({ transport: () => ({ setPaused: (() => {}) as Anything }) }),
  },
  {
    name: "setPaused is async",
    rule: "pauseAnswers",
    fault: changed({ transport: () => ({ setPaused: (() => Promise.reject(new Error())) as Anything }) }),
  },
  { name: "pull throws", rule: "neverThrows", fault: changed({ transport: () => ({ pull: fail }) }) },
  {
    name: "the memory of a chunk is used again",
    rule: "dataMemory",
    receiveMark: 0,
    fault: changed({
      handlers: (handlers) => ({
        data: (chunk) => {
          handlers.data(chunk);
          // The handshake is read at once; of messages views are made when they are taken.
          if (chunk.length > 100) chunk.fill(0xff);
        },
      }),
    }),
  },
  ...[true, false].map((givesAway): Mistake => ({
    name: givesAway
      ? "a body's memory is given away"
      : "what is read into bodyMemory does not start at its beginning",
    rule: givesAway ? "dataMemory" : "bodyMemory",
    receiveMark: 0,
    frameBytes: 40_000,
    fault: changed({
      handlers: (handlers) => ({
        data: (chunk) => {
          for (let at = 0; at < chunk.length; at += 10_000) {
            const part = chunk.slice(at, at + 10_000);
            const place = handlers.bodyMemory?.();
            if (place === undefined || place.length <= part.length) {
              handlers.data(part);
            } else if (givesAway) {
              handlers.data(part);
              structuredClone(0, { transfer: [place.buffer as ArrayBuffer] });
            } else {
              place.set(part, 1);
              handlers.data(place.subarray(1, 1 + part.length));
            }
          }
        },
      }),
    }),
  })),
  ...[0, 2].map((receiveMark): Mistake => ({
    name: `the memory of a chunk is given away, and the receiver ${
      receiveMark === 0 ? "takes all" : "is full"
    }`,
    rule: "dataMemory",
    receiveMark,
    fault: changed({
      handlers: (handlers) => ({
        data: (chunk) => {
          const own = chunk.slice();
          handlers.data(own);
          if (own.length > 100) structuredClone(own, { transfer: [own.buffer] });
        },
      }),
    }),
  })),
];

for (const { name, fault, rule, receiveMark = 2, frameBytes = 200 } of RECEIVING) {
  test(`a receiver whose transport makes a mistake names it, and goes on with the next stream: ${name}`, async () => {
    const world = new World(1, { link: { latencyMsMax: 1, canPull: true } });
    const context = contextWith(world, "dial", fault);
    const push = new Push({ context, linger: 0 });
    const pull = new Pull({
      context,
      receiveHighWaterMark: receiveMark,
      pendingBytesMax: 1,
      reconnectInterval: 10,
    });
    const events = eventsOf(pull);
    await world.driveTo(push.bind("sim://work"));
    pull.connect("sim://work");
    const frame = new Uint8Array(frameBytes);
    for (let i = 0; i < MESSAGES; i++) push.send(frame).catch(() => {});
    let [got, sent] = [0, MESSAGES];
    const receive = (): void => {
      // Whatever became of their memory, messages are read, or lost, and nothing is thrown.
      for (let message = pull.tryReceive(); message !== undefined; message = pull.tryReceive()) got++;
    };
    await world.drive(() => {
      receive();
      return events.length > 0;
    });
    assertNamed(events, rule);
    await world.driveTo(pull.ready());
    receive();
    const before = got;
    for (let i = 0; i < MESSAGES; i++, sent++) push.send(frame).catch(() => {});
    await world.drive(() => {
      receive();
      return got >= before + MESSAGES;
    });
    assert(got <= sent);
    assertEquals(events.length, 1);
    await assertEnds(world, context, pull, push);
  });
}

test("messages whose memory was used again after their stream was lost are dropped, and that is told", async () => {
  const world = new World(1);
  const chunks: Uint8Array[] = [];
  const context = contextWith(
    world,
    "dial",
    changed({
      handlers: (handlers) => ({
        data: (chunk) => {
          chunks.push(chunk);
          handlers.data(chunk);
        },
      }),
    }),
  );
  const push = new Push({ context, linger: 0 });
  const pull = new Pull({ context, reconnectInterval: 10 });
  let dropped = 0;
  pull.events.on("drop", ({ count }) => void (dropped += count ?? 0));
  const lost = eventsOf(pull);
  await world.driveTo(push.bind("sim://work"));
  pull.connect("sim://work");
  for (let i = 0; i < MESSAGES; i++) push.send("old").catch(() => {});
  await world.driveTo(pull.ready());
  await world.driveFor(10);
  world.links[0]!.cut();
  await world.drive(() => lost.length > 0);
  await world.driveTo(pull.ready());
  for (const chunk of chunks) chunk.fill(0xff);
  push.send("new").catch(() => {});
  const message = await world.driveTo(pull.receive());
  assertEquals(new TextDecoder().decode(message[0]!), "new");
  await world.drive(() => dropped > 0);
  assertEquals(dropped, MESSAGES);
  assertEquals(lost.length, 1, "the next stream is not to blame");
  await assertEnds(world, context, pull, push);
});

test("whatever a transport calls after its close changes nothing", async () => {
  const world = new World(1);
  const late: (() => void)[] = [];
  const context = contextWith(
    world,
    "dial",
    changed({
      handlers: (handlers) => {
        late.push(
          () => handlers.data(new Uint8Array(9)),
          () => handlers.data("text" as Anything),
          () => handlers.drain(),
          () => handlers.end(),
          () => handlers.open(INFO),
          () => handlers.close(new Error("again")),
        );
        return {};
      },
    }),
  );
  const pull = new Pull({ context });
  const push = new Push({ context, reconnectInterval: 10, linger: 0 });
  const events = eventsOf(push);
  await world.driveTo(pull.bind("sim://work"));
  push.connect("sim://work");
  await world.driveTo(push.ready());
  world.links[0]!.cut();
  await world.drive(() => events.length > 0);
  await world.driveTo(push.ready());
  for (const call of late) call();
  await world.driveFor(100);
  assertEquals(events.length, 1);
  push.send("still here").catch(() => {});
  assertEquals((await world.driveTo(pull.receive())).length, 1);
  await assertEnds(world, context, pull, push);
});

test("the core writes nothing and flushes nothing before open, whatever is queued and whoever closes", async () => {
  for (const linger of [0, 1_000]) {
    for (const closes of [true, false]) {
      const calls: string[] = [];
      const world = new World(1, { link: { latencyMsMax: 50 } });
      let isOpen = false;
      const context = contextWith(
        world,
        "dial",
        changed({
          handlers: (handlers) => ({
            open: (info) => {
              isOpen = true;
              handlers.open(info);
            },
          }),
          transport: (transport) => ({
            write: (chunk) => {
              if (!isOpen) calls.push("write");
              return transport.write(chunk);
            },
            close: (mode) => {
              if (!isOpen) calls.push(mode);
              transport.close(mode);
            },
          }),
        }),
      );
      const pull = new Pull({ context });
      const push = new Push({ context, linger, heartbeatInterval: 1, reconnectInterval: -1 });
      await world.driveTo(pull.bind("sim://work"));
      push.connect("sim://work");
      push.send(new Uint8Array(100_000)).catch(() => {});
      await world.driveFor(1);
      assert(!isOpen);
      if (closes) push.close();
      await world.driveFor(5_000);
      assertEquals(calls.filter((call) => call !== "abort"), []);
      await assertEnds(world, context, pull, push);
    }
  }
});

test("a stream that comes when its listener is closed is turned away, whatever its transport does wrong", async () => {
  const world = new World(1);
  let closes = 0;
  const transport: Transport = {
    write: () => true,
    setPaused: () => true,
    close: () => {
      closes++;
      throw new Error("a mistake in the transport");
    },
  };
  const attaches: Anything[] = [
    () => transport,
    fail,
    () => {
      throw Promise.reject(new Error("a mistake in the transport"));
    },
    () => Promise.resolve(transport),
    () => Promise.reject(new Error("a mistake in the transport")),
    () => ({ ...transport, close: () => Promise.reject(new Error("a mistake in the transport")) }),
    () => undefined,
    () => ({ write: 1 }),
    "no function",
  ];
  let accept: (attach: Dial) => void = () => {};
  const sim: TransportFactory = {
    dial: () => fail,
    listen: (address) => (accepted) => {
      accept = accepted;
      return Promise.resolve({ address, close: () => Promise.resolve() });
    },
  };
  const context = new Context({ host: world.host, transports: { sim } });
  const pull = new Pull({ context });
  await world.driveTo(pull.bind("sim://work"));
  pull.close();
  for (const attach of attaches) accept(attach);
  await world.settle();
  assertEquals(closes, 2, "each that there is, also one that is late");
  await assertEnds(world, context, pull);
});
