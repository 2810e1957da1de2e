/**
 * What happens on a stream before its first WebSocket frame: the HTTP upgrade, as the client or the server
 * does it, or nothing if a web server has done it. The bridge drives an opening; the opening knows no frames.
 *
 * @module
 */

import type { PeerError } from "../errors.ts";
import type { TransportInfo } from "../ports.ts";
import type { HttpInfo } from "../transport_options.ts";

/** A stream that was switched to WebSocket frames. */
export interface Opened {
  /** The agreed sub-protocol: `ZWS2.0`, `ZWS2.0/NULL`, … */
  readonly protocol: string;
  readonly http: HttpInfo;
  /** Both ends as endpoints, if they are others than those of the stream: with the scheme, and our path. */
  readonly localAddress?: string | undefined;
  /** Also what a proxy that is trusted named instead. */
  readonly remoteAddress?: string | undefined;
  /** What arrived after the head: the first bytes of frames. */
  readonly rest: Uint8Array;
}

/** What an opening does to its stream. Each may be called from inside the opening's methods, or later. */
export interface OpeningStream {
  /** Sends bytes of the upgrade. They are the opening's own, and not used again. */
  write(bytes: Uint8Array): void;
  /** The stream carries frames from here on. The opening is not called again. */
  done(opened: Opened): void;
  /** The upgrade failed: what was written leaves, then the stream closes with `error` as its cause. */
  fail(error: PeerError): void;
}

/** One upgrade. */
export interface Opening {
  /** The stream is open. */
  start(stream: OpeningStream, info: TransportInfo): void;
  /** Bytes arrived. The opening owns them. */
  receive(chunk: Uint8Array): void;
  /** The peer ended the stream before the upgrade was done. */
  ended(): void;
  /** The stream is gone: whatever still waits (an async `accept`) must do nothing from here on. */
  abandoned(): void;
}
