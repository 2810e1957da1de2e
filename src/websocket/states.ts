/**
 * The states of one WebSocket over a byte stream. The rules of src/engine/states.ts apply.
 *
 * @module
 */

import type { Table } from "../state_table.ts";

/**
 * How far a WebSocket has come.
 *
 * - `dialing`: the stream below was not dialled or has not opened.
 * - `upgrading`: the HTTP upgrade.
 * - `open`: frames go both ways.
 * - `left`: the peer has said that it sends no more, by a close frame or the end of its stream. What it sends
 *   nevertheless is ignored. A close frame is answered behind the frame that has begun.
 * - `leaving`: a close frame of ours follows what was begun; then the stream is ended. Input is ignored.
 * - `ending`: our last byte was written, and the stream was told to end.
 * - `cut`: the stream was told to close at once.
 * - `gone`: over.
 */
export type SocketState =
  | "dialing"
  | "upgrading"
  | "open"
  | "left"
  | "leaving"
  | "ending"
  | "cut"
  | "gone";

/**
 * What moves it. `opened`: the stream below is open. `upgraded`: its next bytes are frames. `peerLeft`: a
 * close frame arrived, or the stream's end. `leave`: our engine closes in order, or the peer broke a rule or
 * told of a failure. `finished`: everything was written. `abort`: our engine closes at once, or waited long
 * enough. `gone`: the stream below has closed.
 */
export type SocketInput = "opened" | "upgraded" | "peerLeft" | "leave" | "finished" | "abort" | "gone";

export const SOCKET_TRANSITIONS: Table<SocketState, SocketInput> = {
  dialing: { opened: "upgrading", abort: "cut", gone: "gone" },
  upgrading: { upgraded: "open", leave: "leaving", abort: "cut", gone: "gone" },
  open: { peerLeft: "left", leave: "leaving", abort: "cut", gone: "gone" },
  left: { leave: "leaving", finished: "ending", abort: "cut", gone: "gone" },
  leaving: { leave: "leaving", finished: "ending", abort: "cut", gone: "gone" },
  ending: { leave: "ending", abort: "cut", gone: "gone" },
  cut: { abort: "cut", gone: "gone" },
  gone: {},
};
