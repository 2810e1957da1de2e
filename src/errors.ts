/**
 * Three families of errors. **MisuseError**: a call that cannot be carried out; nothing changed.
 * **PeerError**: a fault of the peer or the connection; never thrown from a callback, but delivered as an
 * event and as the reason for a close. **BugError**: a bug in hawser; report it. The closed unions of codes
 * are the contract; messages are for people.
 *
 * @module
 */

/** The codes of {@link MisuseError}: a caller's mistake, or something that the socket cannot do now. */
export type MisuseCode =
  | "ERR_ENDPOINT" // an endpoint that cannot be parsed, or whose scheme is unknown
  | "ERR_OPTION" // an unknown option or event, or a value that is not allowed
  | "ERR_MESSAGE" // a value that cannot be sent
  | "ERR_STATE" // an operation that the socket's state forbids (a Request that sends twice)
  | "ERR_CLOSED" // the socket or context is closed
  | "ERR_ADDRESS_IN_USE" // bind: the address is in use
  | "ERR_ADDRESS" // bind: the system refuses the address
  | "ERR_PERMISSION" // bind or connect: the runtime was started without the permission; the message names it
  | "ERR_NOT_BOUND" // unbind or disconnect of an endpoint that is not in use
  | "ERR_CERTIFICATE_KEY" // a certificate, key or authority that cannot be used: unreadable, or no pair
  | "ERR_UNROUTABLE" // a mandatory Router knows no such peer
  | "ERR_AGAIN" // a wait timed out
  | "ERR_WAITERS" // more waiting sends than `sendWaitersMax`
  | "ERR_ABORTED" // the caller's signal was aborted: `name` is "AbortError", `cause` the signal's reason
  | "ERR_TIMEOUT"; // a Request's reply did not arrive in time

/** The codes of {@link PeerError}: a fault of the peer, or of the connection to it. */
export type PeerCode =
  | "ERR_PEER_VERSION"
  | "ERR_PEER_MECHANISM"
  | "ERR_PEER_METADATA"
  | "ERR_PEER_SOCKET_TYPE"
  | "ERR_PEER_IDENTITY"
  | "ERR_PEER_FRAME"
  | "ERR_PEER_FRAME_SIZE"
  | "ERR_PEER_MESSAGE_SIZE"
  | "ERR_PEER_COMMAND"
  | "ERR_PEER_COMMAND_FLOOD"
  | "ERR_PEER_SUBSCRIPTIONS"
  | "ERR_PEER_ERROR" // the peer sent an ERROR command; the message contains its reason
  | "ERR_PEER_HANDSHAKE_TIMEOUT"
  | "ERR_PEER_HEARTBEAT_TIMEOUT"
  | "ERR_PEER_PENDING" // over a pending bound: the transport cannot pause, or half a message stalled
  | "ERR_PEER_BODY_CHANGED" // a body passed by reference was resized before it was written
  | "ERR_PEER_HANDSHAKES" // too many half-open handshakes on one listener
  | "ERR_TLS" // TLS failed for a reason that is not a certificate: plain bytes, no common version
  | "ERR_CERTIFICATE_EXPIRED" // or not valid yet
  | "ERR_CERTIFICATE_UNKNOWN" // nobody we trust vouches for it
  | "ERR_CERTIFICATE_HOST" // it is for another host
  | "ERR_CERTIFICATE_PURPOSE" // it may not be used by a server, or by a client
  | "ERR_CERTIFICATE_REQUIRED" // the peer must present one and did not
  | "ERR_CERTIFICATE_REFUSED" // the peer refused ours; the message says why, if the peer did
  | "ERR_HTTP_REQUEST" // a request that cannot become a WebSocket: malformed, too large, not allowed
  | "ERR_HTTP_RESPONSE" // the server did not switch to a WebSocket; the message has its status
  | "ERR_WEBSOCKET" // the peer broke RFC 6455 or ZWS 2.0, or closed with a failure
  | "ERR_TRANSPORT"; // the transport broke a rule of its contract; the message names the rule

/** A call that cannot be carried out. Nothing changed. */
export class MisuseError extends Error {
  override readonly name: string = "MisuseError";
  readonly code: MisuseCode;
  constructor(code: MisuseCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Whether the runtime forbids something for the life of the process: trying again is pointless. */
export function isPermissionError(error: unknown): error is MisuseError {
  return error instanceof MisuseError && error.code === "ERR_PERMISSION";
}

/**
 * A fault of the peer or the connection. Delivered in events and close reasons, never thrown by a callback.
 */
export class PeerError extends Error {
  override readonly name: string = "PeerError";
  readonly code: PeerCode;
  constructor(code: PeerCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A broken invariant of hawser: a bug to report. */
export class BugError extends Error {
  override readonly name: string = "BugError";
}

/** Any error that hawser's sockets create. Narrow by `instanceof`, then by `code`. */
export type HawserError = MisuseError | PeerError | BugError;
