import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { memoryTransport } from "../../../adapters/memory/mod.ts";
import { TRANSPORT_RULES } from "../../../src/engine/transport_rules.ts";
import type { Dial, Listen, Transport, TransportFactory, TransportHandlers } from "../../../src/ports.ts";
import { transportSuite } from "../../../testing/transport_suite.ts";
import type { TransportSuiteOptions } from "../../../testing/bench.ts";
import { DEVELOPMENT_RULES } from "../../../testing/rules.ts";

const RULES = { ...TRANSPORT_RULES, ...DEVELOPMENT_RULES };

/** What the suite says of one case: `undefined` if it passed. */
type Outcome = {
  readonly name: string;
  readonly said: string | undefined;
  readonly skipped: string | undefined;
};

/** Runs the suite, one case after the other, as a test runner would, with or without a context that can skip. */
async function suiteOf(
  factory: TransportFactory,
  options: Partial<TransportSuiteOptions> = {},
  { canSkip = false, pick = /./ }: { readonly canSkip?: boolean; readonly pick?: RegExp } = {},
): Promise<Outcome[]> {
  const cases: { name: string; run: (...contexts: unknown[]) => Promise<void> }[] = [];
  const settings = { factory, address: () => "memory://*", patienceMs: 500, ...options };
  transportSuite((name, run) => cases.push({ name, run }), "it", settings);
  const outcomes: Outcome[] = [];
  for (const { name, run } of cases.filter(({ name }) => pick.test(name))) {
    let skipped: string | undefined;
    const context = canSkip ? [{ skip: (why: string) => void (skipped = why) }] : [];
    const said = await run(...context).then(() => undefined, (error: Error) => error.message);
    outcomes.push({ name: name.replace("it: ", ""), said, skipped });
  }
  return outcomes;
}

/** A transport whose streams differ from the memory transport's by what `change` does to each end. */
function flawed(
  change: (transport: Transport, handlers: TransportHandlers) => Transport,
  wrap: (handlers: TransportHandlers) => TransportHandlers = (handlers) => handlers,
): TransportFactory {
  const sound = memoryTransport();
  const spoil = (dial: Dial): Dial => (handlers) => {
    const wrapped = wrap(handlers);
    return change(dial(wrapped), wrapped);
  };
  return {
    dial: (address, options) => spoil(sound.dial(address, options)),
    listen: (address, options): Listen => {
      const listen = sound.listen(address, options);
      return (accept, failed) => listen((attach) => accept(spoil(attach)), failed);
    },
  };
}

const same = (transport: Transport): Transport => transport;

/** The methods of a transport, with some replaced. */
function but(transport: Transport, changed: Partial<Transport>): Transport {
  return {
    write: (chunk) => transport.write(chunk),
    setPaused: (paused) => transport.setPaused(paused),
    close: (mode) => transport.close(mode),
    ...changed,
  };
}

function handlersBut(handlers: TransportHandlers, changed: Partial<TransportHandlers>): TransportHandlers {
  return {
    open: (info) => handlers.open(info),
    data: (chunk) => handlers.data(chunk),
    drain: () => handlers.drain(),
    end: () => handlers.end(),
    close: (cause) => handlers.close(cause),
    ...changed,
  };
}

