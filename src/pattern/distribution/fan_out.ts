/**
 * Gives one message to many peers. It is framed once, into memory that the queues of all of them refer to;
 * bodies that are passed by reference are shared anyway. PUB, XPUB and XSUB (upstream) use it.
 *
 * @module
 */

import { SharedRun } from "../../zmtp/shared_run.ts";
import type { Outgoing } from "../pipe/outbound_queue.ts";
import type { Pipe } from "../pipe/pipe.ts";

/** Below this many peers, each queue frames the message itself. */
const SHARING_PEERS_MIN = 2;

/** How many runs are kept for further messages. More are made while slow peers refer to these. */
const RUNS_KEPT = 4;

/** Writes a message to many pipes, framed once. */
export class FanOut {
  /** The last of them takes the next message. */
  readonly #runs: SharedRun[] = [];

  /** Writes to the first `count` of `pipes`. `refused` is called for each that is at its high-water mark. */
  write(pipes: readonly Pipe[], count: number, message: Outgoing, refused: (pipe: Pipe) => void): void {
    if (count < SHARING_PEERS_MIN || !SharedRun.takes(message)) {
      for (let i = 0; i < count; i++) if (!pipes[i]!.write(message)) refused(pipes[i]!);
      return;
    }
    const run = this.#frame(message);
    for (let i = 0; i < count; i++) if (!pipes[i]!.writeShared(run, message)) refused(pipes[i]!);
  }

  /** Adds the message to the run in use, or if that has no room, to another one. */
  #frame(message: Outgoing): SharedRun {
    const runs = this.#runs;
    let run = runs.at(-1);
    if (run?.add(message)) return run;
    const idle = runs.findIndex((other) => other.idle);
    if (idle >= 0) run = runs.splice(idle, 1)[0]!;
    else run = new SharedRun();
    if (runs.length === RUNS_KEPT) runs.shift();
    runs.push(run);
    run.add(message);
    return run;
  }
}
