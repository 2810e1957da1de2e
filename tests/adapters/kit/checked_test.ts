import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { memoryTransport } from "../../../adapters/memory/mod.ts";
import { Context, MisuseError, type PeerError, Pull, Push } from "../../../mod.ts";
import { TRANSPORT_RULES } from "../../../src/engine/transport_rules.ts";
import type { Dial, Listen, Transport, TransportFactory, TransportHandlers } from "../../../src/ports.ts";
import { checkedTransport } from "../../../testing/checked_transport.ts";
import { turns } from "../../../testing/probe.ts";
import { transportSuite } from "../../../testing/transport_suite.ts";
import { DEVELOPMENT_RULES } from "../../../testing/rules.ts";

const RULES = { ...TRANSPORT_RULES, ...DEVELOPMENT_RULES };

// A transport that keeps the rules is not disturbed.
transportSuite(test, "checked memory", {
  factory: checkedTransport(memoryTransport({ capacityBytes: 20_000 }), {
    report: (error) => {
      throw error;
    },
  }),
  address: () => "memory://*",
});

/** The methods that a mistake replaces, given those of a sound transport. */
type Mistake = (sound: Transport, handlers: TransportHandlers) => Partial<Transport>;

/** A transport whose dialled streams make a mistake, the first of them only. */
function mistaken(
  mistake: Mistake,
  told: (handlers: TransportHandlers) => Partial<TransportHandlers> = () => ({}),
) {
  const sound = memoryTransport();
  let streams = 0;
  const factory: TransportFactory = {
    dial: (address, options): Dial => {
      const dial = sound.dial(address, options);
      return (handlers) => {
        if (streams++ > 0) return dial(handlers);
        const base: TransportHandlers = {
          open: (info) => handlers.open(info),
          data: (chunk) => handlers.data(chunk),
          drain: () => handlers.drain(),
          end: () => handlers.end(),
          close: (cause) => handlers.close(cause),
        };
        const transport = dial({ ...base, ...told(handlers) });
        return {
          write: (chunk) => transport.write(chunk),
          setPaused: (paused) => transport.setPaused(paused),
          close: (mode) => transport.close(mode),
          ...mistake(transport, handlers),
        };
      };
    },
    listen: (address, options): Listen => sound.listen(address, options),
  };
  return factory;
}

const none: Mistake = () => ({});

const MISTAKES: readonly (readonly [what: string, rule: string, factory: () => TransportFactory])[] = [
  ["drains what was taken", RULES.drainLent, () =>
    mistaken((sound, handlers) => ({
      write: (chunk) => {
        queueMicrotask(() => handlers.drain());
        return sound.write(chunk);
      },
    }))],
  [
    "opens twice",
    RULES.openOnce,
    () => mistaken(none, (handlers) => ({ open: (info) => (handlers.open(info), handlers.open(info)) })),
  ],
  [
    "opens while it is dialled",
    RULES.dialQuiet,
    () => mistaken((_sound, handlers) => (handlers.open({ localAddress: "a", remoteAddress: "b" }), {})),
  ],
  [
    "opens without addresses",
    RULES.openInfo,
    () => mistaken(none, (handlers) => ({ open: () => handlers.open(undefined as never) })),
  ],
  [
    "gives text to data",
    RULES.dataBytes,
    () => mistaken(none, (handlers) => ({ data: () => handlers.data("text" as never) })),
  ],
  [
    "gives a buffer to data",
    RULES.dataBytes,
    () => mistaken(none, (handlers) => ({ data: (chunk) => handlers.data(chunk.buffer as never) })),
  ],
  ["throws from write", RULES.writeThrows, () =>
    mistaken(() => ({
      write: () => {
        throw new Error("no room");
      },
    }))],
  [
    "returns nothing from write",
    RULES.writeAnswers,
    () => mistaken((sound) => ({ write: (chunk) => void sound.write(chunk) as never })),
  ],
  [
    "drains inside a write",
    RULES.drainAfterWrite,
    () =>
      mistaken((sound, handlers) => ({ write: (chunk) => (sound.write(chunk), handlers.drain(), false) })),
  ],
  ["gives the same memory to data again", RULES.dataMemory, () => {
    const buffer = new Uint8Array(65_536);
    return mistaken(none, (handlers) => ({
      data: (chunk) => {
        buffer.set(chunk);
        handlers.data(buffer.subarray(0, chunk.length));
        queueMicrotask(() => buffer.fill(0));
      },
    }));
  }],
  [
    "ends, and then delivers",
    RULES.dataBeforeEnd,
    () => mistaken(none, (handlers) => ({ data: (chunk) => (handlers.end(), handlers.data(chunk)) })),
  ],
];

