/**
 * What a publisher's session does: opens and reopens its epoch, sends, gives up, ends. When it does so is decided in
 * publisher_session.ts, by what arrives.
 *
 * @module
 */

import { next } from "../../state_table.ts";
import { LogError } from "../errors.ts";
import type { SessionOpened } from "../wire/messages.ts";
import { Flight } from "./flight.ts";
import { ProgressCounter } from "./progress.ts";
import type { PublisherInit, PublisherLink, PublisherTarget } from "./publisher_types.ts";
import { Sealer } from "./sealer.ts";
import { isFinal, PUBLISHER_TRANSITIONS, type PublisherInput, type PublisherState } from "./states.ts";
import type { OutgoingBatch } from "./window.ts";

/** Times that a batch may arrive damaged before it is given up. */
const DAMAGES_MAX = 8;
/** How long a full store is left alone that does not tell when it has room. */
const PROBE_MS = 5_000;

/** See the module. The fields are read and written by the session alone. */
export class PublisherCore<Token> {
  readonly init: PublisherInit<Token>;
  readonly target: PublisherTarget<Token>;
  readonly sealer: Sealer<Token>;
  readonly flight: Flight<Token>;
  readonly progress: ProgressCounter = new ProgressCounter();
  state: PublisherState = "unopened";
  link: PublisherLink | undefined;
  session: bigint;
  /** 0: none, or it is over. */
  epoch = 0;
  /** The open request that was not answered; 0: none. */
  request = 0;
  everOpened = false;
  lastSequence: bigint | undefined;
  lingerAtMs: number = Infinity;
  /** When to ask again for what a full store has no room for. */
  probeAtMs: number = Infinity;
  storeFull = false;
  closing = false;
  error: LogError | undefined;
  /** It ended with nothing left to be acknowledged. */
  endedClean = false;
  /** Of the epoch: the log that it was opened in, and the log's generation then. */
  #logId = 0n;
  #generation = 0;
  #fullTold = false;
  /** The greatest sequence that the log is known to have. */
  #loggedSequence: bigint | undefined;

  constructor(init: PublisherInit<Token>) {
    this.init = init;
    this.target = init.target;
    this.sealer = new Sealer<Token>(init);
    this.session = init.publisher === "" ? init.newSession() : 0n;
    this.flight = new Flight<Token>(init.resendTimeoutMs, {
      settled: (batch) => this.#settled(batch),
      retired: (batch) => {
        if (batch.memory !== undefined && !batch.shared) this.sealer.recycle(batch.memory);
      },
    });
  }

  get isFinal(): boolean {
    return isFinal(this.state);
  }

  /** Whether batches of the epoch are with the broker. */
  get isExchanging(): boolean {
    return this.state === "open" || this.state === "draining";
  }

  go(input: PublisherInput): void {
    this.state = next(PUBLISHER_TRANSITIONS, this.state, input);
  }

  /** Asks for the epoch that the state calls for. */
  open(): void {
    const { link, state } = this;
    if (link === undefined || (state !== "opening" && state !== "resuming")) return;
    const resuming = state === "resuming";
    this.probeAtMs = Infinity;
    this.request = this.target.nextRequest();
    this.target.send({
      type: "openSession",
      request: this.request,
      topic: this.init.topic,
      publisher: this.init.publisher,
      session: this.session,
      epoch: resuming ? this.epoch : 0,
      acknowledged: resuming ? this.flight.window.baseNumber : 0,
      ack: link.ack,
      windowBatches: this.init.windowBatches,
      windowBytes: this.init.windowBytes,
    });
  }

  /** The epoch that was asked for is open. */
  opened(message: SessionOpened): void {
    this.session = message.session;
    this.epoch = message.epoch;
    this.#logId = this.link?.logId ?? 0n;
    this.#generation = message.generation;
    this.flight.limit = message.limit;
    this.flight.windowBytes = message.windowBytes;
    this.everOpened = true;
    // Whether it still is, the broker tells by what it refuses.
    this.storeFull = false;
    const { lastSequence } = message;
    if (
      lastSequence !== undefined && !(this.lastSequence !== undefined && this.lastSequence >= lastSequence)
    ) {
      this.lastSequence = lastSequence;
    }
    this.#logged(lastSequence);
    this.go("opened");
    this.target.happened({ type: "opened", epoch: message.epoch, lastSequence });
  }

  seal(): void {
    this.lingerAtMs = Infinity;
    this.flight.window.push(this.sealer.seal());
  }

