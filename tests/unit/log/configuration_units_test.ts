import { test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
} from "../../../src/log/configuration/units.ts";
import fc from "../../support/properties.ts";

test("sizes are bytes, with a unit or without", () => {
  const sizes: readonly (readonly [string, number | undefined])[] = [
    ["0", 0],
    ["4096", 4_096],
    ["16MiB", 16_777_216],
    [" 16 MiB ", 16_777_216],
    ["1.5KiB", 1_536],
    ["1kB", 1_000],
    ["1KB", 1_000],
    ["2MB", 2_000_000],
    ["3GB", 3_000_000_000],
    ["3GiB", 3_221_225_472],
    ["1TiB", 1_099_511_627_776],
    ["7B", 7],
    ["0.5B", undefined],
    ["1.0001KiB", undefined],
    ["16mib", undefined],
    ["16M", undefined],
    ["-1", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["", undefined],
    ["MiB", undefined],
    ["1 2", undefined],
    ["constructor", undefined],
    ["1constructor", undefined],
    ["9007199254740993", undefined],
    ["8193TiB", undefined],
  ];
  for (const [text, bytes] of sizes) assertEquals(parseSize(text), bytes, text);
});

test("durations are milliseconds, with a unit or without", () => {
  const durations: readonly (readonly [string, number | undefined])[] = [
    ["250", 250],
    ["250ms", 250],
    ["30s", 30_000],
    ["1.1s", 1_100],
    ["5m", 300_000],
    ["5min", 300_000],
    ["2h", 7_200_000],
    ["7d", 604_800_000],
    ["7 d", 604_800_000],
    ["0.5ms", undefined],
    ["1w", undefined],
    ["30S", undefined],
    ["", undefined],
  ];
  for (const [text, ms] of durations) assertEquals(parseDuration(text), ms, text);
});

test("amounts are shown in the largest unit that is exact", () => {
  assertEquals([0, 1, 1_023, 1_024, 1_536, 16_777_216, 2 ** 40].map(formatSize), [
    "0",
    "1",
    "1023",
    "1KiB",
    "1536",
    "16MiB",
    "1TiB",
  ]);
  assertEquals([0, 1, 1_000, 1_500, 60_000, 604_800_000].map(formatDuration), [
    "0",
    "1ms",
    "1s",
    "1500ms",
    "1min",
    "7d",
  ]);
});

test("what is shown is read as the same amount", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (amount) => {
    assertEquals(parseSize(formatSize(amount)), amount);
    assertEquals(parseDuration(formatDuration(amount)), amount);
  }));
});
