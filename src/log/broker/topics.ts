/**
 * The topics of a broker: opened when somebody asks for them, recovered from their stores, reopened when a store failed.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import type { Host } from "../../ports.ts";
import { type BrokerOptions, topicOptionsFor } from "../configuration/broker.ts";
import { isTopicName, type TopicInput } from "../configuration/topic.ts";
import { LogError } from "../errors.ts";
import { type Recovered, recoverTopic } from "../order/recovery.ts";
import { Sequencer } from "../order/sequencer.ts";
import { sessionsThatFit } from "../order/snapshot.ts";
import { TopicState } from "../order/topic_state.ts";
import type { StoreEvents, StoreFactory, StoreFailure, TopicStore } from "../store/store.ts";
import type { TopicOptions } from "../topic_options.ts";
import type { TopicDone } from "./broker_connection.ts";
import { Topic } from "./topic.ts";
import { badName, optionError, storeError, unknownTopic } from "./topic_errors.ts";
import { TopicNames } from "./topic_names.ts";

/** Rows of the order index that each topic keeps in memory. */
const INDEX_ROWS_MAX = 500_000;
/** A store that failed is opened again after so long. */
const REOPEN_MS = 1_000;

/** What {@link Topics} is made of. */
export interface TopicsInit {
  readonly host: Host;
  readonly stores: StoreFactory;
  readonly options: BrokerOptions;
  readonly brokerId: number;
  readonly crc32: Crc32;
  readonly newSession: () => bigint;
  readonly due: (topic: Topic) => void;
  /** A topic's store failed: nobody may use it any more. */
  readonly lost: (topic: Topic) => void;
  readonly notice: (text: string, error?: LogError) => void;
}

/** Who waits for a topic to be open. */
interface Waiting {
  readonly requested: TopicInput;
  readonly done: TopicDone;
  /** `makes`: it is made where it is not there. `waits`: until somebody makes it. `asks`: it is there or is not. */
  readonly as: "makes" | "waits" | "asks";
}

/** A topic that is there, is being opened, or cannot be. */
interface Slot {
  topic: Topic | undefined;
  /** It may be used: what was found is as durable as what will be acknowledged. */
  settled: boolean;
  /** Ends the pause in front of another try. */
  cancelReopen: (() => void) | undefined;
  waiting: Waiting[];
}

/** One try to open a topic. */
interface Opening {
  readonly name: string;
  readonly slot: Slot;
  readonly options: TopicOptions;
  /** Whether it is made where it is not there: somebody wanted to when this began. */
  readonly makes: boolean;
  /** What the store told before there was a topic to tell. */
  readonly early: (() => void)[];
}

/** See the module. */
export class Topics {
  readonly #init: TopicsInit;
  readonly #slots: Map<string, Slot> = new Map();
  /** Readers of topics that nobody has made. */
  readonly #parked: Map<string, Set<TopicDone>> = new Map();
  readonly #names: TopicNames;
  /** Stores that are being opened, are open, or are being closed. */
  #stores = 0;
  #closed = false;
  /** Told when all of them were let go of. */
  #ended: (() => void) | undefined;

  constructor(init: TopicsInit) {
    this.#init = init;
    this.#names = new TopicNames(init.stores);
  }

  /** Those that are open. */
  get all(): Topic[] {
    return [...this.#slots.values()].flatMap(({ topic }) => topic ?? []);
  }

  get nextTimeoutMs(): number {
    let least = Infinity;
    for (const { topic } of this.#slots.values()) least = Math.min(least, topic?.nextTimeoutMs ?? Infinity);
    return least;
  }

  handleTimeout(nowMs: number): void {
    for (const { topic } of this.#slots.values()) {
      if (topic !== undefined && nowMs >= topic.nextTimeoutMs) topic.handleTimeout(nowMs);
    }
  }

  /** A topic with options; it is made if it is not there. */
  open(name: string, requested: TopicInput, done: TopicDone): void {
    if (!isTopicName(name)) return done(badName(name));
    const slot = this.#slots.get(name);
    const waiting: Waiting = { requested, done, as: "makes" };
    if (slot !== undefined) return this.#use(slot, waiting);
    this.#names.known((known) => {
      if (known instanceof LogError) return done(known);
      const { autoCreateTopics, topics } = this.#init.options;
      if (!known.has(name) && !autoCreateTopics && !Object.hasOwn(topics, name)) {
        return done(unknownTopic(name));
      }
      this.#begin(name, waiting);
    });
  }

  /** A topic that somebody made. `wait`: when it is made. The answer cancels the waiting. */
  find(name: string, wait: boolean, done: TopicDone): () => void {
    let wanted = true;
    const tell: TopicDone = (topic) => {
      if (wanted) done(topic);
    };
    const slot = this.#slots.get(name);
    const waiting: Waiting = { requested: {}, done: tell, as: wait ? "waits" : "asks" };
    if (slot !== undefined) this.#use(slot, waiting);
    else this.#findClosed(name, waiting, () => wanted);
    return () => {
      wanted = false;
      this.#parked.get(name)?.delete(tell);
      const open = this.#slots.get(name);
      if (open !== undefined) open.waiting = open.waiting.filter((one) => one.done !== tell);
    };
  }

