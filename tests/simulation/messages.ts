/**
 * Numbered messages that can tell whether they arrived whole: everything in them follows from their number.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";

/** How large messages are. */
export interface MessageShape {
  readonly framesMax?: number;
  readonly bytesMax?: number;
}

/** Every seed sends the same messages: most of them are made once. */
const made: Map<string, Uint8Array[]> = new Map();
const MADE_MAX = 4_000;

/** Message `number` of `series`: a head, then frames of sizes that follow from the number. They must not be changed. */
export function makeMessage(series: number, number: number, shape: MessageShape = {}): Uint8Array[] {
  const { framesMax = 4, bytesMax = 600 } = shape;
  const key = `${series} ${number} ${framesMax} ${bytesMax}`;
  const known = made.get(key);
  if (known !== undefined) return known.slice();
  const message = composeMessage(series, number, framesMax, bytesMax);
  if (made.size < MADE_MAX) made.set(key, message);
  return message.slice();
}

function composeMessage(series: number, number: number, framesMax: number, bytesMax: number): Uint8Array[] {
  const random = new Random(`${series} ${number}`);
  const rest = random.integer(0, framesMax - 1);
  const head = new Uint8Array(7);
  new DataView(head.buffer).setUint8(0, 0x42);
  new DataView(head.buffer).setUint16(1, series);
  new DataView(head.buffer).setUint32(3, number);
  const frames = [head];
  for (let index = 0; index < rest; index++) {
    // Empty frames are legal everywhere, and sizes about 255 are where headers change.
    const length = random.chance(0.2)
      ? 0
      : random.chance(0.2)
      ? random.integer(253, 258)
      : random.size(bytesMax);
    frames.push(new Uint8Array(length).fill((number + index) & 0xff));
  }
  return frames;
}

/** The number of a message, after a look at every byte of it. */
export function readMessage(message: readonly Uint8Array[], shape: MessageShape = {}): Numbered {
  const head = message[0]!;
  assertEquals(head.length, 7, "the head of a message has 7 bytes");
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const numbered = { series: view.getUint16(1), number: view.getUint32(3) };
  const expected = makeMessage(numbered.series, numbered.number, shape);
  assertEquals(message.length, expected.length, `frames of message ${numbered.number}`);
  for (let index = 0; index < expected.length; index++) {
    if (sameBytes(message[index]!, expected[index]!)) continue;
    assertEquals([...message[index]!], [...expected[index]!], `frame ${index} of message ${numbered.number}`);
  }
  return numbered;
}

/** Where a message comes from, and its place there. */
export interface Numbered {
  readonly series: number;
  readonly number: number;
}

/** `0 … count-1`. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Fails unless the numbers rise. Gaps are allowed: what was handed to a lost connection may be lost. */
export function assertRising(numbers: readonly number[], told: string): void {
  for (let index = 1; index < numbers.length; index++) {
    if (numbers[index]! > numbers[index - 1]!) continue;
    throw new Error(`${told}: ${numbers[index]} came behind ${numbers[index - 1]}`);
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
