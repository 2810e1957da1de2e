/**
 * What an XPUB can receive, in the order of arrival: notifications of subscriptions, and places of messages
 * that wait in pipes. An application that never reads must not make the queue grow forever: where very many
 * notifications wait, those that undo each other vanish together, so that no more is left than the
 * subscriptions themselves.
 *
 * @module
 */

import { binaryKey } from "../../bytes/bytes.ts";
import { type Message, Pipe } from "../pipe/pipe.ts";

/** A change of one topic that the application is to receive. */
export interface Notification {
  readonly pipe: Pipe;
  readonly on: boolean;
  /** `undefined` once it has vanished. */
  message: Message | undefined;
  /** Whether nothing earlier was reported of the subscription that it is about. */
  begins: boolean;
}

/**
 * What a notification covers. `topic`: all peers together, the first subscription and the last cancellation;
 * `subscriptions`: the same and each peer's subscription; `peers`: each peer separately.
 */
export type NotificationKind = "topic" | "subscriptions" | "peers";

/** The unread notifications of one topic. */
interface Chain {
  notifications: Notification[];
  /** How many were left when those that undo each other were last looked for. */
  settled: number;
}

/** Up to this many unread notifications, and bytes of topics in them, all are reported. */
const TOLD_MAX = 16_384;
const TOLD_BYTES_MAX = 16_777_216;

const NOTHING_UNREAD = { messages: 0, topicBytes: 0 };

/** The queue of what an XPUB can receive. */
export class Arrivals {
  #entries: (Notification | Pipe)[] = [];
  /** Entries that were received, at the front. */
  #head = 0;
  /** Entries after the head that have vanished. */
  #voids = 0;
  #notifications = 0;
  #topicBytes = 0;
  readonly #isThere: (pipe: Pipe) => boolean;
  /** By the peer that caused them; of peers that are there only. */
  readonly #unread: Map<Pipe, { messages: number; topicBytes: number }> = new Map();
  /** All unread notifications by topic. Kept only while there are very many. */
  #chains: Map<string, Chain> | undefined;

  /** `isThere`: whether a peer is attached. */
  constructor(isThere: (pipe: Pipe) => boolean) {
    this.#isThere = isThere;
  }

  get isEmpty(): boolean {
    return this.#entries.length - this.#head === this.#voids;
  }

  /** Entries that are held, those that have vanished included. For tests. */
  get held(): number {
    return this.#entries.length - this.#head;
  }

  /** Unread notifications of one peer. */
  unreadOf(pipe: Pipe): { readonly messages: number; readonly topicBytes: number } {
    return this.#unread.get(pipe) ?? NOTHING_UNREAD;
  }

  /** The peer is gone, and its account with it. */
  detached(pipe: Pipe): void {
    this.#unread.delete(pipe);
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#voids = 0;
    this.#notifications = 0;
    this.#topicBytes = 0;
    this.#chains = undefined;
    this.#unread.clear();
  }

  /** One more message can be read from `pipe`. */
  upstream(pipe: Pipe): void {
    this.#entries.push(pipe);
  }

  notify(pipe: Pipe, topic: Uint8Array, on: boolean, begins: boolean, kind: NotificationKind): void {
    const frame = new Uint8Array(1 + topic.length);
    frame[0] = on ? 1 : 0;
    frame.set(topic, 1);
    const notification: Notification = { pipe, on, message: [frame], begins };
    this.#entries.push(notification);
    this.#notifications++;
    this.#topicBytes += topic.length;
    const unread = this.#unread.get(pipe);
    if (unread !== undefined) {
      unread.messages++;
      unread.topicBytes += topic.length;
    } else if (this.#isThere(pipe)) {
      this.#unread.set(pipe, { messages: 1, topicBytes: topic.length });
    }
    if (this.#chains !== undefined) this.#settle(this.#link(notification), kind);
    else if (this.#notifications > TOLD_MAX || this.#topicBytes > TOLD_BYTES_MAX) this.#linkAll(kind);
  }

  /** The oldest, which is the caller's from here on. */
  next(): Notification | Pipe | undefined {
    while (this.#head < this.#entries.length) {
      const entry = this.#entries[this.#head++]!;
      if (this.#head === this.#entries.length) {
        this.#entries.length = 0;
        this.#head = 0;
      } else if (this.#head >= 1_024 && this.#head * 2 > this.#entries.length) {
        // Received ones are let go in large steps: moving the rest up each time would cost more than it
        // frees.
        this.#entries.splice(0, this.#head);
        this.#head = 0;
      }
      if (entry instanceof Pipe) return entry;
      if (entry.message !== undefined) {
        this.#unlink(entry);
        this.#forget(entry, entry.message);
        return entry;
      }
      this.#voids--;
    }
    return undefined;
  }

  #forget({ pipe }: Notification, message: Message): void {
    const topicBytes = message[0]!.length - 1;
    this.#notifications--;
    this.#topicBytes -= topicBytes;
    const unread = this.#unread.get(pipe);
    if (unread === undefined) return;
    unread.messages--;
    unread.topicBytes -= topicBytes;
  }

  /** There are very many from now on. */
  #linkAll(kind: NotificationKind): void {
    this.#chains = new Map();
    for (let i = this.#head; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      if (!(entry instanceof Pipe) && entry.message !== undefined) this.#link(entry);
    }
    for (const chain of this.#chains.values()) this.#settle(chain, kind);
  }

  #link(notification: Notification): Chain {
    const key = keyOf(notification);
    let chain = this.#chains!.get(key);
    if (chain === undefined) this.#chains!.set(key, chain = { notifications: [], settled: 0 });
    chain.notifications.push(notification);
    return chain;
  }

