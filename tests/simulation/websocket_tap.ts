/**
 * Reads what bridges write to the streams below them: whole frames only, one after the other, whatever happens.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { concat } from "../../src/bytes/bytes.ts";
import type { Dial, Transport } from "../../src/ports.ts";
import { framesIn, type PlainFrame } from "../support/web_socket_frames.ts";

/** One end of a stream, as a bridge sees it. */
interface Written {
  readonly chunks: Uint8Array[];
}

export class FrameTap {
  readonly #ends: Written[] = [];
  readonly #headBytes: number;

  /** `headBytes`: what each end writes before its first frame. */
  constructor(headBytes = 0) {
    this.#headBytes = headBytes;
  }

  readonly below = (dial: Dial): Dial => (handlers) => {
    const written: Written = { chunks: [] };
    this.#ends.push(written);
    const transport = dial(handlers);
    const { writev } = transport;
    const note = (chunks: readonly Uint8Array[]): void => {
      for (const chunk of chunks) written.chunks.push(chunk.slice());
    };
    return {
      ...transport,
      write: (chunk): boolean => (note([chunk]), transport.write(chunk)),
      ...(writev === undefined
        ? {}
        : { writev: (chunks: readonly Uint8Array[]): boolean => (note(chunks), writev(chunks)) }),
    } satisfies Transport;
  };

  /** All frames of all ends. Only the last one of an end may be cut off. */
  frames(): PlainFrame[][] {
    return this.#ends.map(({ chunks }) => framesIn(concat(chunks).slice(this.#headBytes)).frames);
  }

  /** Every frame is one that ZWS has, and a close frame is the last. */
  assertWhole(): void {
    for (const frames of this.frames()) {
      assertEquals(new Set(frames.map(({ masked }) => masked)).size <= 1, true, "some frames are masked");
      for (const [index, { first, payload }] of frames.entries()) {
        const data = first === 0x82 && payload.length > 0 && payload[0]! <= 2;
        const control = first >= 0x88 && first <= 0x8a && payload.length <= 125;
        assert(data || control, `frame ${index} begins with ${first}, ${payload[0]}`);
        if (first === 0x88) assertEquals(index, frames.length - 1, "something follows a close frame");
      }
    }
  }
}
