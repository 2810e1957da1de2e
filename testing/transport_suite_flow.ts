/**
 * The cases of the compliance suite about the bytes of an open stream: order, memory, pausing.
 *
 * @module
 */

import { copyOf } from "../src/bytes/bytes.ts";
import { FILL_BYTES_MAX, type SuiteCase, suiteCase } from "./bench.ts";
import { check, patternAt, turns } from "./probe.ts";

const SIZES: readonly number[] = [
  ...[1, 2, 3, 255, 256, 1023, 1024, 1025, 8192],
  ...[65_535, 65_536, 65_537, 300_000, 1_048_576, 1],
];

/** 1 024 parts are the most that one system call takes. */
const GATHERED: readonly (readonly number[])[] = [
  [5],
  [1, 3],
  [100_000, 1, 200_000],
  Array.from({ length: 3000 }, (_, i) => 1 + i % 50),
];

/** Cases about the bytes of an open stream. */
export const flowCases: readonly SuiteCase[] = [
  suiteCase("chunks of every size come back as they were sent", async (bench) => {
    const { left, right } = await bench.pair();
    let total = 0;
    for (const size of SIZES) {
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
  }),
  suiteCase("16 MiB go both ways at once, in order and intact", async (bench) => {
    const { left, right } = await bench.pair();
    const total = 16 * 1_048_576;
    await Promise.all([left.send(total, 65_536), right.send(total, 100_003)]);
    await left.until("16 MiB", () => left.receivedBytes >= total);
    await right.until("16 MiB", () => right.receivedBytes >= total);
    left.verify(total);
    right.verify(total);
  }),
  suiteCase("bytes arrive intact where the core wants large bodies", async (bench) => {
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
  }),
  suiteCase("many small writes arrive in order", async (bench) => {
    const { left, right } = await bench.pair();
    await left.send(20_000, 7);
    await right.until("20000 bytes", () => right.receivedBytes >= 20_000);
    right.verify(20_000);
  }),
  suiteCase("a gather write, if there is one, arrives as one stream, whatever its parts", async (bench) => {
    const { left, right } = await bench.pair();
    if (left.transport.writev === undefined) return;
    for (const parts of GATHERED) {
      const chunks = parts.map((size) => {
        left.sentBytes += size;
        return patternAt(left.sentBytes - size, size);
      });
      if (!left.writev(chunks)) await left.until("drain", () => !left.isLent);
    }
    await right.until("all bytes", () => right.receivedBytes >= left.sentBytes);
    right.verify(left.sentBytes);
  }),
  suiteCase("a paused reader stops the writer, and loses nothing when it resumes", async (bench) => {
    const { left, right } = await bench.pair();
    bench.pause(right);
    await left.fill(FILL_BYTES_MAX);
    const slackBytes = bench.settings.slackBytes ?? 1_048_576;
    check(right.receivedBytes <= slackBytes, `${right.receivedBytes} bytes came although reading was paused`);
    right.setPaused(false);
    await left.until("drain", () => !left.isLent);
    await right.until("all bytes", () => right.receivedBytes >= left.sentBytes);
    right.verify(left.sentBytes);
  }, "canPause"),
  suiteCase("pausing and resuming at every chunk loses nothing", async (bench) => {
    const { left, right } = await bench.pair();
    bench.pause(right);
    right.onData = () => {
      right.setPaused(true);
      void turns(1).then(() => right.setPaused(false));
    };
    right.setPaused(false);
    await left.send(1_000_000, 10_007);
    await right.until("all bytes", () => right.receivedBytes >= 1_000_000);
    right.onData = undefined;
    right.verify(1_000_000);
  }, "canPause"),
  suiteCase("writing from within data and open works", async (bench) => {
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
  }),
  suiteCase("setReferenced, if there is one, may be called before open and at any time", async (bench) => {
    const listener = await bench.listen();
    const left = bench.dial(listener.address);
    left.transport.setReferenced?.(false);
    await bench.until("a stream", () => left.opened && bench.accepted[0]?.opened === true);
    const right = bench.accepted[0]!;
    for (const on of [false, false, true, true]) {
      listener.setReferenced?.(on);
      left.transport.setReferenced?.(on);
      right.transport.setReferenced?.(on);
    }
    await left.send(10, 10);
    await right.until("10 bytes", () => right.receivedBytes === 10);
    right.verify(10);
  }),
];
