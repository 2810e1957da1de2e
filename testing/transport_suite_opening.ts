/**
 * The cases of the compliance suite about dialling, listening and the beginning of a stream.
 *
 * @module
 */

import { MisuseError } from "../src/errors.ts";
import type { Attach } from "../src/ports.ts";
import { type Bench, type SuiteCase, suiteCase } from "./bench.ts";
import { check, type Probe, turns } from "./probe.ts";
import { ruleText } from "./rules.ts";

/** Cases about the beginning of a stream, and about listeners. */
export const openingCases: readonly SuiteCase[] = [
  suiteCase("open comes first and once, after dial has returned, and names both ends", async (bench) => {
    const { left, right } = await bench.pair();
    await turns(3);
    for (const { info } of [left, right]) {
      check(typeof info?.localAddress === "string" && info.localAddress.includes("://"), "no local address");
      check(
        typeof info.remoteAddress === "string" && info.remoteAddress.includes("://"),
        "no remote address",
      );
    }
    check(left.chunks.length === 0 && !left.closed, "something happened without a reason");
  }),
  suiteCase("nobody listening closes the stream with a cause, without open", async (bench) => {
    const listener = await bench.listen();
    await listener.close();
    const left = bench.dial(listener.address);
    await left.until("close", () => left.closed);
    check(!left.opened, "the stream opened although nothing listens");
    check(left.cause !== undefined, "the cause is missing");
  }),
  suiteCase("one dial opens as many streams as it is called", async (bench) => {
    const listener = await bench.listen();
    const dial = bench.settings.factory.dial(listener.address, bench.options);
    for (const name of ["first", "second"]) {
      const probe = bench.track(name).dial(dial);
      await probe.until("open", () => probe.opened);
      await probe.send(10, 10);
    }
    await bench.until("both streams", () => bench.accepted.length === 2);
    for (const probe of bench.accepted) await probe.until("10 bytes", () => probe.receivedBytes === 10);
  }),
  suiteCase("a dial that was prepared before anybody listened finds who listens later", async (bench) => {
    const first = await bench.listen();
    const dial = bench.settings.factory.dial(first.address, bench.options);
    await first.close();
    await bench.listen(first.address);
    const left = bench.track("dialled").dial(dial);
    await left.until("open", () => left.opened || left.closed);
    check(left.opened, `the stream did not open: ${String(left.cause)}`);
  }),
  suiteCase("an address of another scheme is refused with ERR_ENDPOINT", (bench) => {
    for (const call of ["dial", "listen"] as const) {
      let thrown: unknown;
      try {
        bench.settings.factory[call]("no-such-scheme://x", bench.options);
      } catch (error) {
        thrown = error;
      }
      check(
        thrown instanceof MisuseError && thrown.code === "ERR_ENDPOINT",
        `${call}("no-such-scheme://x"): ${ruleText("throwsMisuse")}; instead: ${String(thrown)}`,
      );
    }
    return Promise.resolve();
  }),
  suiteCase("abort right after dial closes without open", async (bench) => {
    const listener = await bench.listen();
    const left = bench.dial(listener.address);
    left.finish("abort");
    await left.until("close", () => left.closed);
    check(!left.opened, "the stream opened although it had been aborted");
    left.verifyNoCause();
  }),
  suiteCase("an address in use is refused with ERR_ADDRESS_IN_USE", async (bench) => {
    const listener = await bench.listen();
    const error = await bench.listen(listener.address).then(() => undefined, (reason: unknown) => reason);
    check(error instanceof MisuseError && error.code === "ERR_ADDRESS_IN_USE", `instead: ${String(error)}`);
    const left = bench.dial(listener.address);
    await left.until("open", () => left.opened);
  }),
  suiteCase("a closed listener frees its address at once and leaves its streams alone", async (bench) => {
    const { left, right, listener } = await bench.pair();
    await listener.close();
    await listener.close();
    const again = await bench.listen(listener.address);
    check(again.address === listener.address, `${again.address} instead of ${listener.address}`);
    await left.send(1000, 100);
    await right.until("1000 bytes", () => right.receivedBytes === 1000);
    right.verify(1000);
  }),
  suiteCase("fifty streams at once do not mix", (bench) => fiftyStreams(bench)),
  suiteCase("a stream that is not attached to while it is accepted is refused", async (bench) => {
    let late: Attach | undefined;
    const listener = await bench.listen(undefined, (attach) => late ??= attach);
    const left = bench.dial(listener.address);
    await left.until("the refusal", () => left.ended || left.closed);
    check(late !== undefined, "the stream was not offered");
    const right = bench.track("late").dial(late);
    await right.until("close", () => right.closed);
    check(!right.opened && right.cause !== undefined, ruleText("refuses"));
  }),
];

async function fiftyStreams(bench: Bench): Promise<void> {
  const listener = await bench.listen();
  const dialled = Array.from({ length: 50 }, () => bench.dial(listener.address));
  for (const probe of dialled) await probe.until("open", () => probe.opened);
  await Promise.all(dialled.map((probe, i) => probe.send(5000 + i, 512)));
  await bench.until("50 streams", () => bench.accepted.length === 50);
  for (const probe of bench.accepted) await probe.until("5000 bytes", () => probe.receivedBytes >= 5000);
  for (const probe of dialled) probe.finish("flush");
  for (const probe of bench.accepted) await probe.until("end", () => probe.ended);
  const bytes = (probe: Probe): number => (probe.verify(), probe.receivedBytes);
  const lengths = bench.accepted.map(bytes).sort((a, b) => a - b);
  check(lengths.every((length, i) => length === 5000 + i), `the lengths are ${lengths.join(" ")}`);
}
