/**
 * `Bun.serve` or `Deno.serve`, whichever this runtime has, with a web listener of hawser and a page beside it.
 *
 * @module
 */

import type { WebSocketListener } from "../../adapters/http/mod.ts";

interface BunServer {
  readonly port: number;
  stop(cut: boolean): unknown;
}

interface DenoServer {
  readonly addr: { readonly port: number };
  readonly finished: Promise<void>;
}

interface Globals {
  readonly Bun?: { serve(options: object): BunServer };
  readonly Deno?: {
    serve(
      options: object,
      handler: (request: Request, info: { readonly remoteAddr: unknown }) => unknown,
    ): DenoServer;
  };
}

/** A running server. */
export interface WebServer {
  readonly port: number;
  /** Cuts what is open. */
  stop(): Promise<void>;
}

const { Bun, Deno } = globalThis as unknown as Globals;

/** Whether this runtime has such a server. */
export const hasWebServer: boolean = Bun !== undefined || Deno !== undefined;

/** Serves pages `page /path`, and the sockets that are bound at `web`. */
export function serveWeb(web: WebSocketListener): WebServer {
  const page = (request: Request): Response => new Response(`page ${new URL(request.url).pathname}`);
  if (Bun !== undefined) {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      // deno-lint-ignore no-explicit-any
      fetch: (request: any, server: any) => web.fetch(request, server) ?? page(request),
      websocket: web.bunHandlers,
    });
    return {
      port: server.port,
      stop: () => {
        server.stop(true);
        return Promise.resolve();
      },
    };
  }
  const stop = new AbortController();
  const server = Deno!.serve(
    { hostname: "127.0.0.1", port: 0, signal: stop.signal, onListen: () => {} },
    (request, info) => web.fetch(request, info) ?? page(request),
  );
  return {
    port: server.addr.port,
    stop: () => {
      stop.abort();
      return server.finished;
    },
  };
}
