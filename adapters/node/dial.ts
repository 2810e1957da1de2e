/**
 * Connecting and listening with `node:net`: what TCP and unix sockets have in common.
 *
 * @module
 */

import type { Accept, Dial, Listener, Transport, TransportHandlers } from "../../src/ports.ts";
import type { DialSetup, SocketKind } from "../ipc.ts";
import { host } from "../shared_host.ts";
import { connectTimeout, refusedStream } from "../system_errors.ts";
import { connectSocket, createReadServer } from "./sockets.ts";
import { NodeStream, type ReadSocket } from "./stream.ts";
import type { NodeConnectOptions, NodeListenOptions, NodeNet, NodeServer, NodeSocket } from "./types.ts";

/** Returns a `Dial` that connects with `node:net`. */
export function dialSocket(
  net: NodeNet,
  target: NodeConnectOptions,
  setup: DialSetup<NodeSocket>,
): Dial {
  return (handlers) => {
    let opened: ReadSocket;
    try {
      opened = connectSocket(net, target);
    } catch (cause) {
      return failedTransport(handlers, setup.explain(cause));
    }
    const { socket } = opened;
    const stream = new NodeStream(opened, setup.kind.describe, setup.explain);
    stream.attach(handlers);
    const cancelTimeout = startTimeout(stream, setup.text, setup.options.connectTimeoutMs);
    socket.on("connect", () => {
      cancelTimeout();
      setup.kind.prepare(socket);
      stream.open();
    });
    socket.on("close", cancelTimeout);
    return stream;
  };
}

function startTimeout(stream: NodeStream, text: string, timeoutMs: number | undefined): () => void {
  if (timeoutMs === undefined || timeoutMs <= 0) return () => {};
  // The socket itself keeps the process alive, if it should.
  return host.schedule(timeoutMs, () => stream.fail(connectTimeout(text, timeoutMs)), false);
}

/** Returns a transport that never opens, for a runtime that refuses before there is a stream. */
export function failedTransport(handlers: TransportHandlers, cause: unknown): Transport {
  host.microtask(() => handlers.close(cause));
  return { write: () => false, setPaused: () => true, close: () => {} };
}

/** Starts listening. Rejects with the runtime's own error. */
export function listenServer(
  net: NodeNet,
  target: NodeListenOptions,
  setup: {
    readonly kind: SocketKind<NodeSocket>;
    readonly accept: Accept;
    readonly failed: (cause: unknown) => void;
  },
): Promise<NodeServer> {
  const create = (): NodeServer =>
    createReadServer(net, (accepted) => acceptSocket(accepted, setup.kind, setup.accept));
  return startServer(create, target, setup.failed);
}

/** Creates a server and has it listen. Rejects with the runtime's own error. */
export function startServer(
  create: () => NodeServer,
  target: NodeListenOptions,
  failed: (cause: unknown) => void,
): Promise<NodeServer> {
  if (mayNotListen()) return Promise.reject(listenDenied());
  const server = create();
  return new Promise((resolve, reject) => {
    let listening = false;
    server.on("listening", () => {
      listening = true;
      resolve(server);
    });
    server.on("error", (cause) => listening ? failed(cause) : reject(cause));
    // Deno throws here for a missing permission, which rejects the promise too.
    server.listen(target);
  });
}

interface Globals {
  readonly process?: {
    readonly permission?: { has(scope: string): boolean } | undefined;
    readonly allowedNodeEnvironmentFlags?: ReadonlySet<string>;
  };
}

/**
 * Whether Node's `--permission` forbids listening. This must be checked first, because Node 25 and later
 * throw the error in an internal callback, where it cannot be caught. Earlier versions have no permission for
 * sockets and need none.
 */
function mayNotListen(): boolean {
  const { process } = globalThis as unknown as Globals;
  if (process?.permission === undefined) return false;
  return process.allowedNodeEnvironmentFlags?.has("--allow-net") === true && !process.permission.has("net");
}

/** Returns the error in Node's own words. */
function listenDenied(): Error {
  const error = new Error("Access to this API has been restricted. Use --allow-net to manage permissions.");
  return Object.assign(error, { code: "ERR_ACCESS_DENIED", permission: "Net" });
}

/**
 * Offers an accepted stream. If no handlers are attached before `accept` returns, it is refused: this is how
 * a limit turns it away.
 */
function acceptSocket(
  accepted: ReadSocket,
  kind: SocketKind<NodeSocket>,
  accept: Accept,
): void {
  const { socket } = accepted;
  const stream = new NodeStream(accepted, kind.describe);
  let refused = false;
  kind.prepare(socket);
  accept((handlers) => {
    if (refused) return failedTransport(handlers, refusedStream());
    stream.attach(handlers);
    host.microtask(() => stream.open());
    return stream;
  });
  refused = !stream.attached;
  if (refused) socket.destroy();
}

/** Returns the listener for a server that is bound at `address`. */
export function serverListener(server: NodeServer, address: string, closed: () => void = () => {}): Listener {
  let closing: Promise<void> | undefined;
  return {
    address,
    close: () => closing ??= closeServer(server).then(closed),
    setReferenced: (on) => void (on ? server.ref() : server.unref()),
  };
}

/**
 * The server's own "close" event waits for every accepted connection; its address is free as soon as the turn
 * ends.
 */
function closeServer(server: NodeServer): Promise<void> {
  server.close();
  return new Promise((resolve) => host.turn(resolve));
}
