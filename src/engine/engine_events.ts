/**
 * The events that an engine reports.
 *
 * @module
 */

import type { PeerError } from "../errors.ts";
import type { AuthorizationRequest } from "../zmtp/mechanism/mechanism.ts";
import type { PeerProperties } from "../zmtp/metadata.ts";

/** Why a connection ended. */
export type CloseReason =
  | { readonly kind: "local" }
  | { readonly kind: "remote" }
  /** The peer broke the protocol or a limit, or its time ran out. */
  | { readonly kind: "peer"; readonly error: PeerError }
  | { readonly kind: "transport"; readonly cause: unknown };

/** What the handshake revealed about a peer. */
export interface HandshakeResult extends PeerProperties {
  readonly mechanism: string;
  /** The version that the peer announced, such as `"3.1"`. */
  readonly version: string;
}

export type EngineEvent =
  /** Once. The pipe must be attached before more than the pending bound has arrived. */
  | { readonly type: "ready"; readonly peer: HandshakeResult }
  /** The mechanism asks whether the peer may come in; answer with `authorize`. */
  | { readonly type: "authorize"; readonly request: AuthorizationRequest }
  /** Once, last. */
  | { readonly type: "closed"; readonly reason: CloseReason; readonly handshaken: boolean };