  /** Lets go of every store, also of those that are only being opened. Nobody who waits for a topic is told. */
  close(done: () => void): void {
    this.#closed = true;
    this.#names.close();
    this.#ended = done;
    for (const slot of this.#slots.values()) {
      slot.cancelReopen?.();
      slot.waiting.length = 0;
      const { topic } = slot;
      topic?.close((failure) => {
        if (failure !== undefined) {
          this.#init.notice(`Topic "${topic.name}" was not closed in order: ${failure.message}`);
        }
        this.#storeGone();
      });
    }
    this.#endIfDone();
  }

  /** One store fewer. */
  #storeGone(): void {
    this.#stores--;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (!this.#closed || this.#stores > 0) return;
    const ended = this.#ended;
    this.#ended = undefined;
    if (ended !== undefined) this.#init.stores.close(ended);
  }

  /** A topic that is open, or as soon as it is. */
  #use(slot: Slot, waiting: Waiting): void {
    if (slot.settled) waiting.done(this.#checked(slot.topic!, waiting.requested));
    else slot.waiting.push(waiting);
  }

  #findClosed(name: string, waiting: Waiting, wanted: () => boolean): void {
    const { done } = waiting;
    if (!isTopicName(name)) return done(badName(name));
    this.#names.known((known) => {
      if (!wanted()) return;
      if (known instanceof LogError) return done(known);
      // Who asked before may have made it meanwhile.
      if (this.#slots.has(name) || known.has(name) || Object.hasOwn(this.#init.options.topics, name)) {
        return this.#begin(name, waiting);
      }
      this.#isNotThere(name, waiting);
    });
  }

  #isNotThere(name: string, { done, as }: Waiting): void {
    if (as !== "waits") return done(unknownTopic(name));
    let parked = this.#parked.get(name);
    if (parked === undefined) this.#parked.set(name, parked = new Set());
    parked.add(done);
  }

  #begin(name: string, waiting: Waiting): void {
    const there = this.#slots.get(name);
    if (there !== undefined) return this.#use(there, waiting);
    const slot: Slot = { topic: undefined, settled: false, cancelReopen: undefined, waiting: [waiting] };
    this.#slots.set(name, slot);
    this.#openStore(name, slot);
  }

  #openStore(name: string, slot: Slot): void {
    slot.cancelReopen = undefined;
    let options: TopicOptions;
    try {
      options = this.#optionsOf(name, slot);
    } catch (error) {
      return this.#failed(name, slot, optionError(error));
    }
    const { stores } = this.#init;
    const storeOptions = {
      segmentBytes: this.#segmentMemory(options),
      memoryBytesMax: this.#init.options.memoryBytesMax,
    };
    const early: (() => void)[] = [];
    const opening: Opening = { name, slot, options, makes: this.#isToBeMade(name, slot), early };
    const when = (run: (topic: Topic) => void): void => {
      if (slot.topic !== undefined) run(slot.topic);
      else early.push(() => slot.topic !== undefined && run(slot.topic));
    };
    const events: StoreEvents = {
      written: () => slot.topic?.storeMoved(),
      synced: () => slot.topic?.storeMoved(),
      failed: (failure) => when((topic) => topic.storeFailed(failure)),
      resumed: () => when((topic) => topic.storeResumed()),
    };
    this.#stores++;
    stores.open(name, storeOptions, events, (store) => {
      if ("kind" in store) {
        this.#failed(name, slot, storeError(name, store));
        return this.#storeGone();
      }
      if (this.#closed) return store.close(() => this.#storeGone());
      this.#recover(opening, store);
    });
  }

  #recover(opening: Opening, store: TopicStore): void {
    const { name, slot, options, makes, early } = opening;
    const { host, crc32 } = this.#init;
    recoverTopic({
      topic: name,
      store,
      crc32,
      nowMs: host.nowMs(),
      wallMs: host.wallMs(),
      indexRowsMax: INDEX_ROWS_MAX,
      makeState: (stored) => new TopicState(this.#makeSequencer(withPromises(options, stored))),
    }, (recovered) => {
      if (this.#closed) return store.close(() => this.#storeGone());
      if (recovered instanceof LogError) {
        // Whoever asks again finds it closed.
        return store.close(() => {
          this.#failed(name, slot, recovered);
          this.#storeGone();
        });
      }
      if (recovered.opening === undefined && !makes) {
        return store.close(() => this.#wasNeverMade(name, slot));
      }
      this.#settle(opening, store, recovered);
      for (const run of early.splice(0)) run();
    });
  }

  #isToBeMade(name: string, { waiting }: Slot): boolean {
    return waiting.some(({ as }) => as === "makes") || Object.hasOwn(this.#init.options.topics, name);
  }

  /** A crash came in between when it was made: nobody was told that it is there, and what it was to be nobody knows. */
  #wasNeverMade(name: string, slot: Slot): void {
    if (!this.#closed && this.#isToBeMade(name, slot)) this.#openStore(name, slot);
    else {
      this.#slots.delete(name);
      this.#names.delete(name);
      for (const waiting of slot.waiting.splice(0)) this.#isNotThere(name, waiting);
    }
    this.#storeGone();
  }

  /** What was recovered must be as durable as what will be acknowledged, before anybody hears of it. */
  #settle({ name, slot, options }: Opening, store: TopicStore, recovered: Recovered): void {
    const { host, crc32, options: broker, brokerId, due, notice } = this.#init;
    const { cut } = recovered;
    if (cut !== undefined) {
      const text =
        `Topic "${name}": cut at offset ${cut.offset}: ${cut.bytes} bytes that were never synced, with ` +
        `${cut.batches} whole batches`;
      notice(text);
    }
    const topic = new Topic({
      name,
      options: withPromises(options, recovered.opening?.options),
      limits: { ringSlots: broker.ringSlots, claimTimeoutMs: broker.claimTimeoutMs },
      brokerId,
      store,
      recovered,
      host,
      crc32,
      events: { due: () => due(topic), stopped: (failure) => this.#stopped(topic, slot, failure) },
    });
    slot.topic = topic;
    this.#names.add(name);
    topic.whenSettled(() => {
      if (slot.topic !== topic || this.#closed) return;
      slot.settled = true;
      const waiting = slot.waiting.splice(0);
      const parked = [...this.#parked.get(name) ?? []];
      this.#parked.delete(name);
      for (const { requested, done } of waiting) done(this.#checked(topic, requested));
      for (const done of parked) done(topic);
      due(topic);
    });
  }

  #stopped(topic: Topic, slot: Slot, failure: StoreFailure): void {
    if (this.#closed || slot.topic !== topic) return;
    const { host, lost, notice } = this.#init;
    slot.topic = undefined;
    slot.settled = false;
    topic.abandon();
    notice(
      `Topic "${topic.name}": ${failure.message}; its store is opened again`,
      storeError(topic.name, failure),
    );
    lost(topic);
    topic.store.close(() => {
      if (!this.#closed) {
        slot.cancelReopen = host.schedule(REOPEN_MS, () => this.#openStore(topic.name, slot), false);
      }
      this.#storeGone();
    });
  }

  /** Whoever asks next has it tried again. */
  #failed(name: string, slot: Slot, error: LogError): void {
    this.#init.notice(error.message, error);
    this.#slots.delete(name);
    for (const { done } of slot.waiting.splice(0)) done(error);
  }

  #optionsOf(name: string, slot: Slot): TopicOptions {
    const { options, stores } = this.#init;
    const requested = slot.waiting.find((one) => Object.keys(one.requested).length > 0)?.requested ?? {};
    return topicOptionsFor(options, name, requested, { durability: stores.durability });
  }

  #makeSequencer(topic: TopicOptions): Sequencer {
    const { options, newSession } = this.#init;
    // A segment begins with a snapshot of all sessions.
    const fit = sessionsThatFit(topic.segmentBytes);
    return new Sequencer({
      order: topic.order,
      leaseMs: topic.leaseMs,
      sessionsMax: Math.min(options.sessionsMax, fit),
      sessionIdleMs: options.sessionIdleMs,
      holdBatchesMax: options.holdBatchesMax,
      holdBytesMax: options.holdBytesMax,
      grantBatchesMax: options.grantBatchesMax,
      grantBytesMax: options.grantBytesMax,
      batchBytesMax: options.batchBytesMax,
      runsKept: options.runsKept,
      newSession,
    });
  }

  /** A segment is left at `segmentBytes`; its first entries and the last round's order may go beyond. */
  #segmentMemory({ segmentBytes }: TopicOptions): number {
    const { ringSlots, holdBatchesMax } = this.#init.options;
    return Math.ceil(segmentBytes * 1.5) + (ringSlots + holdBatchesMax + 1_024) * 64;
  }

  /** Whether what a client asks for is what the topic is. */
  #checked(topic: Topic, requested: TopicInput): Topic | LogError {
    for (const name of ["order", "ack"] as const) {
      const wanted = requested[name];
      if (wanted === undefined || wanted === topic.options[name]) continue;
      const text = `Topic "${topic.name}" has ${name} ${topic.options[name]}, not ${wanted}`;
      return new LogError("ERR_LOG_TOPIC", text, { topic: topic.name });
    }
    return topic;
  }
}

/** What a topic has promised stays; the rest is as configured now. */
function withPromises(options: TopicOptions, stored: TopicOptions | undefined): TopicOptions {
  return stored === undefined ? options : { ...options, order: stored.order, ack: stored.ack };
}
