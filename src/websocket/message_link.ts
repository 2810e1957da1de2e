/**
 * A native WebSocket, which sends and receives whole messages: that of a page or worker, of `Bun.serve`, of
 * `Deno.serve`. The bridge over such a link is link_bridge.ts; the bridge over bytes is stream_bridge.ts.
 *
 * @module
 */

import type { HttpInfo } from "../transport_options.ts";

/** Why we end a connection. */
export interface LinkFailure {
  /** A close code of RFC 6455 §7.4.1. Pages can send codes from 3000 on only: they add 3000. */
  readonly code: number;
  /** At most 123 bytes of ASCII. */
  readonly reason: string;
}

/** A native WebSocket that is opening or open. */
export interface MessageLink {
  /**
   * Hands over a whole message. `true`: its memory is free again. `false`: it is lent until
   * `handlers.drain()`, and nothing more is sent before that. Never throws.
   */
  send(message: Uint8Array): boolean;
  /** Pauses or resumes receiving. Absent where that is impossible. */
  setPaused?(paused: boolean): void;
  /** Sends a PING. Absent where the runtime does not let us. */
  ping?(payload: Uint8Array): void;
  /**
   * `"flush"`: sends what it has and closes with 1000. `"abort"`: at once; `failure` is what the peer is
   * told, where that is possible. `handlers.close` follows.
   */
  close(mode: "flush" | "abort", failure?: LinkFailure): void;
  /** Whether it keeps the process alive. */
  setReferenced?(on: boolean): void;
}

/** What an opened link tells. */
export interface MessageLinkInfo {
  /** The agreed sub-protocol: `ZWS2.0`, `ZWS2.0/NULL`, … */
  readonly protocol: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly http: HttpInfo;
}

/** How a native WebSocket reports; none is called before the link was returned. */
export interface MessageHandlers {
  open(info: MessageLinkInfo): void;
  /** A binary message, whose memory is ours from here on. */
  message(bytes: Uint8Array): void;
  /** A text message, which ZWS does not have. */
  text(): void;
  drain(): void;
  /** A PONG arrived, where the runtime shows it. */
  pong?(payload: Uint8Array): void;
  /** The link is closed. Called once, last. `cause`: why, unless it closed in order or we aborted it. */
  close(cause?: unknown): void;
}

/** Opens a native WebSocket, or takes over one that a server has opened. */
export type OpenMessageLink = (handlers: MessageHandlers) => MessageLink;