  /** The application gets it: it is the oldest of its topic. */
  #unlink(notification: Notification): void {
    const chains = this.#chains;
    if (chains === undefined) return;
    if (this.#notifications * 2 < TOLD_MAX && this.#topicBytes * 2 < TOLD_BYTES_MAX) {
      this.#chains = undefined;
      return;
    }
    const key = keyOf(notification);
    const { notifications } = chains.get(key)!;
    notifications.shift();
    if (notifications.length === 0) chains.delete(key);
  }

  /**
   * Lets notifications of one topic vanish as far as they undo each other. Now and then, so that long chains
   * cost no more.
   */
  #settle(chain: Chain, kind: NotificationKind): void {
    const { notifications } = chain;
    const [oldest] = notifications;
    const newest = notifications[notifications.length - 1]!;
    // No peer has the topic any longer, or none ever had: then at most one is left.
    const ends = !newest.on && (kind !== "peers" || (newest === oldest && newest.begins));
    if (notifications.length < 2 * Math.max(1, chain.settled) && !ends) return;
    const key = keyOf(oldest!);
    const kept = kind === "peers" ? keptOfPeers(notifications) : this.#keptOfTopic(notifications, kind);
    for (const notification of notifications) if (!kept.has(notification)) this.#vanish(notification);
    chain.notifications = [...kept];
    chain.settled = kept.size;
    if (kept.size === 0) this.#chains!.delete(key);
    if (this.#voids >= 1_024 && this.#voids * 2 > this.held) this.#sweep();
  }

  #vanish(notification: Notification): void {
    this.#forget(notification, notification.message!);
    notification.message = undefined;
    this.#voids++;
  }

  #sweep(): void {
    this.#entries = this.#entries.filter((entry, at) =>
      at >= this.#head && (entry instanceof Pipe || entry.message !== undefined)
    );
    this.#head = 0;
    this.#voids = 0;
  }

  #keptOfTopic(notifications: readonly Notification[], kind: NotificationKind): Set<Notification> {
    const { begins, on: onFirst } = notifications[0]!;
    const last = notifications[notifications.length - 1]!;
    // Either a peer has the topic at the end or none has; the application believes one or the other.
    if (!last.on) return new Set(begins ? [] : [last]);
    if (kind === "topic" && !onFirst) return new Set();
    const newest = new Map<Pipe, Notification>();
    if (kind === "subscriptions") {
      for (const notification of notifications) {
        if (!notification.on) newest.clear();
        else if (this.#isThere(notification.pipe)) newest.set(notification.pipe, notification);
      }
    }
    const kept = newest.size === 0 ? new Set([last]) : inOrder(notifications, new Set(newest.values()));
    const [oldest] = kept;
    oldest!.begins = begins;
    return kept;
  }
}

/**
 * What its topic is found by. No view of the frame: that would give it memory of its own outside of the heap.
 */
function keyOf({ message }: Notification): string {
  return binaryKey(message![0]!).substring(1);
}

/** Of each peer, the last word, unless the application has heard nothing of its topic and need not. */
function keptOfPeers(notifications: readonly Notification[]): Set<Notification> {
  const ends = new Map<Pipe, { readonly begins: boolean; last: Notification }>();
  for (const notification of notifications) {
    const end = ends.get(notification.pipe);
    if (end === undefined) ends.set(notification.pipe, { begins: notification.begins, last: notification });
    else end.last = notification;
  }
  const kept = new Set<Notification>();
  for (const { begins, last } of ends.values()) {
    if (begins && !last.on) continue;
    last.begins = begins;
    kept.add(last);
  }
  return inOrder(notifications, kept);
}

function inOrder(all: readonly Notification[], kept: ReadonlySet<Notification>): Set<Notification> {
  return new Set(all.filter((notification) => kept.has(notification)));
}
