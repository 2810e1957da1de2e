/**
 * Gives one message to many peers: it is framed once, its bytes are copied into each peer's segment, and
 * large bodies are shared. PUB, XPUB and XSUB (upstream) use it.
 *
 * @module
 */

import { Segment, SEGMENT_BYTES, segmentBytesOf } from "../../zmtp/segment.ts";
import type { Outgoing } from "../pipe/outbound_queue.ts";
import type { Pipe } from "../pipe/pipe.ts";

/** Below this many peers, framing each time is cheaper than framing once and copying. */
const FRAME_ONCE_PEERS_MIN = 2;

/** Writes a message to many pipes, framed once. */
export class FanOut {
  readonly #scratch: Segment = new Segment(SEGMENT_BYTES);

  /** Writes to the first `count` of `pipes`. `refused` is called for each that is at its high-water mark. */
  write(pipes: readonly Pipe[], count: number, message: Outgoing, refused: (pipe: Pipe) => void): void {
    if (count < FRAME_ONCE_PEERS_MIN) {
      for (let i = 0; i < count; i++) if (!pipes[i]!.write(message)) refused(pipes[i]!);
      return;
    }
    const bytes = segmentBytesOf(message);
    const framed = bytes > SEGMENT_BYTES ? new Segment(bytes) : this.#scratch;
    framed.addMessage(message);
    for (let i = 0; i < count; i++) if (!pipes[i]!.writeFramed(framed, message)) refused(pipes[i]!);
    framed.clear();
  }
}
