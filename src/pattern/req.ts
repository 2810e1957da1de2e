/**
 * REQ (RFC 28): a request, then its reply, strictly in turn. Only the peer that got the request may reply.
 *
 * @module
 */

import { equalBytes, NO_BYTES, writeU32 } from "../bytes/bytes.ts";
import { MisuseError } from "../errors.ts";
import { RandomCounter } from "./counter.ts";
import { ExchangePattern } from "./distribution/exchange.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import { framesOf, type PatternInit } from "./pattern.ts";
import type { Message, Pipe } from "./pipe/pipe.ts";

export class ReqPattern extends ExchangePattern {
  readonly type = "REQ";
  readonly #ids: RandomCounter;
  #waiting = false;
  #replyPipe: Pipe | undefined;
  /** The id before the request, if `correlate` is set. */
  #requestId: Uint8Array | undefined;

  constructor(init: PatternInit) {
    super(init);
    this.#ids = new RandomCounter(init.random);
  }

  override detach(pipe: Pipe): void {
    super.detach(pipe);
    // As in libzmq: once its peer is gone, a request accepts a reply from any peer.
    if (this.#replyPipe === pipe) this.#replyPipe = undefined;
  }

  override get canSend(): boolean {
    return (!this.#waiting || this.options.relaxed) && super.canSend;
  }

  override get canReceive(): boolean {
    return this.#waiting && super.canReceive;
  }

  /** Whether a reply is outstanding. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** Stops waiting for a reply, so that the next request may go out. */
  giveUp(): void {
    this.#waiting = false;
    this.#replyPipe = undefined;
  }

  override trySend(message: Outgoing): boolean {
    if (this.#waiting && !this.options.relaxed) {
      throw new MisuseError("ERR_STATE", "Cannot send: the last request has no reply yet");
    }
    if (!this.balancer.canWrite) return false;
    const envelope: Uint8Array[] = [];
    if (this.options.correlate) {
      const id = new Uint8Array(4);
      writeU32(id, 0, this.#ids.next);
      envelope.push(id);
    }
    // Nothing that arrived before this request can be its reply.
    while (this.queue.read() !== undefined);
    if (!this.balancer.write([...envelope, NO_BYTES, ...framesOf(message)])) return false;
    this.#ids.take();
    this.#requestId = envelope[0];
    this.#replyPipe = this.balancer.lastPipe;
    this.#waiting = true;
    return true;
  }

  override tryReceive(): Message | undefined {
    if (!this.#waiting) throw new MisuseError("ERR_STATE", "Cannot receive: no request was sent");
    for (let message = this.queue.read(); message !== undefined; message = this.queue.read()) {
      if (this.#replyPipe !== undefined && this.queue.lastPipe !== this.#replyPipe) continue;
      const reply = this.#open(message);
      if (reply === undefined) continue;
      this.#waiting = false;
      this.#replyPipe = undefined;
      return reply;
    }
    return undefined;
  }

  /** Takes a reply out of its envelope. Returns `undefined` for anything but a reply to the last request. */
  #open(message: Message): Message | undefined {
    let at = 0;
    const id = this.#requestId;
    if (id !== undefined) {
      if (message.length === 0 || !equalBytes(message[0]!, id)) return undefined;
      at = 1;
    }
    if (message.length < at + 2 || message[at]!.length !== 0) return undefined;
    return message.slice(at + 1);
  }
}