const FLAWS: readonly (readonly [flaw: string, factory: () => TransportFactory, rule: string])[] = [
  [
    "drains what was taken",
    () =>
      flawed((transport, handlers) =>
        but(transport, {
          write: (chunk) => (transport.write(chunk), queueMicrotask(() => handlers.drain()), true),
        })
      ),
    RULES.drainLent,
  ],
  [
    "drains inside write",
    () =>
      flawed((transport, handlers) =>
        but(transport, { write: (chunk) => (transport.write(chunk), handlers.drain(), false) })
      ),
    RULES.drainAfterWrite,
  ],
  ["throws from write", () =>
    flawed((transport) =>
      but(transport, {
        write: () => {
          throw new Error("no");
        },
      })
    ), RULES.writeThrows],
  [
    "returns nothing from write",
    () =>
      flawed((transport) =>
        but(transport, { write: (chunk) => void transport.write(chunk) as unknown as boolean })
      ),
    RULES.writeAnswers,
  ],
  [
    "returns nothing from setPaused",
    () =>
      flawed((transport) =>
        but(transport, { setPaused: (paused) => void transport.setPaused(paused) as unknown as boolean })
      ),
    RULES.pauseAnswers,
  ],
  [
    "opens twice",
    () =>
      flawed(
        same,
        (handlers) => handlersBut(handlers, { open: (info) => (handlers.open(info), handlers.open(info)) }),
      ),
    RULES.openOnce,
  ],
  [
    "opens without addresses",
    () => flawed(same, (handlers) => handlersBut(handlers, { open: () => handlers.open({} as never) })),
    RULES.openInfo,
  ],
  [
    "gives text to data",
    () =>
      flawed(same, (handlers) =>
        handlersBut(handlers, {
          data: (chunk) => handlers.data("x".repeat(chunk.length) as never),
        })),
    RULES.dataBytes,
  ],
  [
    "drains from a timer after close",
    () =>
      flawed(same, (handlers) =>
        handlersBut(handlers, {
          close: (cause) => (handlers.close(cause), void setTimeout(() => handlers.drain(), 20)),
        })),
    RULES.closeLast,
  ],
  [
    "ends twice",
    () => flawed(same, (handlers) => handlersBut(handlers, { end: () => (handlers.end(), handlers.end()) })),
    RULES.dataBeforeEnd,
  ],
];

for (const [flaw, factory, rule] of FLAWS) {
  test(`the suite names the rule that a transport breaks: one that ${flaw}`, async () => {
    const pick = /open comes first|every size|paused reader|sees the end|after close/;
    const said = (await suiteOf(factory(), {}, { pick })).map((outcome) => outcome.said ?? "").join("\n");
    assertStringIncludes(said, rule);
  });
}

test("the suite notices memory that is used after it was given back", async () => {
  const undrained = (handlers: TransportHandlers): TransportHandlers =>
    handlersBut(handlers, { drain: () => {} });
  const kept = flawed((transport) => {
    let last: Uint8Array | undefined;
    // Says that it took the chunk, and sends it later.
    return but(transport, {
      write: (chunk) => {
        if (last !== undefined) transport.write(last);
        last = chunk;
        setTimeout(() => {
          if (last === chunk) transport.write(chunk), last = undefined;
        }, 1);
        return true;
      },
    });
  }, undrained);
  const [outcome] = await suiteOf(kept, {}, { pick: /every size/ });
  const said = outcome?.said;
  assertStringIncludes(said ?? "", "is wrong");
});

test("cases that need pausing are left out by name, skipped, or fail, but never pass without doing anything", async () => {
  const restless = () => flawed((transport) => but(transport, { setPaused: () => false }));
  const pick = /pause|lent chunk/;
  const paused = (outcomes: Outcome[]): Outcome[] => outcomes.filter(({ name }) => pick.test(name));

  const named = await suiteOf(restless(), { canPause: false }, { pick: /pause/ });
  const left = named.filter(({ name }) => name.endsWith("(skipped: cannot pause)"));
  assert(left.length >= 6, `${left.length} cases`);
  assertEquals(named.filter(({ said }) => said !== undefined), []);

  const skipped = paused(await suiteOf(restless(), {}, { canSkip: true, pick }));
  assertEquals(new Set(skipped.map((outcome) => outcome.skipped)), new Set(["skipped: cannot pause"]));
  assertEquals(skipped.filter(({ said }) => said !== undefined), []);

  for (const { said } of paused(await suiteOf(restless(), {}, { pick }))) {
    assertStringIncludes(said ?? "", "canPause: false");
  }

  const liar = await suiteOf(memoryTransport(), { canPause: false }, { pick: /paused reader/ });
  assert(liar.some(({ said }) => said?.includes("setPaused returns true") === true));
});

test("a transport that hangs is reported within the patience of every test runner", async () => {
  const silent = flawed(same, (handlers) => handlersBut(handlers, { data: () => {} }));
  const { said } = (await suiteOf(silent, {}, { pick: /many small writes/ }))[0]!;
  assertStringIncludes(said ?? "", "waited in vain for 20000 bytes");
});
