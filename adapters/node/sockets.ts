/**
 * Sockets that read into memory of ours, where Node lets us.
 *
 * For sockets that connect it is a documented option, `onread`. Servers do not have it, so the handle of an
 * accepted socket is put into a second socket that has. That is not documented, so it is tried and looked at:
 * where it does not work, and on Deno and Bun, sockets report what they read with "data" events.
 *
 * @module
 */

import { hasBuiltins } from "../builtin.ts";
import { SocketReads } from "./reads.ts";
import type { ReadSocket } from "./stream.ts";
import type { NodeConnectOptions, NodeHandle, NodeNet, NodeServer, NodeSocket } from "./types.ts";

/**
 * Only one of the two uses of `highWaterMark` matters here: a paused socket reads that much ahead, and 64 KiB
 * is one read of libuv. For writes, `writableLength` itself says whether a chunk was taken.
 */
const HIGH_WATER_MARK = 65_536;

interface Globals {
  readonly Deno?: unknown;
  readonly Bun?: unknown;
  readonly process?: { readonly platform?: string };
}

const { Deno, Bun, process } = globalThis as unknown as Globals;

/**
 * Which sockets read into memory of ours. What does not work is switched off; tests do so on purpose. Windows
 * fills memory after the call that was given it, so there a buffer cannot be shared.
 */
export const directReads: { connected: boolean; accepted: boolean } = (() => {
  const isNode = hasBuiltins() && Deno === undefined && Bun === undefined && process?.platform !== "win32";
  return { connected: isNode, accepted: isNode };
})();

/** Begins to connect. Throws what `net.connect` throws. */
export function connectSocket(net: NodeNet, target: NodeConnectOptions): ReadSocket {
  const reads = directReads.connected ? new SocketReads() : undefined;
  const options = { ...target, allowHalfOpen: true, highWaterMark: HIGH_WATER_MARK };
  return { socket: net.connect(reads === undefined ? options : { ...options, onread: reads }), reads };
}

/** Creates a server. `accept` is called for each of its sockets, which begins to read then. */
export function createReadServer(net: NodeNet, accept: (accepted: ReadSocket) => void): NodeServer {
  // A socket must not read before its handle is taken.
  const pauseOnConnect = directReads.accepted;
  const server = net.createServer({ allowHalfOpen: true, highWaterMark: HIGH_WATER_MARK, pauseOnConnect });
  server.on("connection", (accepted) => {
    const own = directReads.accepted && pauseOnConnect ? takeHandle(net, accepted) : undefined;
    if (own !== undefined) return accept(own);
    accept({ socket: accepted, reads: undefined });
    if (pauseOnConnect) accepted.resume();
  });
  return server;
}

/**
 * Puts the handle of an accepted socket into one that reads into memory of ours. The server counts that one
 * instead. Where this does not work it is not tried again.
 */
function takeHandle(net: NodeNet, accepted: NodeSocket): ReadSocket | undefined {
  const handle = accepted._handle;
  directReads.accepted = typeof handle?.useUserBuffer === "function" && handle.reading === false;
  if (!directReads.accepted) return undefined;
  const reads = new SocketReads();
  const socket = socketOf(net, handle!, reads);
  directReads.accepted = socket !== undefined && reads.asked;
  if (socket === undefined) return undefined;
  socket.server = accepted.server;
  socket._server = accepted._server;
  accepted._server = null;
  accepted._handle = null;
  return { socket, reads: reads.asked ? reads : undefined };
}

function socketOf(net: NodeNet, handle: NodeHandle, onread: SocketReads): NodeSocket | undefined {
  try {
    return new net.Socket({ handle, allowHalfOpen: true, highWaterMark: HIGH_WATER_MARK, onread });
  } catch {
    return undefined;
  }
}
