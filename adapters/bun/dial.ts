/**
 * Connecting and listening with `Bun.connect` and `Bun.listen`: what TCP and unix sockets have in common.
 *
 * @module
 */

import type { Accept, Dial, Listener } from "../../src/ports.ts";
import type { DialSetup, SocketKind } from "../ipc.ts";
import { host } from "../shared_host.ts";
import { connectTimeout, refusedStream } from "../system_errors.ts";
import { BunStream } from "./stream.ts";
import {
  bunApi,
  type BunHandlers,
  type BunListener,
  type BunOwner,
  type BunSocket,
  type BunTarget,
} from "./types.ts";

/** What a listener does with its sockets. It is the `data` of each until its stream is created. */
export class BunAccepting implements BunOwner {
  readonly #kind: SocketKind<BunSocket>;
  readonly #accept: Accept;

  constructor(kind: SocketKind<BunSocket>, accept: Accept) {
    this.#kind = kind;
    this.#accept = accept;
  }

  /**
   * Offers an accepted stream. If no handlers are attached before `accept` returns, it is refused: this is
   * how a limit turns it away.
   */
  connected(socket: BunSocket): void {
    let stream: BunStream | undefined;
    let refused = false;
    this.#accept((transportHandlers) => {
      const attached = stream = new BunStream(transportHandlers, this.#kind);
      if (refused) {
        host.microtask(() => attached.lost(refusedStream()));
        return attached;
      }
      socket.data = attached;
      attached.connected(socket);
      return attached;
    });
    refused = stream === undefined;
    if (!refused) return;
    socket.data = undefined;
    socket.end();
  }
}

/**
 * One object for every socket: Bun keeps handlers per listener or connect call, and `data` holds the rest.
 */
const handlers: BunHandlers = {
  binaryType: "uint8array",
  open: (socket) => socket.data?.connected(socket),
  data: (socket, chunk) => socket.data?.received?.(chunk),
  drain: (socket) => socket.data?.drained?.(),
  end: (socket) => socket.data?.ended?.(),
  close: (socket, cause) => socket.data?.lost?.(cause),
  // What a handler throws arrives here and would be lost. It is a bug, so make it as loud as elsewhere.
  error: (_socket, cause) => void Promise.reject(cause),
};

/** Returns a `Dial` that connects to the first of `targets` that accepts. */
export function dialBun(
  targets: () => Promise<readonly BunTarget[]>,
  setup: DialSetup<BunSocket>,
): Dial {
  return (transportHandlers) => {
    const stream = new BunStream(transportHandlers, setup.kind);
    const timeoutMs = setup.options.connectTimeoutMs ?? 0;
    // The pending connect itself keeps the process alive.
    const cancelTimeout = timeoutMs > 0
      ? host.schedule(timeoutMs, () => stream.fail(connectTimeout(setup.text, timeoutMs)), false)
      : () => {};
    connectFirst(targets, stream).then(cancelTimeout, (cause) => {
      cancelTimeout();
      stream.lost(setup.explain(cause));
    });
    return stream;
  };
}

async function connectFirst(targets: () => Promise<readonly BunTarget[]>, stream: BunStream): Promise<void> {
  let cause: unknown;
  for (const target of await targets()) {
    if (stream.isClosed) return;
    try {
      await bunApi().connect({ ...target, socket: handlers, allowHalfOpen: true, data: stream });
      return;
    } catch (failure) {
      cause ??= failure;
    }
  }
  throw cause ?? new Error("The host has no address");
}

/** Starts listening. Throws Bun's own error. */
export function listenBun(target: BunTarget, accepting: BunAccepting): BunListener {
  return bunApi().listen({ ...target, socket: handlers, allowHalfOpen: true, data: accepting });
}

/** Returns the listener over one of Bun's. */
export function bunListener(listener: BunListener, address: string, closed: () => void = () => {}): Listener {
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    listener.stop();
    return new Promise<void>((resolve) => host.turn(resolve)).then(closed);
  };
  return {
    address,
    close: () => closing ??= close(),
    setReferenced: (on) => on ? listener.ref() : listener.unref(),
  };
}
