/**
 * The states of one connection, and nothing else. The rules:
 *
 * 1. The progress of a connection, its stream, its input and its output is kept as states of these tables.
 * 2. A state changes only through {@link next}; a missing cell is a bug, not a case to ignore.
 * 3. The four machines are independent: the connection (how far the peer and we have come), the stream (what
 *    may be asked of the transport), the input (whether messages may be decoded), the flush policy (when
 *    queued output is written).
 * 4. What is not progress is not a state: whether a call of ours is running (`busy`, `writing`), what was
 *    last reported or arranged (`paused`, `turnArranged`, a PING that is due), and what waits in a queue are
 *    fields next to the machine.
 *
 * The diagrams in `docs/PROTOCOL.md` are drawn from these tables (`tools/state_diagrams.ts`).
 *
 * @module
 */

import type { Table } from "../state_table.ts";

/**
 * How far the connection has come.
 *
 * - `greeting`: the 64 bytes have not all arrived.
 * - `handshake`: mechanism commands are exchanged.
 * - `ready`: messages and commands.
 * - `closing`: nothing is read any longer; what is queued leaves.
 * - `closed`: over. Every input is ignored; `pollTimeoutMs()` is `Infinity`.
 */
export type EngineState = "greeting" | "handshake" | "ready" | "closing" | "closed";

/** What moves the connection. `failed`: a peer's fault, a time-out or the transport's failure. */
export type EngineInput = "greeted" | "accepted" | "closeRequested" | "flushed" | "ended" | "failed";

export const ENGINE_TRANSITIONS: Table<EngineState, EngineInput> = {
  greeting: { greeted: "handshake", closeRequested: "closing", ended: "closed", failed: "closed" },
  handshake: { accepted: "ready", closeRequested: "closing", ended: "closed", failed: "closed" },
  ready: { closeRequested: "closing", ended: "closed", failed: "closed" },
  closing: { closeRequested: "closing", flushed: "closed", ended: "closed", failed: "closed" },
  closed: { closeRequested: "closed", flushed: "closed", ended: "closed", failed: "closed" },
};

/**
 * How far the stream under a connection has come, and so what may be asked of its transport.
 *
 * - `dialing`: `dial` has not returned. No handler may be called.
 * - `opening`: `open` was not called yet. Only `setReferenced` and `close("abort")` may be called.
 * - `open`: bytes go both ways.
 * - `finishing`: told to close once what was written has left. Nothing is written any longer.
 * - `cut`: told to close at once.
 * - `gone`: over. What the transport still reports is ignored.
 */
export type StreamState = "dialing" | "opening" | "open" | "finishing" | "cut" | "gone";

/**
 * `dialled`: `dial` returned a transport. `finish`, `cut`: we close. `gone`: it has closed, or is no longer
 * waited for.
 */
export type StreamInput = "dialled" | "opened" | "finish" | "cut" | "gone";

export const STREAM_TRANSITIONS: Table<StreamState, StreamInput> = {
  dialing: { dialled: "opening", gone: "gone" },
  opening: { opened: "open", cut: "cut", gone: "gone" },
  open: { finish: "finishing", cut: "cut", gone: "gone" },
  finishing: { cut: "cut", gone: "gone" },
  cut: { gone: "gone" },
  gone: {},
};

/**
 * Whether arriving bytes become messages.
 *
 * - `detached`: the handshake is over but no pipe is attached; bytes wait in `pending`.
 * - `running`: bytes are decoded as they arrive. `pending` is empty.
 * - `stopped`: the pipe is at its high-water mark. Bytes wait in `pending`; commands in them are still
 *   handled.
 * - `waiting`: a body allocator has no memory yet. Like `stopped`, but commands that arrive wait too.
 * - `ended`: no more bytes come; what was complete has been delivered.
 */
export type InputState = "detached" | "running" | "stopped" | "waiting" | "ended";

/**
 * `drained`: pending bytes are decoded. `full`: the pipe takes no more. `noMemory`: the allocator returned
 * `"later"`.
 */
export type InputInput = "attached" | "drained" | "full" | "noMemory" | "finished";

export const INPUT_TRANSITIONS: Table<InputState, InputInput> = {
  detached: { attached: "stopped", finished: "ended" },
  running: { drained: "running", full: "stopped", noMemory: "waiting", finished: "ended" },
  stopped: { drained: "running", full: "stopped", noMemory: "waiting", finished: "ended" },
  waiting: { drained: "running", full: "stopped", noMemory: "waiting", finished: "ended" },
  ended: { finished: "ended" },
};

/**
 * When queued output is written. A lone message leaves at once; an awaited loop of sends batches by itself,
 * and so do the replies to many peers.
 *
 * - `idle`: nothing queued, nothing written in this loop turn.
 * - `soon`: the first message of this turn is queued; it is written at the end of the current callback.
 * - `late`: it is queued, but other connections have written in this turn. It is written with the next burst
 *   of them, at the latest when the turn ends: each write wakes its reader, and they are best woken together.
 * - `hot`: something was written in this turn and nothing is queued.
 * - `gathering`: hot, and more is queued. Full segments are written at once, the rest when the turn ends.
 * - `blocked`: a write is in flight. Its drain writes what is queued, or lets it gather if that write was in
 *   this turn.
 */
export type FlushState = "idle" | "soon" | "late" | "hot" | "gathering" | "blocked";

/**
 * `queued`: something to write. `queuedLate`: the same, and others have written in this turn. `full`: a
 * whole segment is ready. `callbackEnded`, `burstEnded`, `turnEnded`: a callback, a burst of writes or a turn
 * of the event loop is over. `lent`: a write is in flight. `drained`: it no longer is.
 */
export type FlushInput =
  | "queued"
  | "queuedLate"
  | "full"
  | "callbackEnded"
  | "burstEnded"
  | "turnEnded"
  | "lent"
  | "drained";

/** What moves nothing, except where a state says otherwise. Only a write in flight can drain. */
function stay(state: FlushState): Record<Exclude<FlushInput, "drained">, FlushState> {
  return {
    queued: state,
    queuedLate: state,
    full: state,
    callbackEnded: state,
    burstEnded: state,
    turnEnded: state,
    lent: "blocked",
  };
}

export const FLUSH_TRANSITIONS: Table<FlushState, FlushInput> = {
  idle: { ...stay("idle"), queued: "soon", queuedLate: "late", full: "hot" },
  soon: { ...stay("soon"), full: "hot", callbackEnded: "hot", turnEnded: "hot" },
  late: { ...stay("late"), full: "hot", burstEnded: "idle" },
  hot: { ...stay("hot"), queued: "gathering", queuedLate: "gathering", turnEnded: "idle" },
  gathering: { ...stay("gathering"), turnEnded: "idle" },
  blocked: { ...stay("blocked"), drained: "hot" },
};
