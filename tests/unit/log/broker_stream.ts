/**
 * A client of a broker behind a stream of bytes: decoded as a server decodes it, into the broker's own memory, and stopped
 * where that has none.
 *
 * @module
 */

import { concat } from "../../../src/bytes/bytes.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { InputSide } from "../../../src/engine/input_side.ts";
import { DEFAULT_LIMITS } from "../../../src/engine/limits.ts";
import { PendingTotal } from "../../../src/engine/pending_chunks.ts";
import { encodeMessage } from "../../../src/log/wire/codec.ts";
import type * as M from "../../../src/log/wire/messages.ts";
import { encodeFrame } from "../../../src/zmtp/frame_encoder.ts";
import { FLAG_MORE } from "../../../src/zmtp/wire.ts";
import { batchOf, bodyOf, Peer } from "./broker_peer.ts";
import type { BrokerScene } from "./broker_scene.ts";

/** A message as it travels. */
export function bytesOf(message: M.ClientMessage, ...bodies: readonly Uint8Array[]): Uint8Array {
  const frames = [...encodeMessage(message, crc32), ...bodies];
  return concat(frames.map((frame, at) => encodeFrame(at < frames.length - 1 ? FLAG_MORE : 0, frame)));
}

/** A batch as it travels. */
export function batchBytes(
  { session, epoch }: { readonly session: bigint; readonly epoch: number },
  batch: number,
  ...values: readonly string[]
): Uint8Array {
  const body = bodyOf(values);
  return bytesOf(batchOf(session, epoch, batch, body, values.length), body);
}

/** See the module. */
export class StreamPeer {
  readonly peer: Peer;
  readonly #scene: BrokerScene;
  readonly #input: InputSide;
  readonly #decoded: Uint8Array[][] = [];
  #received = 0;

  constructor(scene: BrokerScene) {
    this.#scene = scene;
    const received = (): number => this.#received;
    this.peer = new Peer(scene, {
      input: {
        restart: () =>
          scene.loop.microtask(() => {
            if (!this.peer.open) return;
            this.#input.restart();
            this.#deliver();
          }),
        get receivedBytes() {
          return received();
        },
      },
    });
    this.#input = new InputSide({
      limits: DEFAULT_LIMITS,
      pendingTotal: new PendingTotal(Infinity),
      command: () => undefined,
      allocator: this.peer.allocator,
    });
    const message = (frames: Uint8Array[]): void => void this.#decoded.push(frames);
    this.#input.attach({ credit: Infinity, run: () => {}, message, announce: () => {} });
    this.#input.restart();
  }

  /** So many bytes arrive, as one chunk. */
  receive(bytes: Uint8Array): void {
    if (!this.peer.open) return;
    this.#received += bytes.length;
    this.#input.receive(bytes.slice());
    this.#deliver();
  }

  /** The connection is cut: what is whole was delivered, the rest is not. */
  cut(): void {
    this.#input.finish();
    this.#deliver();
    this.peer.vanish();
  }

  #deliver(): void {
    if (this.#decoded.length === 0) return;
    for (const frames of this.#decoded.splice(0)) this.peer.raw(frames);
    this.#scene.broker.endOfBurst();
  }
}