  /** Sends what state, window and link allow: before a gap that stays, only what was sent once and got lost. */
  pump(nowMs: number): void {
    if (!this.isExchanging || this.storeFull) return;
    const draining = this.state === "draining";
    while (true) {
      const batch = this.flight.peek(draining);
      if (batch === undefined) {
        if (
          draining || !this.sealer.due || this.sealer.count === 0 ||
          !this.flight.hasRoomFor(this.sealer.bytes)
        ) return;
        this.seal();
      } else {
        if (!this.#trySend(batch, this.flight.next)) return;
        this.flight.sent(nowMs);
      }
    }
  }

  /** Sends a batch once more. */
  resend(number: number, nowMs: number): void {
    if (this.#trySend(this.flight.get(number), number)) this.flight.resent(number, nowMs);
    else this.flight.postponed(nowMs);
  }

  /** The epoch is over: what it did not commit goes into the next one. */
  epochOver(): void {
    this.flight.renumber();
    this.epoch = 0;
    this.request = 0;
    this.go("epochOver");
    this.open();
  }

  /** The broker has less of the epoch than it had acknowledged; or more than there was, by a sentence. */
  epochLost(lost: number | string): void {
    if (typeof lost === "string") {
      return this.fail(new LogError("ERR_LOG_MALFORMED", `Cannot resume: ${lost}`));
    }
    this.target.happened({ type: "acknowledgedLost", batches: lost });
    this.epochOver();
  }

  /** Whether the link leads to another log than the one in which the epoch was opened: memory does not survive its broker. */
  get isAnotherLog(): boolean {
    const { link } = this;
    return this.epoch !== 0 && link?.durability === "none" && link.logId !== this.#logId;
  }

  /** Nothing of this session is in the log any more: all that is here begins anew. */
  forgotten(): void {
    const lost = this.flight.window.baseNumber;
    this.flight.forget();
    this.#renewSession();
    if (lost > 0) this.target.happened({ type: "acknowledgedLost", batches: lost });
    this.epochOver();
  }

  /**
   * The broker does not know the session. If a crash of the machine has cut the log since, the session was in what was cut.
   * Otherwise it was idle for too long: whether batches that were sent are in the log nobody can tell any more, and to
   * send them again might double them.
   */
  unknown(): void {
    if (this.link !== undefined && this.link.generation > this.#generation) return this.forgotten();
    const error = new LogError("ERR_LOG_SESSION_UNKNOWN", "The broker has forgotten the session", {
      topic: this.init.topic,
    });
    const { window } = this.flight;
    for (let index = window.older; index < window.length; index++) {
      const batch = window.at(index);
      if (batch.sends > 0 && !batch.committed) this.#reject(window.numberAt(index), error);
    }
    this.#renewSession();
    this.epochOver();
  }

  /** A batch will never be taken. */
  drop(number: number, error: LogError): void {
    if (!this.flight.holds(number)) return;
    const { lastSequence } = this.flight.get(number);
    const stood = this.#reject(number, error);
    this.#giveBack(lastSequence);
    if (stood && this.isExchanging) this.go("batchRefused");
  }

  /** Batches that were not sent and that this broker would refuse. */
  dropLargerThan(bytesMax: number): void {
    const { window } = this.flight;
    for (let number = window.nextNumber - 1; number >= this.flight.high; number--) {
      const { length } = window.at(window.indexOf(number)).body;
      if (length <= bytesMax) continue;
      const text = `A batch of ${length} bytes is above the broker's batchBytesMax (${bytesMax})`;
      this.drop(number, new LogError("ERR_LOG_BATCH_TOO_LARGE", text, { topic: this.init.topic }));
    }
  }

  /** A batch arrived damaged. */
  damaged(number: number, error: LogError, nowMs: number): void {
    if (!this.flight.holds(number)) return;
    if (++this.flight.get(number).damages > DAMAGES_MAX) return this.drop(number, error);
    if (number < this.flight.next) this.resend(number, nowMs);
  }

  /** Where batches were refused: whether the epoch can go on or be left. */
  review(): void {
    if (this.state === "open" && this.flight.dropped > 0) this.go("batchRefused");
    if (this.state !== "draining") return;
    const gap = this.flight.gap();
    if (gap === "closed") {
      this.go("gapClosed");
      return this.review();
    }
    if (gap === "waiting") return;
    this.flight.renumber();
    this.epoch = 0;
    this.go("drained");
    this.open();
  }

  /** The broker refuses batches of the epoch: asks what has become of it. */
  doubted(): void {
    this.go("doubted");
    this.flight.unlinked();
    this.open();
  }

  /** The store has no room. Publishing waits. */
  full(message: string, nowMs: number): void {
    this.pause(nowMs);
    if (this.#fullTold) return;
    this.#fullTold = true;
    this.target.happened({ type: "storeFull", message });
  }

  /** The store takes nothing. One that has stopped is opened again, with new links; what comes of that is told then. */
  pause(nowMs: number): void {
    this.storeFull = true;
    this.probeAtMs = nowMs + PROBE_MS;
  }

  /** The store has room again. */
  resumed(nowMs: number): void {
    this.storeFull = false;
    this.probeAtMs = Infinity;
    this.tookMore();
    this.flight.rewind(this.flight.committed);
    this.pump(nowMs);
  }

  /** The store has taken something: it is not full, unless it said so since. */
  tookMore(): void {
    if (this.storeFull || !this.#fullTold) return;
    this.#fullTold = false;
    this.target.happened({ type: "storeResumed" });
  }

  superseded(): void {
    this.target.happened({ type: "superseded" });
    const text = `A newcomer took over the publisher "${this.init.publisher}"`;
    this.end("superseded", new LogError("ERR_LOG_SUPERSEDED", text, { topic: this.init.topic }));
  }

  fail(error: LogError): void {
    this.target.happened({ type: "failed", error });
    this.end("failed", error);
  }

  /** The broker broke the rules. */
  violated(what: string): void {
    const text = `The broker broke the rules of a session: ${what}`;
    this.target.violated(new LogError("ERR_LOG_MALFORMED", text, { topic: this.init.topic }));
  }

  /** The broker did not open the epoch. */
  openRefused(error: LogError, nowMs: number): void {
    this.request = 0;
    switch (error.code) {
      case "ERR_LOG_SUPERSEDED":
        return this.superseded();
      case "ERR_LOG_SESSION_UNKNOWN":
        return this.unknown();
      case "ERR_LOG_STORE_FULL":
        return this.full(error.message, nowMs);
      case "ERR_LOG_CLOSED":
        // A broker that closes ends its links; the next one is asked again.
        return;
      default:
        return this.fail(error);
    }
  }

  /** The broker did not take a batch. */
  batchRefused(number: number, error: LogError, nowMs: number): void {
    switch (error.code) {
      case "ERR_LOG_FENCED":
      case "ERR_LOG_SESSION_UNKNOWN":
        return this.doubted();
      case "ERR_LOG_STORE_FULL":
        this.full(error.message, nowMs);
        return this.flight.rewind(number);
      case "ERR_LOG_STORE_FAILED":
        this.pause(nowMs);
        return this.flight.rewind(number);
      case "ERR_LOG_WINDOW":
        // It waits, as one that was lost does.
        return;
      case "ERR_LOG_MALFORMED":
        return this.damaged(number, error, nowMs);
      default:
        return this.drop(number, error);
    }
  }

  /** Closes when that was asked for and everything is answered. */
  closeIfDone(): void {
    if (!this.closing || this.isFinal || this.sealer.count > 0 || this.flight.window.length > 0) return;
    // What is being opened is closed in order once it is open.
    if (this.state === "opening" || this.state === "resuming") return;
    this.sendClose();
    this.end("closed", new LogError("ERR_LOG_CLOSED", "The publisher is closed"));
  }

  sendClose(): void {
    if (!this.isExchanging) return;
    this.target.send({ type: "closeSession", session: this.session, epoch: this.epoch });
  }

  /** What is not acknowledged is rejected. */
  end(input: "superseded" | "failed" | "closed", error: LogError): void {
    if (this.sealer.count > 0) this.seal();
    this.endedClean = this.flight.window.length === 0;
    this.go(input);
    this.error = error;
    this.request = 0;
    this.probeAtMs = Infinity;
    this.flight.clear(error);
  }

  /** A refused batch has used no sequence: unless a later one was given since, they can be given again. */
  #giveBack(refused: bigint | undefined): void {
    if (refused === undefined || refused !== this.lastSequence) return;
    const { window } = this.flight;
    let last = this.#loggedSequence;
    for (let index = 0; index < window.length; index++) {
      const { error, lastSequence } = window.at(index);
      if (error === undefined && lastSequence !== undefined) last = lastSequence;
    }
    this.lastSequence = last;
  }

  #logged(sequence: bigint | undefined): void {
    if (sequence !== undefined && sequence > (this.#loggedSequence ?? -1n)) this.#loggedSequence = sequence;
  }

  #renewSession(): void {
    this.session = this.init.publisher === "" ? this.init.newSession() : 0n;
  }

  #reject(number: number, error: LogError): boolean {
    const { count } = this.flight.get(number);
    const stood = this.flight.drop(number, error);
    this.target.happened({ type: "refused", error, records: count });
    return stood;
  }

  #trySend(batch: OutgoingBatch<Token>, number: number): boolean {
    return this.target.trySendBatch({
      type: "batch",
      session: this.session,
      epoch: this.epoch,
      batch: number,
      count: batch.count,
      lastSequence: batch.lastSequence,
      bodyBytes: batch.body.length,
      bodyCrc: batch.crc,
    }, batch.body);
  }

  #settled(batch: OutgoingBatch<Token>): void {
    if (batch.error === undefined) {
      this.progress.add(batch.count);
      this.#logged(batch.lastSequence);
    } else this.progress.refuse(batch.count);
    this.target.settled(batch);
  }
}
