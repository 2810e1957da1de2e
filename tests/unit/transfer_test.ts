import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Transfer } from "../../src/engine/transfer.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** Hands over `bytes` at once, and a PING behind them; answers the PING's context. */
function burst(transfer: Transfer, bytes: number, nowMs: number): Uint8Array {
  transfer.begin(bytes, nowMs);
  transfer.end(nowMs);
  const context = transfer.nextContext();
  transfer.begin(13, nowMs);
  transfer.end(nowMs);
  return context;
}

function assertNear(actual: number, expected: number): void {
  assert(Math.abs(actual - expected) <= expected / 100 + 0.1, `${actual} is not ${expected}`);
}

test("before anything was measured a byte is given twice what it needs at a mebibyte a second", () => {
  const transfer = new Transfer();
  assertEquals(transfer.allowanceMs, 0);
  transfer.begin(MIB, 0);
  assertNear(transfer.allowanceMs, 2_000);
});

test("a PING behind little has no context, one behind much has a number that confirms it", () => {
  const transfer = new Transfer();
  assertEquals(burst(transfer, 100, 0).length, 0);
  const context = burst(transfer, 100 * KIB, 0);
  assertEquals(context.length, 4);
  assert(transfer.allowanceMs > 190);
  transfer.answered(new Uint8Array(0), 10);
  transfer.answered(Uint8Array.of(9, 9, 9, 9), 10);
  assert(transfer.allowanceMs > 190, "signs of life confirm nothing");
  transfer.answered(context, 10);
  assertEquals(transfer.allowanceMs, 0);
});

test("what was measured decides from then on, be it faster or slower", () => {
  for (const bytesPerMs of [100, 10_000]) {
    const transfer = new Transfer();
    transfer.answered(burst(transfer, MIB, 1_000), 1_000 + MIB / bytesPerMs);
    burst(transfer, MIB, 60_000);
    assertNear(transfer.allowanceMs, 2 * MIB / bytesPerMs);
  }
});

test("a sender that has little to send tells nothing of a way that is faster", () => {
  const transfer = new Transfer();
  // A hundred kibibytes in ten seconds, and each PING is answered at once.
  for (let atMs = 0; atMs < 9_900; atMs += 99) {
    transfer.begin(KIB, atMs);
    transfer.end(atMs);
  }
  transfer.answered(burst(transfer, 1, 9_999), 10_000);
  burst(transfer, MIB, 20_000);
  assertNear(transfer.allowanceMs, 2_000);
});

test("stretches that wait for each other are measured one after another, also where answers come in one piece", () => {
  for (const together of [false, true]) {
    const transfer = new Transfer();
    const contexts = Array.from({ length: 10 }, () => burst(transfer, MIB, 0));
    // A hundred bytes in a millisecond.
    contexts.forEach((context, index) => transfer.answered(context, (together ? 10 : index + 1) * MIB / 100));
    burst(transfer, MIB, 200_000);
    const allowanceMs = transfer.allowanceMs;
    if (together) assert(allowanceMs >= 2 * MIB / 100 - 100, `${allowanceMs}`);
    else assertNear(allowanceMs, 2 * MIB / 100);
  }
});

test("in a steady stream a PING is wanted after 64 KiB, and then ever later up to 4 MiB", () => {
  const transfer = new Transfer();
  const stretches: number[] = [];
  let bytes = 0;
  while (stretches.length < 9) {
    transfer.begin(16 * KIB, 0);
    transfer.end(0);
    bytes += 16 * KIB;
    if (!transfer.wantsMark) continue;
    stretches.push(bytes / KIB);
    bytes = 0;
    transfer.nextContext();
    transfer.begin(0, 0);
  }
  assertEquals(stretches, [64, 128, 256, 512, 1_024, 2_048, 4_096, 4_096, 4_096]);
});

test("who talks and confirms nothing for a minute is taken to have received what is older", () => {
  const transfer = new Transfer();
  burst(transfer, MIB, 0);
  burst(transfer, MIB, 50_000);
  transfer.heard(60_000);
  assertNear(transfer.allowanceMs, 4_000);
  transfer.heard(60_001);
  assertNear(transfer.allowanceMs, 2_000);
});

test("with a time-out a PING follows what a sixteenth of it carries at the rate last seen", () => {
  for (const [bytesPerMs, stretch] of [[10, 64 * KIB], [16 * KIB, 500 * KIB], [MIB, 4 * MIB]] as const) {
    const transfer = new Transfer(500);
    let atMs = 0;
    for (let i = 0; i < 10; i++) {
      const context = burst(transfer, MIB, atMs);
      transfer.answered(context, atMs += MIB / bytesPerMs);
      atMs += 1;
    }
    transfer.begin(stretch - 100, atMs);
    assertEquals(transfer.wantsMark, false);
    transfer.begin(200, atMs);
    assertEquals(transfer.wantsMark, true);
  }
});
