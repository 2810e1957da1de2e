/** The socket pairs that are measured, opened by the name of their pattern. */

import { Dealer, Pair, Publisher, Pull, Push, Router, Subscriber } from "../../mod.ts";

export type Outgoing = Uint8Array | readonly Uint8Array[];

/** What the sending loops need of a socket. */
export interface Sender {
  connect(endpoint: string): void;
  send(message: Outgoing): Promise<void>;
  trySend(message: Outgoing): boolean;
  waitWritable(): Promise<void>;
}

/** What the receiving loops need of a socket. */
export interface Receiver extends AsyncIterable<Uint8Array[]> {
  bind(endpoint: string): Promise<unknown>;
  readonly lastEndpoint: string | null | undefined;
  tryReceive(): Uint8Array[] | undefined;
  waitReadable(): Promise<void>;
}

export const RECEIVER_ID: Uint8Array = new TextEncoder().encode("receiver");

/** Whether the sender names its receiver in a first frame. */
export function isRouted(pattern: string): boolean {
  return pattern.startsWith("router-");
}

/** Opens and connects a sender. Resolves when it may send without losing anything. */
export async function openSender(pattern: string, endpoint: string, highWaterMark: number): Promise<Sender> {
  const options = { sendHighWaterMark: highWaterMark, linger: 0 };
  switch (pattern) {
    case "push-pull":
      return connected(new Push(options), endpoint);
    case "pair":
      return connected(new Pair(options), endpoint);
    case "dealer-dealer":
    case "dealer-router":
      return connected(new Dealer(options), endpoint);
    case "pub-sub": {
      // Without `noDrop` a publisher drops at the high-water mark, and what is measured is dropping.
      const publisher = new Publisher({ ...options, noDrop: true });
      publisher.connect(endpoint);
      await publisher.subscribed("");
      return publisher;
    }
    default: {
      const router = new Router({ ...options, mandatory: true, routingId: "sender" });
      router.connect(endpoint);
      // The receiver's identity is known only once the handshake is over.
      await router.ready();
      return router;
    }
  }
}

function connected<S extends Sender>(sender: S, endpoint: string): S {
  sender.connect(endpoint);
  return sender;
}

export function openReceiver(pattern: string, highWaterMark: number): Receiver {
  const options = { receiveHighWaterMark: highWaterMark, linger: 0 };
  switch (pattern) {
    case "push-pull":
      return new Pull(options);
    case "pair":
      return new Pair(options);
    case "dealer-dealer":
      return new Dealer(options);
    case "pub-sub": {
      const subscriber = new Subscriber(options);
      subscriber.subscribe("");
      return subscriber;
    }
    default:
      return new Router({ ...options, routingId: "receiver" });
  }
}
