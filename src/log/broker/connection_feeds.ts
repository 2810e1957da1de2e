/**
 * The subscriptions of one link, and how they share it.
 *
 * @module
 */

import { LogError } from "../errors.ts";
import type { BrokerMessage, Credit, Subscribe } from "../wire/messages.ts";
import type { Feed, FeedTarget } from "./feed.ts";
import type { Outbox } from "./outbox.ts";
import { wireError } from "./refusal.ts";
import type { Topic } from "./topic.ts";

/** What {@link ConnectionFeeds} need of their link and broker. */
export interface ConnectionFeedsInit {
  readonly local: boolean;
  readonly outbox: Outbox;
  /** A topic, as soon as somebody makes it. The answer cancels. */
  readonly find: (topic: string, done: (topic: Topic | LogError) => void) => () => void;
  /** The link uses this topic. */
  readonly used: (topic: Topic) => void;
  readonly tell: (message: BrokerMessage) => void;
}

/** A subscription that was asked for. */
interface OpenFeed {
  /** Takes the request back while its topic is not there. */
  cancel: () => void;
  topic: Topic | undefined;
  /** Set when it has begun. */
  feed: Feed | undefined;
}

/** See the module. */
export class ConnectionFeeds {
  readonly #init: ConnectionFeedsInit;
  /** By cursor. Who has waited longest for room in the link is in front. */
  readonly #feeds: Map<number, OpenFeed> = new Map();
  #closed = false;

  constructor(init: ConnectionFeedsInit) {
    this.#init = init;
  }

  get size(): number {
    return this.#feeds.size;
  }

  subscribe(message: Subscribe): void {
    const { cursor } = message;
    this.unsubscribe(cursor);
    const open: OpenFeed = { cancel: () => {}, topic: undefined, feed: undefined };
    this.#feeds.set(cursor, open);
    open.cancel = this.#init.find(message.topic, (topic) => {
      if (this.#feeds.get(cursor) !== open) return;
      if (topic instanceof LogError) return this.#ended(cursor, topic);
      open.topic = topic;
      this.#init.used(topic);
      topic.readers.subscribe(
        message,
        this.#target(cursor),
        (feed) => this.#begun(message, open, topic, feed),
      );
    });
  }

  credit({ cursor, consumedBytes }: Credit): void {
    this.#feeds.get(cursor)?.feed?.consumed(consumedBytes);
  }

  unsubscribe(cursor: number): void {
    const open = this.#feeds.get(cursor);
    if (open === undefined) return;
    this.#feeds.delete(cursor);
    open.cancel();
    if (open.feed !== undefined) open.topic!.readers.unsubscribe(open.feed);
  }

  /** The link has room. */
  pump(): void {
    for (const [cursor, open] of [...this.#feeds]) {
      if (!this.#init.outbox.empty || this.#closed) return;
      const { feed } = open;
      const before = feed?.position;
      feed?.pump();
      // Who got something is last the next time, and who got nothing because the link is full is first.
      const full = feed?.blocked === true;
      if (full && feed?.position === before) return;
      if (this.#feeds.get(cursor) === open) {
        this.#feeds.delete(cursor);
        this.#feeds.set(cursor, open);
      }
      if (full) return;
    }
  }

  /** The link is gone. */
  close(): void {
    this.#closed = true;
    for (const cursor of [...this.#feeds.keys()]) this.unsubscribe(cursor);
  }

  #begun({ request, cursor }: Subscribe, open: OpenFeed, topic: Topic, feed: Feed | LogError): void {
    if (this.#feeds.get(cursor) !== open) {
      // It was taken back, or asked for anew, while its beginning was looked up.
      if (!(feed instanceof LogError)) topic.readers.unsubscribe(feed);
      return;
    }
    if (feed instanceof LogError) return this.#ended(cursor, feed);
    open.feed = feed;
    const { visibleTail: tail, generation } = topic;
    this.#init.tell({ type: "subscribed", request, cursor, position: feed.position, tail, generation });
    feed.pump();
  }

  #target(cursor: number): FeedTarget {
    const { local, outbox } = this.#init;
    return {
      local,
      trySendRecords: (records, bodies) => !this.#closed && outbox.trySendRecords(records, bodies),
      ended: (error) => this.#ended(cursor, error),
    };
  }

  #ended(cursor: number, error: LogError): void {
    this.unsubscribe(cursor);
    this.#init.tell({ type: "cursorEnded", cursor, error: wireError(error) });
  }
}
