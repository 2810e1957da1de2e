/**
 * The states of one endpoint or connection, which decide whether it is tried, used, flushed or over.
 *
 * A connecting endpoint over a byte stream:
 *
 * - `idle`: nothing was tried yet (the adapter is being loaded).
 * - `dialing`: a stream is being opened.
 * - `handshaking`: the stream is open; the peer has yet to identify itself.
 * - `ready`: the peer is connected.
 * - `backoff`: waiting to try again.
 * - `lingering`: we are closing, but messages are queued: connections are used and made as before until
 *   the queue is empty or the linger time is over.
 * - `closed`: over.
 *
 * @module
 */

import type { Table } from "../state_table.ts";

export type SessionState = "idle" | "dialing" | "handshaking" | "ready" | "backoff" | "lingering" | "closed";

/** `lost`: the attempt or the connection failed. `giveUp`: never try again. `linger`: deliver, then close. */
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

/**
 * One end of an inproc connection, which has no handshake to wait for.
 *
 * - `idle`: it looks for no other end: not yet, or it has just lost one.
 * - `waiting`: for its name to be bound.
 * - `backoff`: it was refused and waits to try again.
 * - `joined`: the other end is connected.
 * - `lingering`: we are closing, but messages are queued for a socket that binds the name.
 * - `closed`: over.
 */
export type InprocState = "idle" | "waiting" | "backoff" | "joined" | "lingering" | "closed";

/** `wait`: look for the name. `join`, `part`: the other end has come or gone. `refuse`: it refused us. */
export type InprocInput = "wait" | "join" | "part" | "refuse" | "linger" | "close";

export const INPROC_TRANSITIONS: Table<InprocState, InprocInput> = {
  idle: { wait: "waiting", join: "joined", refuse: "backoff", linger: "lingering", close: "closed" },
  waiting: { join: "joined", linger: "lingering", close: "closed" },
  backoff: { wait: "waiting", linger: "lingering", close: "closed" },
  joined: { part: "idle", linger: "lingering", close: "closed" },
  lingering: {
    wait: "lingering",
    join: "lingering",
    part: "lingering",
    refuse: "lingering",
    close: "closed",
  },
  closed: { close: "closed" },
};

/**
 * An accepted connection, whose pipe lasts as long as the peer is connected:
 *
 * - `handshaking`: the peer has yet to identify itself. It counts towards the listener's limit.
 * - `ready`: the peer is connected and has a pipe.
 * - `refused`: we refused the peer; that was reported, and the connection is being closed.
 * - `lost`: the connection has ended, but memory of the pipe may still be lent.
 * - `lingering`: we are closing, but queued messages may leave until the linger time is over.
 * - `closing`: we are closing. This state and `lingering` keep the process alive.
 * - `gone`: over.
 */
export type AcceptState = "handshaking" | "ready" | "refused" | "lost" | "lingering" | "closing" | "gone";

/** `lost`: nothing more is sent or received. `gone`: no memory is lent any longer; the last input. */
export type AcceptInput = "handshaken" | "refuse" | "lost" | "linger" | "close" | "gone";

export const ACCEPT_TRANSITIONS: Table<AcceptState, AcceptInput> = {
  handshaking: { handshaken: "ready", refuse: "refused", lost: "lost", close: "closing" },
  ready: { refuse: "refused", lost: "lost", linger: "lingering", close: "closing" },
  refused: { handshaken: "refused", lost: "refused", linger: "lingering", close: "closing", gone: "gone" },
  lost: { close: "closing", gone: "gone" },
  lingering: { lost: "lingering", close: "closing", gone: "gone" },
  closing: { handshaken: "closing", lost: "closing", close: "closing", gone: "gone" },
  gone: {},
};
