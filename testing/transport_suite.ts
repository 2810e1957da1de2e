/**
 * The compliance suite for transports. Ten lines are enough to use it:
 *
 * ```ts ignore
 * import { test } from "node:test";
 * import { transportSuite } from "hawser/testing";
 * import { myTransport } from "./my_transport.ts";
 *
 * transportSuite(test, "my transport", {
 *   factory: myTransport,
 *   address: () => "mine://*",
 * });
 * ```
 *
 * The suite overwrites every chunk that it wrote as soon as its memory is free again, and keeps every chunk
 * that it receives until the end. So a transport that reads or reuses memory that it does not own delivers
 * wrong bytes. It asks nothing that the core does not ask: no write or flush before `open`, none while memory
 * is lent, nothing after `close`.
 *
 * @module
 */

import { Bench, CannotPause, type SuiteCase, type SuiteNeed, type TransportSuiteOptions } from "./bench.ts";
import { check, pass } from "./probe.ts";
import { closingCases } from "./transport_suite_closing.ts";
import { flowCases } from "./transport_suite_flow.ts";
import { openingCases } from "./transport_suite_opening.ts";

/** Registers one case. `test` of `node:test`, `Deno.test` and the `it` of other runners all fit. */
export type SuiteTest = (name: string, run: () => Promise<void>) => unknown;

/** What the context of a test offers, in runners that have one. */
interface MaySkip {
  readonly skip?: (why: string) => void;
}

const MISSING: Readonly<Record<SuiteNeed, string>> = {
  canPause: "skipped: cannot pause",
  halfClose: "skipped: cannot half-close",
};

/** A call that comes so many milliseconds after the close of its stream is noticed, in the last case. */
const QUIET_MS = 60;

/**
 * Registers every case with `test`. A case that a transport cannot do, by its options, says so in its name.
 * Where it turns out only when the case runs that `setPaused` returns false, the case is skipped if the test
 * function can skip, and fails if not.
 *
 * @throws {Error} In a case: what the transport did, with the rule of `docs/ADAPTERS.md` that it broke.
 */
export function transportSuite(test: SuiteTest, name: string, options: TransportSuiteOptions): void {
  const benches: Bench[] = [];
  const running: Promise<void>[] = [];
  for (const suiteCase of [...openingCases, ...flowCases, ...closingCases]) {
    const missing = suiteCase.needs.filter((need) => options[need] === false);
    const title = `${name}: ${suiteCase.name}`;
    if (missing.length > 0) {
      test(`${title} (${missing.map((need) => MISSING[need]).join(", ")})`, () => confirm(missing, options));
      continue;
    }
    // A parameter by name would make some runners wait for a callback.
    test(title, (...contexts: readonly MaySkip[]) => {
      const bench = new Bench(options);
      benches.push(bench);
      const ran = runCase(suiteCase, bench, contexts[0]);
      running.push(ran.catch(() => {}));
      return ran;
    });
  }
  test(`${name}: nothing is called after close, not even from a timer`, async () => {
    await Promise.all(running);
    await pass(QUIET_MS);
    for (const bench of benches) bench.verifyQuiet();
  });
}

async function runCase(suiteCase: SuiteCase, bench: Bench, context: MaySkip | undefined): Promise<void> {
  try {
    await suiteCase.run(bench);
  } catch (error) {
    if (!(error instanceof CannotPause) || typeof context?.skip !== "function") {
      bench.abandon();
      throw error;
    }
    context.skip(MISSING.canPause);
  }
  await bench.clear();
}

/** What a transport is said not to do, it must not claim to do. */
async function confirm(missing: readonly SuiteNeed[], options: TransportSuiteOptions): Promise<void> {
  if (!missing.includes("canPause")) return;
  const bench = new Bench(options);
  const { left } = await bench.pair();
  check(
    !left.setPaused(true),
    "setPaused returns true, but the suite was told that the transport cannot pause",
  );
  check(!left.setPaused(false), "setPaused returns true, but only sometimes");
  await bench.clear();
}
