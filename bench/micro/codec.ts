/** Messages into a segment, and a chunk of wire bytes into runs of messages. */

import { bench, do_not_optimize, group } from "mitata";
import { FrameDecoder, type FrameSink } from "../../src/zmtp/frame_decoder.ts";
import { Segment, SEGMENT_BYTES, segmentBytesOf } from "../../src/zmtp/segment.ts";

const LIMITS = { frameBytesMax: 2 ** 28, messageBytesMax: 2 ** 29, messageFramesMax: 65536 };

type Message = Uint8Array | readonly Uint8Array[];

function body(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(104);
}

const SHAPES: readonly (readonly [string, Message])[] = [
  ["8 B", body(8)],
  ["64 B", body(64)],
  ["1 KiB", body(1024)],
  ["3 frames of 20 B", [body(20), body(20), body(20)]],
];

export function messagesPerSegment(message: Message): number {
  return Math.floor(SEGMENT_BYTES / segmentBytesOf(message));
}

/** A full segment's wire bytes. */
export function framed(message: Message, messages: number): Uint8Array {
  const segment = new Segment(SEGMENT_BYTES);
  for (let i = 0; i < messages; i++) segment.addMessage(message);
  return segment.buffer.slice(0, segment.end);
}

class CountingSink implements FrameSink {
  messages = 0;
  run(_bytes: Uint8Array, _start: number, _end: number, messages: number): void {
    this.messages += messages;
  }
  message(): void {
    this.messages++;
  }
  command(): undefined {}
}

export function defineCodec(): void {
  group(() => {
    for (const [name, message] of SHAPES) defineEncoder(name, message);
  });
  group(() => {
    for (const [name, message] of SHAPES) defineDecoder(name, message);
  });
}

function defineEncoder(name: string, message: Message): void {
  const segment = new Segment(SEGMENT_BYTES);
  const messages = messagesPerSegment(message);
  bench(`encode ${messages} x ${name}`, () => {
    segment.clear();
    for (let i = 0; i < messages; i++) segment.addMessage(message);
    do_not_optimize(segment.end);
  });
}

function defineDecoder(name: string, message: Message): void {
  const messages = messagesPerSegment(message);
  const chunk = framed(message, messages);
  const sink = new CountingSink();
  const decoder = new FrameDecoder(sink, LIMITS);
  bench(`decode ${messages} x ${name}`, () => {
    decoder.decode(chunk, 0, Infinity);
    do_not_optimize(sink.messages);
  });
  const half = chunk.length >> 1;
  const cut = new FrameDecoder(sink, LIMITS);
  const [first, second] = [chunk.subarray(0, half + 1), chunk.subarray(half + 1)];
  bench(`decode ${messages} x ${name}, one cut in two`, () => {
    cut.decode(first, 0, Infinity);
    cut.decode(second, 0, Infinity);
    do_not_optimize(sink.messages);
  });
}
