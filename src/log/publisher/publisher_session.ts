/**
 * A publisher's session as its own side sees it: fills batches, sends them, and keeps each until it is acknowledged, over
 * lost links, fences, and brokers that have forgotten. Nothing is lost on the way and nothing is doubled: what is committed of
 * a session is a prefix of what was appended, and the rest is sent again or rejected.
 *
 * The states are in states.ts, what is on its way in flight.ts, the batch that is being filled in sealer.ts.
 *
 * @module
 */

import { LogError } from "../errors.ts";
import type { Ack } from "../topic_options.ts";
import type { AckMessage, Fenced, Grant, Refused, SessionOpened, StoreState } from "../wire/messages.ts";
import { checkOptions, checkSequence, lengthOf } from "./given.ts";
import type { PublisherProgress } from "./progress.ts";
import { PublisherCore } from "./publisher_core.ts";
import { FULL, type PublisherInit, type PublisherLink, SEALED, STARTED, TAKEN } from "./publisher_types.ts";
import type { PublishedRecordOptions } from "./sealer.ts";
import type { PublisherState } from "./states.ts";

/** A batch waits no longer than this for the answer to the one before. */
const GATHER_MS = 1;

/** See the module. `Token`: whoever waits for a record. */
export class PublisherSession<Token> {
  readonly #core: PublisherCore<Token>;
  /** What {@link append} last answered {@link FULL} for. */
  #wantedBytes = 0;
  #wanted: "opened" | "room" | "batch" = "room";

  constructor(init: PublisherInit<Token>) {
    this.#core = new PublisherCore(init);
  }

  get state(): PublisherState {
    return this.#core.state;
  }

  /** Why nothing can be published any more. */
  get error(): LogError | undefined {
    return this.#core.error;
  }

  /** Whether it ended with everything answered before. */
  get endedClean(): boolean {
    return this.#core.endedClean;
  }

  /** 0: not known yet. */
  get session(): bigint {
    return this.#core.session;
  }

  /** 0: none is open or to be resumed. */
  get epoch(): number {
    return this.#core.epoch;
  }

  /** Whether an epoch was ever opened. */
  get everOpened(): boolean {
    return this.#core.everOpened;
  }

  /** The greatest sequence that was committed or appended. */
  get lastSequence(): bigint | undefined {
    return this.#core.lastSequence;
  }

  /** When a record counts as published; as the topic has it once that is known. */
  get level(): Ack {
    return this.#core.flight.level;
  }

  /** Records that were appended. */
  get submitted(): number {
    return this.#core.sealer.records;
  }

  /** Records before this one are answered: acknowledged or refused. */
  get settledThrough(): number {
    const { flight: { window }, sealer } = this.#core;
    return window.length > 0 ? window.at(0).firstRecord : sealer.records - sealer.count;
  }

  get progress(): PublisherProgress {
    return this.#core.progress.snapshot(this.submitted);
  }

