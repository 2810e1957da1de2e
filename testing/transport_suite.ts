/**
 * The compliance suite for transports. Ten lines are enough to use it:
 *
 * ```ts
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
 * wrong bytes.
 *
 * @module
 */

import { copyOf } from "../src/bytes/bytes.ts";
import { MisuseError } from "../src/errors.ts";
import { closingCases } from "./transport_suite_closing.ts";
import { Bench, FILL_BYTES_MAX, type SuiteCase, type TransportSuiteOptions } from "./bench.ts";
import type { Dial } from "../src/ports.ts";
import { check, patternAt, type Probe, turns } from "./probe.ts";

/** Registers one case. `test` of `node:test`, `Deno.test` and the `it` of other runners all fit. */
export type SuiteTest = (name: string, run: () => Promise<void>) => unknown;

/**
 * Registers every case with `test`. A case that does not apply to a transport passes without doing anything.
 */
export function transportSuite(test: SuiteTest, name: string, options: TransportSuiteOptions): void {
  for (const [title, run] of [...openingCases, ...flowCases, ...closingCases, ...listenerCases]) {
    test(`${name}: ${title}`, async () => {
      const bench = new Bench(options);
      await run(bench);
      await bench.clear();
    });
  }
}

const openingCases: readonly SuiteCase[] = [
  ["open comes first and once, after dial has returned, and names both ends", async (bench) => {
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
  }],
  ["what is written before open arrives", async (bench) => {
    const listener = await bench.listen();
    const left = bench.dial(listener.address);
    left.writePattern(1000);
    await left.until("drain", () => left.opened && !left.isLent);
    const right = await accepted(bench);
    await right.until("1000 bytes", () => right.receivedBytes === 1000);
    right.verify();
  }],
  ["nobody listening closes the stream with a cause, without open", async (bench) => {
    const listener = await bench.listen();
    await listener.close();
    const left = bench.dial(listener.address);
    await left.until("close", () => left.closed);
    check(!left.opened, "the stream opened although nothing listens");
    check(left.cause !== undefined, "the cause is missing");
  }],
  ["an address of another scheme is refused with a MisuseError", (bench) => {
    for (const call of ["dial", "listen"] as const) {
      let thrown: unknown;
      try {
        bench.settings.factory[call]("no-such-scheme://x", bench.options);
      } catch (error) {
        thrown = error;
      }
      check(
        thrown instanceof MisuseError && thrown.code === "ERR_ENDPOINT",
        `${call} accepted no-such-scheme://x`,
      );
    }
    return Promise.resolve();
  }],
];

async function accepted(bench: Bench): Promise<Probe> {
  for (let i = 0; bench.accepted.length === 0 && i < 10_000; i++) await turns(1);
  const probe = bench.accepted[0];
  check(probe !== undefined, "the stream was not accepted");
  return probe;
}

