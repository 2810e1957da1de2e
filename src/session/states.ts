/**
 * The states of one connecting endpoint.
 *
 * - `idle`: nothing was tried yet (the adapter is being loaded).
 * - `dialing`: a stream is being opened.
 * - `handshaking`: it is open; the peer has yet to show who it is.
 * - `ready`: the peer is there.
 * - `backoff`: waiting to try again.
 * - `lingering`: the socket is closed, but messages are queued: connections are used and made as before until the queue
 *   is empty or the linger time is over.
 * - `closed`: over.
 *
 * @module
 */

import type { Table } from "../state_table.ts";

export type SessionState = "idle" | "dialing" | "handshaking" | "ready" | "backoff" | "lingering" | "closed";

/** `lost`: the attempt or the connection failed. `giveUp`: never try again. `linger`: close, but deliver. */
export type SessionInput = "dial" | "opened" | "handshaken" | "lost" | "giveUp" | "linger" | "close";

export const SESSION_TRANSITIONS: Table<SessionState, SessionInput> = {
  idle: { dial: "dialing", giveUp: "closed", linger: "lingering", close: "closed" },
  dialing: { opened: "handshaking", lost: "backoff", giveUp: "closed", linger: "lingering", close: "closed" },
  handshaking: {
    handshaken: "ready",
    lost: "backoff",
    giveUp: "closed",
    linger: "lingering",
    close: "closed",
  },
  ready: { lost: "backoff", giveUp: "closed", linger: "lingering", close: "closed" },
  backoff: { dial: "dialing", giveUp: "closed", linger: "lingering", close: "closed" },
  lingering: {
    dial: "lingering",
    opened: "lingering",
    handshaken: "lingering",
    lost: "lingering",
    giveUp: "closed",
    linger: "lingering",
    close: "closed",
  },
  closed: {
    opened: "closed",
    handshaken: "closed",
    lost: "closed",
    giveUp: "closed",
    linger: "closed",
    close: "closed",
  },
};
