/** The socket pairs that are measured, opened by the name of their pattern. */

import { join } from "node:path";
import { Dealer, Pair, Publisher, Pull, Push, Router, Subscriber, type TlsOptions } from "../../mod.ts";

export type Outgoing = Uint8Array | readonly Uint8Array[];

/** What the sending loops need of a socket. */
export interface Sender {
  connect(endpoint: string): void;
  bind(endpoint: string): Promise<string>;
  send(message: Outgoing): Promise<void>;
  trySend(message: Outgoing): boolean;
  waitWritable(): Promise<void>;
}

/** What the receiving loops need of a socket. */
export interface Receiver extends AsyncIterable<Uint8Array[]> {
  bind(endpoint: string): Promise<unknown>;
  connect(endpoint: string): void;
  readonly lastEndpoint: string | null | undefined;
  tryReceive(): Uint8Array[] | undefined;
  waitReadable(): Promise<void>;
}

export const RECEIVER_ID: Uint8Array = new TextEncoder().encode("receiver");

/** Whether the sender names its receiver in a first frame. */
export function isRouted(pattern: string): boolean {
  return pattern.startsWith("router-");
}

/** What both ends of an encrypted transport need: the folder has the certificates of `hawser certificates`. */
export function tlsOptions(folder: string): { readonly tls?: TlsOptions } {
  if (folder === "") return {};
  return {
    tls: {
      certificateFile: join(folder, "server.pem"),
      keyFile: join(folder, "server-key.pem"),
      authoritiesFile: join(folder, "authority.pem"),
    },
  };
}

/** What a socket is opened with. */
export interface SocketSettings {
  readonly pattern: string;
  readonly highWaterMark: number;
  readonly certificates: string;
}

/** Opens a sender that is bound, for `push-pull`. */
export async function openBoundSender(settings: SocketSettings, endpoint: string): Promise<Sender & Push> {
  const { highWaterMark, certificates } = settings;
  const sender = new Push({ sendHighWaterMark: highWaterMark, linger: 0, ...tlsOptions(certificates) });
  await sender.bind(endpoint);
  return sender;
}

/** Opens and connects a sender. Resolves when it may send without losing anything. */
export async function openSender(settings: SocketSettings, endpoint: string): Promise<Sender> {
  const { pattern, highWaterMark, certificates } = settings;
  const options = { sendHighWaterMark: highWaterMark, linger: 0, ...tlsOptions(certificates) };
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

export function openReceiver({ pattern, highWaterMark, certificates }: SocketSettings): Receiver {
  const options = { receiveHighWaterMark: highWaterMark, linger: 0, ...tlsOptions(certificates) };
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