const flowCases: readonly SuiteCase[] = [
  ["chunks of every size come back as they were sent", async (bench) => {
    const { left, right } = await bench.pair();
    const sizes = [
      0,
      1,
      2,
      3,
      255,
      256,
      1023,
      1024,
      1025,
      8192,
      65_535,
      65_536,
      65_537,
      300_000,
      1_048_576,
      0,
      1,
    ];
    let total = 0;
    for (const size of sizes) {
      const start = right.receivedBytes;
      if (!left.writePattern(size)) await left.until("drain", () => !left.isLent);
      total += size;
      await right.until(`${total} bytes`, () => right.receivedBytes === total);
      if (!right.write(copyOf(right.received().subarray(start)))) {
        await right.until("drain", () => !right.isLent);
      }
      await left.until(`${total} bytes back`, () => left.receivedBytes === total);
    }
    left.verify(total);
    right.verify(total);
  }],
  ["16 MiB go both ways at once, in order and intact", async (bench) => {
    const { left, right } = await bench.pair();
    const total = 16 * 1_048_576;
    await Promise.all([left.send(total, 65_536), right.send(total, 100_003)]);
    await left.until("16 MiB", () => left.receivedBytes >= total);
    await right.until("16 MiB", () => right.receivedBytes >= total);
    left.verify(total);
    right.verify(total);
  }],
  ["bytes arrive intact where the core wants large bodies", async (bench) => {
    const { left, right } = await bench.pair();
    const total = 8 * 1_048_576;
    for (const placeBytes of [100_000, 1_048_576, 3_000_000]) {
      right.placeBytes = placeBytes;
      left.placeBytes = placeBytes;
      await Promise.all([left.send(total, 262_144), right.send(total, 262_144)]);
      await left.until("all bytes", () => left.receivedBytes >= right.sentBytes);
      await right.until("all bytes", () => right.receivedBytes >= left.sentBytes);
      // Small ones between them go wherever the transport likes.
      right.placeBytes = 0;
      await left.send(1_000, 100);
      await right.until("small writes", () => right.receivedBytes >= left.sentBytes);
    }
    left.verify(right.sentBytes);
    right.verify(left.sentBytes);
  }],
  ["many small writes arrive in order", async (bench) => {
    const { left, right } = await bench.pair();
    await left.send(20_000, 7);
    await right.until("20000 bytes", () => right.receivedBytes >= 20_000);
    right.verify(20_000);
  }],
  ["a gather write arrives as one stream, whatever its parts", async (bench) => {
    const { left, right } = await bench.pair();
    if (left.transport.writev === undefined) return;
    // 1 024 parts are the most that one system call takes.
    const sizes = [[5], [0, 3, 0], [], [100_000, 1, 200_000], Array.from({ length: 3000 }, (_, i) => i % 50)];
    for (const parts of sizes) {
      const chunks = parts.map((size) => {
        left.sentBytes += size;
        return patternAt(left.sentBytes - size, size);
      });
      if (!left.writev(chunks)) await left.until("drain", () => !left.isLent);
    }
    await right.until("all bytes", () => right.receivedBytes >= left.sentBytes);
    right.verify(left.sentBytes);
  }],
  ["a paused reader stops the writer, and loses nothing when it resumes", async (bench) => {
    const { left, right } = await bench.pair();
    if (!right.transport.setPaused(true)) return;
    await left.fill(FILL_BYTES_MAX);
    const slackBytes = bench.settings.slackBytes ?? 1_048_576;
    check(right.receivedBytes <= slackBytes, `${right.receivedBytes} bytes came although reading was paused`);
    right.transport.setPaused(false);
    await left.until("drain", () => !left.isLent);
    await right.until("all bytes", () => right.receivedBytes >= left.sentBytes);
    right.verify(left.sentBytes);
  }],
  ["pausing and resuming at every chunk loses nothing", async (bench) => {
    const { left, right } = await bench.pair();
    if (!right.transport.setPaused(false)) return;
    right.onData = () => {
      right.transport.setPaused(true);
      void turns(1).then(() => right.transport.setPaused(false));
    };
    await left.send(1_000_000, 10_007);
    await right.until("all bytes", () => right.receivedBytes >= 1_000_000);
    right.onData = undefined;
    right.verify(1_000_000);
  }],
  ["writing from within data and open works", async (bench) => {
    const listener = await bench.listen(undefined, (attach) => {
      const echo = bench.track("echo");
      echo.onData = (chunk) => {
        if (!echo.isLent) echo.write(copyOf(chunk));
      };
      echo.dial(attach);
    });
    const left = bench.dial(listener.address, (probe) => probe.onOpen = () => void probe.writePattern(1));
    await left.until("an echo", () => left.receivedBytes === 1);
    left.verify(1);
  }],
  ["setReferenced may be called at any time", async (bench) => {
    const { left, right, listener } = await bench.pair();
    for (const on of [false, false, true, true]) {
      listener.setReferenced?.(on);
      left.transport.setReferenced?.(on);
      right.transport.setReferenced?.(on);
    }
    await left.send(10, 10);
    await right.until("10 bytes", () => right.receivedBytes === 10);
    right.verify(10);
    left.transport.close("abort");
    await left.until("close", () => left.closed);
    left.transport.setReferenced?.(false);
  }],
];

const listenerCases: readonly SuiteCase[] = [
  ["an address in use is refused with ERR_ADDRESS_IN_USE", async (bench) => {
    const listener = await bench.listen();
    const error = await bench.listen(listener.address).then(() => undefined, (reason: unknown) => reason);
    check(error instanceof MisuseError && error.code === "ERR_ADDRESS_IN_USE", `instead: ${String(error)}`);
    const left = bench.dial(listener.address);
    await left.until("open", () => left.opened);
  }],
  ["a closed listener frees its address at once and leaves its streams alone", async (bench) => {
    const { left, right, listener } = await bench.pair();
    await listener.close();
    await listener.close();
    const again = await bench.listen(listener.address);
    check(again.address === listener.address, `${again.address} instead of ${listener.address}`);
    await left.send(1000, 100);
    await right.until("1000 bytes", () => right.receivedBytes === 1000);
    right.verify(1000);
  }],
  ["fifty streams at once do not mix", async (bench) => {
    const listener = await bench.listen();
    const dialled = Array.from({ length: 50 }, () => bench.dial(listener.address));
    for (const probe of dialled) await probe.until("open", () => probe.opened);
    await Promise.all(dialled.map((probe, i) => probe.send(5000 + i, 512)));
    for (let i = 0; bench.accepted.length < 50 && i < 10_000; i++) await turns(1);
    check(bench.accepted.length === 50, `${bench.accepted.length} streams were accepted`);
    for (const probe of bench.accepted) await probe.until("5000 bytes", () => probe.receivedBytes >= 5000);
    for (const probe of dialled) probe.transport.close("flush");
    for (const probe of bench.accepted) await probe.until("end", () => probe.ended);
    const lengths = bench.accepted.map((probe) => (probe.verify(), probe.receivedBytes)).sort((a, b) =>
      a - b
    );
    check(lengths.every((bytes, i) => bytes === 5000 + i), `the lengths are ${lengths.join(" ")}`);
  }],
  ["a stream that is not attached to while it is accepted is refused", async (bench) => {
    let late: Dial | undefined;
    const listener = await bench.listen(undefined, (attach) => late ??= attach);
    const left = bench.dial(listener.address);
    await left.until("the refusal", () => left.ended || left.closed);
    check(late !== undefined, "the stream was not offered");
    const right = bench.track("late").dial(late);
    await right.until("close", () => right.closed);
    check(!right.opened && right.cause !== undefined, "a refused stream opened");
  }],
];
