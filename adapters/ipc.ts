/**
 * The `ipc` transport of every runtime. Endpoints, socket files and errors are the same on all; a runtime
 * supplies how to connect to a path and how to listen at one.
 *
 * @module
 */

import type { Accept, Dial, Listener, StreamOptions, TransportFactory, TransportInfo } from "../src/ports.ts";
import { parseIpcEndpoint } from "../src/socket/endpoint.ts";
import { bindSocketFile, openSocketFile, pathError, type SocketFile, socketPath } from "./socket_file.ts";
import { bindError } from "./system_errors.ts";

/** What differs between the TCP and unix sockets of one runtime. */
export interface SocketKind<Native> {
  /** Returns both ends of a connected socket, as endpoints. */
  describe(socket: Native): TransportInfo;
  /** Sets the options of a socket that has just connected. */
  prepare(socket: Native): void;
}

/** How to connect to a target. */
export interface DialSetup<Native> {
  readonly kind: SocketKind<Native>;
  /** The endpoint, for messages. */
  readonly text: string;
  readonly options: StreamOptions;
  /** Turns the runtime's reason why a stream cannot be opened into the reported cause. */
  readonly explain: (cause: unknown) => unknown;
}

/** How to listen at a path. */
export interface IpcListenSetup<Native> {
  readonly kind: SocketKind<Native>;
  readonly options: StreamOptions;
  readonly accept: Accept;
  readonly failed: (cause: unknown) => void;
}

/** How a runtime connects to a path (or an abstract name after a NUL) and listens at one. */
export interface IpcRuntime<Native, Bound> {
  dial(path: string, setup: DialSetup<Native>): Dial;
  /** Rejects with the runtime's own error. */
  listen(path: string, setup: IpcListenSetup<Native>): Promise<Bound>;
  /** Returns the listener for what `listen` bound. `closed` is called when the address is free again. */
  listener(bound: Bound, address: string, closed: () => void, setup: IpcListenSetup<Native>): Listener;
}

/** Returns the `ipc` transport over what a runtime supplies. */
export function ipcTransport<Native, Bound>(runtime: IpcRuntime<Native, Bound>): TransportFactory {
  return {
    dial: (address, options) => {
      const endpoint = parseIpcEndpoint(address, "connect");
      const { text } = endpoint;
      const path = socketPath(endpoint);
      const explain = (cause: unknown): unknown => pathError(cause, path, `Cannot connect to ${text}`);
      return runtime.dial(path, { kind: ipcKind(text), text, options, explain });
    },
    listen: (address, options) => {
      const endpoint = parseIpcEndpoint(address, "bind");
      // Refuses an abstract name where the system has none, before anything starts.
      if (endpoint.ipcKind === "abstract") socketPath(endpoint);
      return (accept, failed) => listenIpc(runtime, address, { options, accept, failed });
    },
  };
}

async function listenIpc<Native, Bound>(
  runtime: IpcRuntime<Native, Bound>,
  address: string,
  rest: Omit<IpcListenSetup<Native>, "kind">,
): Promise<Listener> {
  let file: SocketFile | undefined;
  try {
    const { path, address: real, remove } = file = openSocketFile(parseIpcEndpoint(address, "bind"));
    const setup = { ...rest, kind: ipcKind(real) };
    const bound = await bindSocketFile(file, () => runtime.listen(path, setup));
    return runtime.listener(bound, real, remove, setup);
  } catch (cause) {
    file?.remove();
    throw bindError(cause, address);
  }
}

/** A connecting unix socket has no name of its own, so both ends are described by the listener's. */
function ipcKind(address: string): SocketKind<unknown> {
  return {
    describe: () => ({ localAddress: address, remoteAddress: address }),
    prepare: () => {},
  };
}
