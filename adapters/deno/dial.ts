/**
 * Connecting and listening with `Deno.connect` and `Deno.listen`: what TCP and unix sockets have in common.
 *
 * @module
 */

import type { Accept, Dial, Listener } from "../../src/ports.ts";
import type { DialSetup, SocketKind } from "../ipc.ts";
import { host } from "../shared_host.ts";
import { codeOf, connectTimeout, refusedStream } from "../system_errors.ts";
import { DenoStream } from "./stream.ts";
import {
  type Aborter,
  createAborter,
  denoApi,
  type DenoConn,
  type DenoListener,
  type DenoTarget,
} from "./types.ts";

/** Returns a `Dial` that connects to the first of `targets` that accepts. */
export function dialConn(
  targets: () => Promise<readonly DenoTarget[]>,
  setup: DialSetup<DenoConn>,
): Dial {
  return (handlers) => {
    const aborter = createAborter();
    const timeoutMs = setup.options.connectTimeoutMs ?? 0;
    let cancelTimeout = (): void => {};
    const stream = new DenoStream(handlers, setup.kind, () => {
      cancelTimeout();
      aborter.abort();
    });
    if (timeoutMs > 0) {
      // The pending connect itself keeps the process alive.
      cancelTimeout = host.schedule(
        timeoutMs,
        () => stream.fail(connectTimeout(setup.text, timeoutMs)),
        false,
      );
    }
    connectFirst(targets, aborter).then((conn) => {
      cancelTimeout();
      stream.connected(conn);
    }, (cause) => stream.fail(setup.explain(cause)));
    return stream;
  };
}

async function connectFirst(
  targets: () => Promise<readonly DenoTarget[]>,
  aborter: Aborter,
): Promise<DenoConn> {
  let cause: unknown;
  for (const target of await targets()) {
    try {
      return await denoApi().connect({ ...target, signal: aborter.signal });
    } catch (failure) {
      cause ??= failure;
    }
  }
  throw cause ?? new Error("The host has no address");
}

/**
 * Listeners that were closed but still hold their address: Deno releases it only once the pending accept has
 * been interrupted, some turns later.
 */
const closingListeners: Set<Promise<void>> = new Set();

/**
 * Listens. Waits for an address that a listener of this process is still releasing, so that it can be bound
 * again at once, as on other runtimes. Rejects with Deno's own error.
 */
export async function listenDeno(
  target: DenoTarget & { readonly tcpBacklog?: number },
): Promise<DenoListener> {
  try {
    return denoApi().listen(target);
  } catch (cause) {
    if (codeOf(cause) !== "EADDRINUSE" || closingListeners.size === 0) throw cause;
  }
  await Promise.all(closingListeners);
  return denoApi().listen(target);
}

/** What a listener does with its connections. */
export interface AcceptSetup {
  readonly kind: SocketKind<DenoConn>;
  readonly accept: Accept;
  readonly failed: (cause: unknown) => void;
}

/** The wait after a failed accept: the next would fail at once too, as when descriptors run out. */
const ACCEPT_RETRY_MS = 50;

/** Accepts connections until the returned listener is closed. */
export function acceptConns(
  listener: DenoListener,
  setup: AcceptSetup,
  bound: { readonly address: string; readonly closed: () => void },
): Listener {
  let closing: Promise<void> | undefined;
  let cancelRetry = (): void => {};
  let settled = Promise.resolve();
  const next = (): void => void (settled = listener.accept().then(accepted, failed));
  const accepted = (conn: DenoConn): void => {
    if (closing !== undefined) return conn.close();
    acceptConn(conn, setup);
    next();
  };
  const failed = (cause: unknown): void => {
    // Closing interrupts the pending accept.
    if (closing !== undefined) return;
    setup.failed(cause);
    cancelRetry = host.schedule(ACCEPT_RETRY_MS, next, true);
  };
  const close = (): Promise<void> => {
    cancelRetry();
    listener.close();
    // The pending accept holds the socket until it has been interrupted.
    const freed = settled;
    closingListeners.add(freed);
    return freed.then(() => {
      closingListeners.delete(freed);
      bound.closed();
    });
  };
  next();
  return {
    address: bound.address,
    close: () => closing ??= close(),
    setReferenced: (on) => on ? listener.ref() : listener.unref(),
  };
}

/**
 * Offers an accepted stream. If no handlers are attached before `accept` returns, it is refused: this is how
 * a limit turns it away.
 */
function acceptConn(conn: DenoConn, setup: AcceptSetup): void {
  let stream: DenoStream | undefined;
  let refused = false;
  setup.accept((handlers) => {
    const attached = stream = new DenoStream(handlers, setup.kind, () => {});
    if (refused) host.microtask(() => attached.fail(refusedStream()));
    else host.microtask(() => attached.connected(conn));
    return attached;
  });
  refused = stream === undefined;
  if (refused) conn.close();
}