  /** When {@link handleTimeout} is due. */
  get nextTimeoutMs(): number {
    const { sealer, lingerAtMs, probeAtMs } = this.#core;
    const lingering = sealer.count > 0 && !sealer.due;
    return Math.min(lingering ? lingerAtMs : Infinity, this.#resendAtMs, probeAtMs);
  }

  /** Whether the record that {@link append} last answered {@link FULL} for would be taken now. */
  get isWritable(): boolean {
    if (this.#wanted === "opened" && !this.#core.everOpened) return false;
    if (this.#wanted === "batch" && this.#core.sealer.count > 0 && !this.#mayBegin) return false;
    return this.#hasRoom(this.#wantedBytes);
  }

  /**
   * Copies a record into the batch that is being filled. Answers bits: {@link FULL}, or {@link TAKEN} with what is to be called.
   * Reads no clock and makes nothing, but when a batch is full.
   *
   * @throws {LogError} why nothing can be published any more; `ERR_LOG_SEQUENCE`; `ERR_LOG_BATCH_TOO_LARGE`.
   * @throws {MisuseError} `ERR_MESSAGE` for a record that is none.
   */
  append(value: Uint8Array | string, options?: PublishedRecordOptions, token?: Token): number {
    const core = this.#core;
    const { sealer } = core;
    if (core.error !== undefined || core.closing) throw core.error ?? closedError();
    if (options !== undefined) checkOptions(options);
    const sequence = options?.sequence;
    const bytes = lengthOf(value);
    if (sequence !== undefined && !checkSequence(sequence, core)) return this.#full(bytes, "opened");
    if (!this.#hasRoom(bytes)) return this.#full(bytes, "room");
    let answer = sealer.count === 0 ? TAKEN | STARTED : TAKEN;
    if (!sealer.add(value, options, token)) {
      answer = this.#addBehind(value, options, token);
      if (answer === FULL) return this.#full(bytes, "batch");
    }
    if (sequence !== undefined) core.lastSequence = sequence;
    if (!sealer.full) return answer;
    core.seal();
    return TAKEN | SEALED;
  }

  /**
   * A batch was begun. Answers whether {@link due} is to be called at the end of the callback, or {@link handleTimeout} in time.
   *
   * While a batch is under way, the next one waits for its acknowledgement, and without linger no longer than a millisecond: a
   * broker that is busy with many small batches gets fewer and larger ones.
   */
  started(nowMs: number): "callback" | "timer" {
    const core = this.#core;
    const { lingerMs } = core.init;
    if (lingerMs === 0 && core.state === "open" && core.flight.window.length === 0) return "callback";
    core.lingerAtMs = nowMs + Math.max(lingerMs, GATHER_MS);
    return "timer";
  }

  /** What was appended is to leave, now or as soon as it can. */
  due(nowMs: number): void {
    if (this.#core.sealer.count === 0) return;
    this.#core.sealer.due = true;
    this.#core.pump(nowMs);
  }

  /** Sends what can be sent: after {@link append} sealed a batch, and when the link takes messages again. */
  pump(nowMs: number): void {
    this.#core.pump(nowMs);
  }

  /** There is a link, and the topic is there. */
  linked(link: PublisherLink): void {
    const core = this.#core;
    if (core.isFinal) return;
    core.link = link;
    core.storeFull = false;
    core.progress.linked(link.brokerId);
    core.sealer.limit(link.batchBytesMax);
    core.flight.level = link.ack;
    core.flight.order = link.order;
    if (core.isAnotherLog) core.forgotten();
    core.dropLargerThan(link.batchBytesMax);
    core.go("linked");
    core.open();
  }

  /** The link is gone. */
  unlinked(): void {
    const core = this.#core;
    if (core.isFinal) return;
    core.go("unlinked");
    core.link = undefined;
    core.request = 0;
    core.probeAtMs = Infinity;
    core.flight.unlinked();
    core.closeIfDone();
  }

  /** The answer to `openSession`. */
  sessionOpened(message: SessionOpened, nowMs: number): void {
    const core = this.#core;
    if (message.request !== core.request || core.request === 0) return;
    core.request = 0;
    if (core.state === "resuming") {
      if (message.epoch !== core.epoch || message.session !== core.session) {
        return core.violated(`it opened epoch ${message.epoch} where ${core.epoch} was asked for`);
      }
      const lost = core.flight.resumed(message, nowMs);
      if (lost !== 0) return core.epochLost(lost);
    } else {
      if (message.nextBatch !== 0) return core.violated(`a new epoch begins at batch ${message.nextBatch}`);
      core.flight.opened(nowMs, core.link?.topicAck === 2);
    }
    core.opened(message);
    core.review();
    core.pump(nowMs);
    core.closeIfDone();
  }

  /** How far the broker is. */
  ack(message: AckMessage, nowMs: number): void {
    const core = this.#core;
    if (!this.#isOurs(message)) return;
    const before = core.flight.committed;
    const fault = core.flight.acknowledged(message, nowMs);
    if (fault !== undefined) return core.violated(fault);
    if (core.flight.committed > before) core.tookMore();
    // Only a grant lowers the limit: an ack may have left before the broker read what we yielded.
    core.flight.limit = Math.max(core.flight.limit, message.limit);
    if (core.init.lingerMs === 0) core.sealer.due = core.sealer.count > 0;
    core.review();
    core.pump(nowMs);
    core.closeIfDone();
  }

  /** The limit has changed. */
  grant(message: Grant, nowMs: number): void {
    const core = this.#core;
    if (!this.#isOurs(message)) return;
    if (!message.lowered) {
      core.flight.limit = Math.max(core.flight.limit, message.limit);
      return core.pump(nowMs);
    }
    const limit = Math.max(message.limit, core.flight.next);
    core.flight.limit = Math.min(core.flight.limit, limit);
    core.target.send({ type: "yield", session: core.session, epoch: core.epoch, limit });
  }

  /** An epoch is over. */
  fenced(message: Fenced, nowMs: number): void {
    const core = this.#core;
    if (core.isFinal || core.epoch === 0) return;
    const { session, epoch, nextBatch, reason } = message;
    if (session !== core.session || epoch !== core.epoch) return;
    if (reason === "sessionUnknown") return core.unknown();
    const { flight } = core;
    if (nextBatch > flight.high) {
      return core.violated(`it committed batches below ${nextBatch}, and ${flight.high} were sent`);
    }
    const lost = flight.window.baseNumber - nextBatch;
    flight.ended(nextBatch, core.link?.topicAck === 2, nowMs);
    // Who asks too late is not told how far the epoch came.
    if (reason === "superseded") return core.superseded();
    if (lost > 0) core.target.happened({ type: "acknowledgedLost", batches: lost });
    core.target.happened({ type: "fenced", epoch, nextBatch, reason });
    core.epochOver();
    core.closeIfDone();
  }

  /** The broker did not take a batch, or did not open the session. */
  refused(message: Refused, nowMs: number): void {
    const core = this.#core;
    if (core.isFinal) return;
    const { code, message: text } = message.error;
    const error = new LogError(code, text, { topic: core.init.topic });
    if (message.request !== 0) {
      if (message.request === core.request) core.openRefused(error, nowMs);
    } else if (this.#isOurs(message)) {
      core.batchRefused(message.batch, error, nowMs);
      core.review();
      core.pump(nowMs);
      core.closeIfDone();
    }
  }

  /** The store of the topic is full, or is not any more, or has stopped. */
  storeState({ session, epoch, state, message }: StoreState, nowMs: number): void {
    const core = this.#core;
    if (!this.#isOurs({ session, epoch })) return;
    if (state === "full") core.full(message, nowMs);
    else if (state === "resumed") core.resumed(nowMs);
    else core.pause(nowMs);
  }

  /** Time has come; see {@link nextTimeoutMs}. */
  handleTimeout(nowMs: number): void {
    const core = this.#core;
    if (core.probeAtMs <= nowMs) {
      core.probeAtMs = Infinity;
      core.storeFull = false;
      if (core.isExchanging) core.pump(nowMs);
      else core.open();
    }
    if (core.lingerAtMs <= nowMs) {
      core.lingerAtMs = Infinity;
      this.due(nowMs);
    }
    if (this.#resendAtMs > nowMs) return;
    const first = core.flight.unanswered;
    if (first !== undefined) core.resend(first, nowMs);
  }

  /** Nothing more will be appended: the session closes when everything is acknowledged. */
  close(nowMs: number): void {
    this.#core.closing = true;
    this.due(nowMs);
    this.#core.closeIfDone();
  }

  /** Ends at once; what is not acknowledged is rejected. */
  abandon(error: LogError): void {
    if (this.#core.isFinal) return;
    this.#core.sendClose();
    this.#core.end("closed", error);
  }

  /** The topic cannot be had: ends at once. */
  fail(error: LogError): void {
    if (!this.#core.isFinal) this.#core.fail(error);
  }

  get #resendAtMs(): number {
    const { isExchanging, storeFull, flight } = this.#core;
    return isExchanging && !storeFull ? flight.resendAtMs : Infinity;
  }

  /**
   * What is committed in older epochs does not count: it may wait to be synced until a batch of this one is.
   */
  #hasRoom(bytes: number): boolean {
    const { init, flight: { window }, sealer } = this.#core;
    const used = window.bytes - window.olderBytes + sealer.bytes;
    if (used > 0 && used + bytes > init.windowBytes) return false;
    return sealer.count > 0 || window.length - window.older < init.windowBatches;
  }

  /** Whether another batch may follow the one that is being filled. */
  get #mayBegin(): boolean {
    const { init, flight: { window } } = this.#core;
    return window.length - window.older + 1 < init.windowBatches;
  }

  #full(bytes: number, wanted: "opened" | "room" | "batch"): number {
    this.#wantedBytes = bytes;
    this.#wanted = wanted;
    return FULL;
  }

  /** The record does not fit behind those of the batch. */
  #addBehind(
    value: Uint8Array | string,
    options: PublishedRecordOptions | undefined,
    token: Token | undefined,
  ): number {
    const { sealer, flight: { window } } = this.#core;
    const largeBytes = sealer.large(value, options);
    if (sealer.count > 0) {
      if (!this.#mayBegin) return FULL;
      this.#core.seal();
    }
    if (largeBytes === undefined) {
      sealer.add(value, options, token);
      return TAKEN | SEALED | STARTED;
    }
    window.push(sealer.sealLarge(largeBytes, value, options, token));
    return TAKEN | SEALED;
  }

  /** Whether a message speaks of the epoch that is open. What was said of older ones comes late. */
  #isOurs({ session, epoch }: { readonly session: bigint; readonly epoch: number }): boolean {
    const core = this.#core;
    return core.isExchanging && session === core.session && epoch === core.epoch;
  }
}

function closedError(): LogError {
  return new LogError("ERR_LOG_CLOSED", "The publisher is closed");
}
