/**
 * The web listeners of this process by name (`hawser/http`), where the transport `ws` finds them: sockets
 * bind `ws://name/path`.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { Listener } from "../../src/ports.ts";
import { type BoundPath, BoundPaths } from "./bound_paths.ts";
import type { BindRequest } from "./shared_listener.ts";

const listeners: Map<string, BoundPaths> = new Map();

/**
 * Registers a web listener, and returns the paths that sockets bind there.
 *
 * @throws {MisuseError} `ERR_ADDRESS_IN_USE` if there is one of that name.
 */
export function openWebListener(name: string): BoundPaths {
  if (listeners.has(name)) {
    throw new MisuseError(
      "ERR_ADDRESS_IN_USE",
      `Cannot make a second web listener "${name}": give it another name, or close the first`,
    );
  }
  const paths = new BoundPaths();
  listeners.set(name, paths);
  return paths;
}

/** Removes a web listener. */
export function closeWebListener(name: string, paths: BoundPaths): void {
  if (listeners.get(name) === paths) listeners.delete(name);
}

/** Binds a socket to a path of a web listener. */
export function bindWebPath(name: string, request: BindRequest): Promise<Listener> {
  const { endpoint, options, accept, failed } = request;
  const { text, path } = endpoint;
  return new Promise((resolve) => {
    const paths = listeners.get(name);
    if (paths === undefined) throw noListener(text, name);
    const bound: BoundPath = { path, endpoint: text, options, accept, failed };
    paths.add(bound);
    resolve({
      address: text,
      close: () => {
        paths.delete(bound);
        return Promise.resolve();
      },
    });
  });
}

function noListener(text: string, name: string): MisuseError {
  const known = listeners.size === 0 ? "there is none" : `there are ${[...listeners.keys()].join(", ")}`;
  return new MisuseError(
    "ERR_ADDRESS",
    `Cannot bind ${text}: no web listener is called "${name}" (${known}). Make one with webSocketListener ` +
      `of hawser/http, or add a port to listen at: ws://127.0.0.1:8080${text.endsWith("/") ? "/" : "/path"}`,
  );
}
