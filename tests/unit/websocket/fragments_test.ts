import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import {
  EMPTY_FRAGMENTS_MAX,
  Fragments,
  FRAGMENTS_MAX,
  FragmentsTotal,
} from "../../../src/websocket/fragments.ts";
import type { Violation } from "../../../src/websocket/zws/wire.ts";

class Held {
  readonly lost: Violation[] = [];
  readonly fragments: Fragments;
  constructor(total: FragmentsTotal, bytesMax = 1_000_000) {
    this.fragments = new Fragments(total, bytesMax, (why) => void this.lost.push(why));
  }
}

test("memory grows with what arrives, never with what was announced, and not beyond the limit of a message", () => {
  const { fragments } = new Held(new FragmentsTotal(), 100_000);
  assertEquals(fragments.begin(90_000, false), undefined);
  assertEquals(fragments.memoryBytes, 0);
  fragments.push(new Uint8Array(10).fill(1));
  assertEquals(fragments.memoryBytes, 4_096);
  fragments.push(new Uint8Array(60_000).fill(2));
  fragments.push(new Uint8Array(30_000).fill(3));
  assert(fragments.memoryBytes <= 100_000);
  const message = fragments.take();
  assertEquals([message.length, message[9], message[10], message[90_009]], [90_010, 1, 2, 3]);
  assertEquals([fragments.memoryBytes, fragments.active, fragments.bytes], [0, false, 0]);
});

test("there may be many fragments, but not without end, and few that are empty", () => {
  const { fragments } = new Held(new FragmentsTotal());
  for (let i = 0; i < FRAGMENTS_MAX; i++) assertEquals(fragments.begin(1, false), undefined);
  assertEquals(fragments.begin(1, false)?.closeCode, 1009);
  fragments.release();
  for (let i = 0; i < EMPTY_FRAGMENTS_MAX; i++) assertEquals(fragments.begin(0, false), undefined);
  assertEquals(fragments.begin(0, true), undefined, "the last one may be empty");
  assertEquals(fragments.begin(0, false)?.closeCode, 1009);
});

test("beyond the bound of all messages the connection that holds the most is given up", () => {
  const total = new FragmentsTotal(100_000);
  const [small, large, other] = [new Held(total), new Held(total), new Held(total)];
  small.fragments.push(new Uint8Array(10_000));
  large.fragments.push(new Uint8Array(60_000));
  other.fragments.push(new Uint8Array(25_000));
  assertEquals([small.lost.length, large.lost.length, other.lost.length], [0, 0, 0]);
  small.fragments.push(new Uint8Array(10_000));
  assertEquals([small.lost.length, large.lost.length, other.lost.length], [0, 1, 0]);
  assertEquals([large.fragments.memoryBytes, large.lost[0]?.closeCode], [0, 1009]);
  assertEquals(small.fragments.take().length, 20_000);
  other.fragments.push(new Uint8Array(200_000));
  assertEquals(other.lost.length, 1, "it holds the most itself");
  other.fragments.release();
  small.fragments.push(new Uint8Array(90_000));
  assertEquals(small.lost.length, 0, "what was given back counts no longer");
});
