/** The two halves of a pipe: what `trySend` costs up to the write, and what `tryReceive` costs after the decoder. */

import { bench, do_not_optimize, group } from "mitata";
import { InboundQueue } from "../../src/pattern/pipe/inbound_queue.ts";
import { OutboundQueue } from "../../src/pattern/pipe/outbound_queue.ts";
import { SegmentPool } from "../../src/zmtp/segment.ts";
import { framed, messagesPerSegment } from "./codec.ts";

const UNLIMITED = { messages: 0, bytes: 0 };
const WRITES = 4096;

export function definePipe(): void {
  group(() => {
    for (const bytes of [64, 1024, 65536]) defineOutbound(bytes);
  });
  group(() => {
    for (const bytes of [64, 1024]) defineInbound(bytes);
  });
}

function defineOutbound(bytes: number): void {
  const queue = new OutboundQueue({ pool: new SegmentPool(), mark: UNLIMITED, writable: () => {} });
  const body = new Uint8Array(bytes).fill(104);
  bench(`pipe: write, take, release ${WRITES} x ${bytes} B`, () => {
    for (let i = 0; i < WRITES; i++) {
      queue.write(body);
      if (queue.hasFullSegment) queue.release(queue.take()!);
    }
    do_not_optimize(queue.bytes);
  });
}

function defineInbound(bytes: number): void {
  const queue = new InboundQueue({ mark: UNLIMITED, events: { readable: () => {}, drained: () => {} } });
  const message = new Uint8Array(bytes).fill(104);
  const messages = messagesPerSegment(message);
  const chunk = framed(message, messages);
  bench(`pipe: read ${messages} x ${bytes} B`, () => {
    queue.run(chunk, 0, chunk.length, messages);
    let read: Uint8Array[] | undefined;
    while ((read = queue.read()) !== undefined) do_not_optimize(read);
  });
}