for (const [what, rule, factory] of MISTAKES) {
  test(`a transport that ${what} is told which rule that breaks, and nothing is lost`, async () => {
    const reported: PeerError[] = [];
    const checked = checkedTransport(factory(), { report: (error) => void reported.push(error) });
    const context = new Context({ transports: { memory: checked } });
    const pull = new Pull({ context });
    const push = new Push({ context, reconnectInterval: 1 });
    await pull.bind("memory://here");
    push.connect("memory://here");
    for (let i = 0; i < 20; i++) await push.send(`${i}`);
    const received: string[] = [];
    while (received.at(-1) !== "19") received.push(new TextDecoder().decode((await pull.receive())[0]));
    // What a stream had taken when it was aborted may be lost with it, as on a network; nothing else is.
    assertEquals(received, Array.from({ length: 20 }, (_, i) => `${i}`).slice(-received.length));
    assertEquals(reported[0]?.code, "ERR_TRANSPORT");
    assertStringIncludes(reported[0]!.message, rule);
    context.close();
  });
}

test("without a report the error is thrown where the transport broke the rule", async () => {
  let thrown: unknown;
  const factory = mistaken(none, (handlers) => ({
    open: (info) => {
      handlers.open(info);
      try {
        handlers.open(info);
      } catch (error) {
        thrown = error;
      }
    },
  }));
  const checked = checkedTransport(factory);
  const ignore = (): void => {};
  await checked.listen("memory://here", {})(
    (attach) => attach({ open: ignore, data: ignore, drain: ignore, end: ignore, close: ignore }),
    ignore,
  );
  const cause = await new Promise((close) => {
    checked.dial("memory://here", {})({ open: ignore, data: ignore, drain: ignore, end: ignore, close });
  });
  assert(thrown instanceof Error);
  assertStringIncludes(thrown.message, RULES.openOnce);
  assertEquals(cause, thrown);
});

test("what never comes is reported: an open, a drain, a close", async () => {
  const silent: Transport = { write: () => false, setPaused: () => true, close: () => {} };
  const reported: string[] = [];
  const options = { patienceMs: 5, report: (error: PeerError) => void reported.push(error.message) };
  const ignore = (): void => {};
  const handlers = { open: ignore, data: ignore, drain: ignore, end: ignore, close: ignore };
  const wait = async (rule: string): Promise<void> => {
    while (!reported.some((message) => message.includes(rule))) await turns(1);
  };
  const dead: TransportFactory = { dial: () => () => silent, listen: () => () => Promise.reject() };
  checkedTransport(dead, options).dial("x://", {})(handlers);
  await wait(RULES.opensOrCloses);
  const stuck: TransportFactory = {
    dial: () => (handlers) => {
      queueMicrotask(() => handlers.open({ localAddress: "a", remoteAddress: "b" }));
      return silent;
    },
    listen: () => () => Promise.reject(),
  };
  const transport = checkedTransport(stuck, options).dial("x://", {})(handlers);
  await turns(1);
  assertEquals(transport.write(new Uint8Array(1)), false);
  await wait(RULES.drainsOrCloses);
});

test("memory that was lent is poisoned once it is free", async () => {
  let kept: Uint8Array | undefined;
  const factory: TransportFactory = {
    dial: () => (handlers) => {
      queueMicrotask(() => handlers.open({ localAddress: "a", remoteAddress: "b" }));
      return { write: (chunk) => (kept = chunk, true), setPaused: () => true, close: () => {} };
    },
    listen: () => () => Promise.reject(),
  };
  const ignore = (): void => {};
  const handlers = { open: ignore, data: ignore, drain: ignore, end: ignore, close: ignore };
  const transport = checkedTransport(factory).dial("x://", {})(handlers);
  await turns(1);
  const chunk = new Uint8Array(3).fill(1);
  transport.write(chunk);
  assertEquals([[...kept!], [...chunk]], [[0xdd, 0xdd, 0xdd], [1, 1, 1]]);
});

test("dial and listen that throw anything else than an endpoint's error, or return no promise, are reported", async () => {
  const reported: string[] = [];
  const options = { report: (error: PeerError) => void reported.push(error.message) };
  const factory = {
    dial: () => {
      throw new Error("not there");
    },
    listen: () => () => ({ address: "x://" }),
  } as unknown as TransportFactory;
  const checked = checkedTransport(factory, options);
  assertThrows(() => checked.dial("x://", {}), Error, "not there");
  await checked.listen("x://", {})(() => {}, () => {});
  assertStringIncludes(reported[0]!, RULES.throwsMisuse);
  assertStringIncludes(reported[1]!, RULES.listenReturns);
  const refusing = {
    ...factory,
    dial: () => {
      throw new MisuseError("ERR_ENDPOINT", "no");
    },
  } as unknown as TransportFactory;
  reported.length = 0;
  assertThrows(() => checkedTransport(refusing, options).dial("x://", {}), MisuseError, "no");
  assertEquals(reported, []);
});
