/**
 * A client's way to one broker, over the network (dealer_link.ts) or within the process (local_link.ts).
 *
 * @module
 */

import type { FrameLink, LinkEvents } from "../link.ts";

/** What a client's link tells. None of it comes from inside a call of the client's own. */
export interface ClientLinkEvents extends LinkEvents {
  /**
   * The broker is there. Nothing that was sent before precedes what is sent now. `closed` follows once for each
   * `opened`; a link over the network then opens again, until it is closed from here.
   */
  opened(): void;
  /** Once for each `opened`. `retryMs`: until the link opens again, where another attempt is arranged. */
  closed(reason?: Error, retryMs?: number): void;
  /** Behind each burst of messages. */
  endOfBurst?(): void;
  /** The broker could not be reached, for `reason`; the next attempt is made in `retryMs` (`Infinity`: never). */
  failed?(reason: Error, retryMs: number): void;
}

/** See the module. `trySend` answers false while the broker is not there; `opened` follows instead of `writable`. */
export interface ClientLink extends FrameLink {
  /** Ends the link for good. `closed` follows if it was open; what was sent before may still leave. */
  close(reason?: Error): void;
  /** Resolves when a closed link holds nothing any more. */
  readonly ended: Promise<void>;
}
