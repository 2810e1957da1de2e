/**
 * Connecting and listening with `Deno.connect` and `Deno.listen`: what TCP and unix sockets have in common.
 *
 * @module
 */

import type { Dial, Listener } from "../../src/ports.ts";
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

/** A `Dial` that connects to the first of `targets` that answers. */
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
      // The pending connect itself holds the process.
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
 * Listeners that were closed and still have their address: Deno lets go of it only once the accept in flight has been
 * interrupted, some turns later.
 */
const closingListeners: Set<Promise<void>> = new Set();

/**
 * Listens. An address that a listener of this process is just letting go of is waited for, so that it can be bound again
 * at once, as on other runtimes. Rejects with Deno's own error.
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
  readonly accept: (attach: Dial) => void;
  readonly failed: (cause: unknown) => void;
}

/** After a failed accept, as when descriptors run out, the next would fail at once too. */
const ACCEPT_RETRY_MS = 50;

/** Accepts for ever and answers the listener. */
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
    // Closing interrupts the accept in flight.
    if (closing !== undefined) return;
    setup.failed(cause);
    cancelRetry = host.schedule(ACCEPT_RETRY_MS, next, true);
  };
  const close = (): Promise<void> => {
    cancelRetry();
    listener.close();
    // The accept in flight holds the socket until it has been interrupted.
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

/** A stream to which nobody attaches handlers at once is refused: this is how a limit turns it away. */
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
