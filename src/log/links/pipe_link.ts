/**
 * One peer of a socket as a link, and the input of its connection.
 *
 * @module
 */

import { InprocPipe } from "../../pattern/pipe/inproc_pipe.ts";
import type { Pipe } from "../../pattern/pipe/pipe.ts";
import type { ConnectionInput } from "../../session/owner.ts";
import type { PlacingAllocator } from "../../zmtp/frame_sink.ts";
import type { FrameLink, InputControl, LinkEvents } from "../link.ts";

/** What a link needs of the set that it belongs to. */
export interface PipeLinkOwner {
  send(link: PipeLink, frames: readonly Uint8Array[]): boolean;
  close(link: PipeLink, reason: Error | undefined): void;
  /** Input is to go on; not from inside this call. */
  restart(connection: ConnectionInput): void;
}

/**
 * - `open`: both ways.
 * - `closing`: its end was asked for from here: nothing more is delivered but `closed`.
 * - `left`: the connection is gone; what was received is still delivered.
 * - `closed`: `closed` was told.
 */
export type PipeLinkState = "open" | "closing" | "left" | "closed";

/** See the module. The fields belong to the set. */
export class PipeLink implements FrameLink {
  readonly local = false;
  readonly pipe: Pipe;
  /** Small frames have to be copied, because this pipe does not. */
  readonly copies: boolean;
  state: PipeLinkState = "open";
  events: LinkEvents | undefined;
  /** Its connection is gone, or takes and delivers nothing any more. */
  over = false;
  /** Why it ended. */
  reason: Error | undefined;
  readonly #owner: PipeLinkOwner;

  constructor(pipe: Pipe, owner: PipeLinkOwner) {
    this.pipe = pipe;
    this.copies = pipe instanceof InprocPipe;
    this.#owner = owner;
  }

  trySend(frames: readonly Uint8Array[]): boolean {
    return this.state === "open" && this.#owner.send(this, frames);
  }

  close(reason?: Error): void {
    this.#owner.close(this, reason);
  }
}

/**
 * The allocator of one connection. It exists before the handshake, when nobody knows what the peer will be; frames come
 * behind the handshake only, and by then {@link target} has been set.
 */
export class LinkInput implements PlacingAllocator, InputControl {
  /** Who decides. `undefined`: every body gets memory of its own. */
  target: PlacingAllocator | undefined;
  /** Whether bodies are wanted: from the moment the link is open until it closes. */
  open = false;
  readonly #connection: ConnectionInput;
  readonly #owner: PipeLinkOwner;

  constructor(connection: ConnectionInput, owner: PipeLinkOwner) {
    this.#connection = connection;
    this.#owner = owner;
  }

  get receivedBytes(): number {
    return this.#connection.receivedBytes;
  }

  restart(): void {
    this.#owner.restart(this.#connection);
  }

  allocate(bytes: number, framesBefore: readonly Uint8Array[]): Uint8Array | "later" | "discard" {
    if (!this.open) return "discard";
    return this.target === undefined ? new Uint8Array(bytes) : this.target.allocate(bytes, framesBefore);
  }

  release(memory: Uint8Array): void {
    this.target?.release(memory);
  }

  forfeit(memory: Uint8Array): void {
    this.target?.forfeit(memory);
  }
}
