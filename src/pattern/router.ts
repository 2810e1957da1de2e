/**
 * ROUTER (RFC 28): the first frame names the peer. Sending never blocks unless `mandatory` is set: a message
 * to a peer that is unknown or full is dropped and reported.
 *
 * @module
 */

import { binaryKey, equalBytes, NO_BYTES, writeU32 } from "../bytes/bytes.ts";
import { MisuseError, PeerError } from "../errors.ts";
import { RandomCounter } from "./counter.ts";
import { FairQueue } from "./distribution/fair_queue.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import { Pattern, type PatternInit } from "./pattern.ts";
import type { Message, Pipe } from "./pipe/pipe.ts";

export class RouterPattern extends Pattern {
  readonly type = "ROUTER";
  readonly #queue: FairQueue = new FairQueue();
  readonly #pipes: Map<string, Pipe> = new Map();
  /** The keys in `#pipes`, kept because a receiver may overwrite the id that it gets with each message. */
  readonly #keys: Map<Pipe, string> = new Map();
  /** For generated ids, which are `00` and a count. A peer's own id never begins with 00. */
  readonly #ids: RandomCounter;
  /** Most messages go where the last one went; checking it first saves making a map key. */
  #lastPipe: Pipe | undefined;

  constructor(init: PatternInit) {
    super(init);
    this.#ids = new RandomCounter(init.random);
  }

  attach(pipe: Pipe): void {
    // The application named it when connecting, so it can be addressed before the peer is there.
    if (pipe.routingId === undefined) return;
    if (!this.#register(pipe, pipe.routingId)) {
      pipe.refuse(new MisuseError("ERR_STATE", "A peer with this routing id is already connected"));
    }
  }

  detach(pipe: Pipe): void {
    if (this.#lastPipe === pipe) this.#lastPipe = undefined;
    const key = this.#keys.get(pipe);
    if (key === undefined) return;
    this.#keys.delete(pipe);
    if (this.#pipes.get(key) === pipe) this.#pipes.delete(key);
    // A send that waits for room at this peer must learn that the peer is gone.
    this.events.writable();
  }

  override ready(pipe: Pipe): void {
    if (pipe.routingId === undefined) {
      const identity = pipe.known!.identity;
      const id = identity.length > 0 ? identity : this.#generateId();
      if (!this.#register(pipe, id)) {
        pipe.refuse(
          new PeerError(
            "ERR_PEER_IDENTITY",
            "Cannot accept peer: another peer with the same routing id is connected",
          ),
        );
        return;
      }
    }
    this.events.writable();
    if (this.options.probeRouter) pipe.write(NO_BYTES);
  }

  override close(): void {
    this.#queue.clear();
  }

  override readable(pipe: Pipe): void {
    if (pipe.routingId === undefined) return;
    this.#queue.add(pipe);
    this.events.readable();
  }

  override writable(_pipe: Pipe): void {
    this.events.writable();
  }

  /** Always `true` without `mandatory`. With it, whether any peer has room; see {@link canSendTo}. */
  override get canSend(): boolean {
    if (!this.options.mandatory) return true;
    for (const pipe of this.#pipes.values()) if (pipe.canWrite) return true;
    return false;
  }

  /** Whether a message to this peer need not wait. One to an unknown peer is refused or dropped at once. */
  canSendTo(routingId: Uint8Array): boolean {
    return this.#find(routingId)?.canWrite ?? true;
  }

  override get canReceive(): boolean {
    return this.#queue.hasMessages;
  }

  override trySend(message: Outgoing): boolean {
    if (message instanceof Uint8Array || message.length < 2) {
      throw new MisuseError(
        "ERR_MESSAGE",
        "Cannot send: a Router's message needs a routing id and at least one more frame",
      );
    }
    const pipe = this.#find(message[0]!);
    const { mandatory } = this.options;
    if (pipe === undefined) {
      if (mandatory) {
        throw new MisuseError("ERR_UNROUTABLE", "Cannot send: no peer with this routing id is connected");
      }
      this.events.dropped(undefined, "no peer has this routing id");
      return true;
    }
    if (pipe.write(message.length === 2 ? message[1]! : message.slice(1))) return true;
    if (!mandatory) this.events.dropped(pipe, `the peer is ${pipe.fullAt}`);
    return !mandatory;
  }

  override tryReceive(): Message | undefined {
    const message = this.#queue.read();
    if (message === undefined) return undefined;
    const id = this.#queue.lastPipe!.routingId!;
    if (message.length === 1) return [id, message[0]!];
    message.unshift(id);
    return message;
  }

  override onlyPipeFor(message: Outgoing): Pipe | undefined {
    return message instanceof Uint8Array ? undefined : this.#find(message[0]!);
  }

  #find(id: Uint8Array): Pipe | undefined {
    const last = this.#lastPipe;
    if (last !== undefined && (last.routingId === id || equalBytes(last.routingId!, id))) return last;
    const pipe = this.#pipes.get(binaryKey(id));
    if (pipe !== undefined) this.#lastPipe = pipe;
    return pipe;
  }

  #register(pipe: Pipe, id: Uint8Array): boolean {
    const key = binaryKey(id);
    const older = this.#pipes.get(key);
    if (older !== undefined && older !== pipe) {
      if (!this.options.handover) return false;
      if (this.#lastPipe === older) this.#lastPipe = undefined;
      this.#pipes.delete(key);
      older.refuse(new PeerError("ERR_PEER_IDENTITY", "A new connection with the same routing id took over"));
    }
    pipe.routingId = id;
    this.#keys.set(pipe, key);
    this.#pipes.set(key, pipe);
    return true;
  }

  #generateId(): Uint8Array {
    const id = new Uint8Array(5);
    writeU32(id, 1, this.#ids.take());
    return id;
  }
}
