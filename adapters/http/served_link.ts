/**
 * What a WebSocket that a web server gives us has in common on all runtimes: it is offered to its socket
 * before the server switches, so that the socket's limits and its deadline hold for the decision as well.
 *
 * @module
 */

import { PeerError } from "../../src/errors.ts";
import type { MessageHandlers, MessageLink, MessageLinkInfo } from "../../src/websocket/message_link.ts";

/** A link whose WebSocket comes later, or never. */
export interface ServedLink<Native> extends MessageLink {
  /** Set once by the bridge. */
  handlers: MessageHandlers | undefined;
  /** Called if the bridge gives up before {@link ServedLink.switched} or {@link ServedLink.refused}. */
  abandoned: () => void;
  /** What is told when the WebSocket is open. Set before the server switches: Bun opens it in that call. */
  info: MessageLinkInfo | undefined;
  /** The server has switched. */
  switched(native: Native): void;
  /** There will be no WebSocket. */
  refused(cause: unknown): void;
}

/** Milliseconds that a peer may take to answer our close frame. */
export const CLOSE_MS = 1_000;

/** RFC 6455 §7.4.1: in order, and the codes that say so. */
const IN_ORDER: readonly number[] = [1000, 1001, 1005];
const TOO_BIG = 1009;

/** Why a WebSocket closed; `undefined` if in order. `bytesMax`: what the runtime takes in one message. */
export function closeCause(
  { remoteAddress }: MessageLinkInfo,
  { code, reason, bytesMax }: { readonly code: number; readonly reason: string; readonly bytesMax: number },
): PeerError | undefined {
  if (IN_ORDER.includes(code)) return undefined;
  const said = reason === "" ? "" : `: ${reason}`;
  if (code === TOO_BIG || /too big|too large/i.test(reason)) {
    return new PeerError(
      "ERR_PEER_FRAME_SIZE",
      `${remoteAddress} sent a frame of more than ${bytesMax} bytes, which this runtime's web server does ` +
        "not take: listen at a port of hawser's own for larger ones",
    );
  }
  const what = code === 1006 ? "was lost" : `was closed with the code ${code}`;
  return new PeerError("ERR_WEBSOCKET", `The WebSocket of ${remoteAddress} ${what}${said}`);
}
