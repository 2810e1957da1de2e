/**
 * What a simulated world may do to the code in it, and the swarm: every seed switches other features on and off,
 * because a run in which everything happens at once hides what a run with one thing alone would show.
 *
 * @module
 */

import type { EventLoopOptions } from "./event_loop.ts";
import type { Random } from "./random.ts";

/** How the links behave. Chances are 0 to 1; times are milliseconds; a maximum is drawn up to, anew each time. */
export interface LinkOptions {
  /** Each direction of each link draws its own latency up to this. */
  readonly latencyMsMax: number;
  /** Added to each piece on its way. Pieces never overtake each other. */
  readonly jitterMsMax: number;
  /** Largest chunk delivered, from 1. `Infinity`: everything that has arrived. */
  readonly splitBytesMax: number;
  /** After so many chunks a direction stops splitting, so that a long transfer ends. */
  readonly splitsMax: number;
  /** How fast a direction is. `Infinity`: only its latency counts. */
  readonly bytesPerMs: number;
  /** Bytes that a direction holds between the writer and the reader: the kernel's two buffers. */
  readonly bufferBytes: number;
  /** A write is lent although there is room. */
  readonly lendChance: number;
  /** A lent write is taken in several steps, the first one perhaps at once. Otherwise all of it, later. */
  readonly takesParts: boolean;
  /** A lent write waits up to this for each step. */
  readonly takeMsMax: number;
  /** Nothing arrives for up to `stallMsMax`, after a delivery. */
  readonly stallChance: number;
  readonly stallMsMax: number;
  /** `setPaused` works. */
  readonly canPause: boolean;
  /** More chunks come after `setPaused(true)`. */
  readonly lateDataChance: number;
  /** There is a `pull`. */
  readonly canPull: boolean;
  /** There is a `writev`. */
  readonly canGather: boolean;
  /** There is a `setReferenced`. */
  readonly canUnreference: boolean;
  /** `data`, `end` and `close` are called from inside `write`, `setPaused` and `close`, as Bun does. */
  readonly reentrantChance: number;
  /** The *other* end's handlers, too, are called from inside these, as a memory transport does. */
  readonly reentrantPeerChance: number;
  /** Delivered chunks are views into larger buffers, as on Node. */
  readonly viewChance: number;
  /** A dialled connection is refused. */
  readonly refuseChance: number;
  /** A dialled connection never opens nor fails before its time-out. */
  readonly blackholeChance: number;
  /** A link is cut after about so many bytes in one direction. 0: never. */
  readonly cutBytesMean: number;
  /** At a cut, what is on its way still arrives. Otherwise it is lost. */
  readonly cutKeepsFlightChance: number;
  /** Both directions of a link fall silent, without any notice, after about so many bytes in one. 0: never. */
  readonly silenceBytesMean: number;
}

export interface WorldOptions {
  readonly loop: EventLoopOptions;
  readonly link: LinkOptions;
}

/** A regular world: no faults, no splitting, no delays. Tests switch on what they need. */
export const PLAIN_LINK: LinkOptions = {
  latencyMsMax: 0,
  jitterMsMax: 0,
  splitBytesMax: Infinity,
  splitsMax: 5_000,
  bytesPerMs: Infinity,
  bufferBytes: 65_536,
  lendChance: 0,
  takesParts: false,
  takeMsMax: 0,
  stallChance: 0,
  stallMsMax: 0,
  canPause: true,
  lateDataChance: 0,
  canPull: false,
  canGather: false,
  canUnreference: true,
  reentrantChance: 0,
  reentrantPeerChance: 0,
  viewChance: 0,
  refuseChance: 0,
  blackholeChance: 0,
  cutBytesMean: 0,
  cutKeepsFlightChance: 0,
  silenceBytesMean: 0,
};

export const PLAIN_LOOP: EventLoopOptions = {
  startMs: 0,
  turnEventsMax: 1,
  shuffleTies: false,
  timerLateMsMax: 0,
  timerEarlyMsMax: 0,
};

/** Draws the loop of one seed's world. */
export function swarmLoop(random: Random): EventLoopOptions {
  const on = (): boolean => random.chance(0.5);
  return {
    startMs: on() ? random.integer(1, 10_000_000) : 0,
    turnEventsMax: on() ? random.size(64) : 1,
    shuffleTies: on(),
    timerLateMsMax: on() ? random.pick([1, 20]) : 0,
    timerEarlyMsMax: on() ? 0.9 : 0,
  };
}

/** Draws the links of one seed's world. They lose nothing unless `faults` says so. */
export function swarmLink(random: Random, faults: boolean): LinkOptions {
  const on = (): boolean => random.chance(0.5);
  const harmless: LinkOptions = {
    ...PLAIN_LINK,
    latencyMsMax: on() ? random.pick([0.1, 5, 200]) : 0,
    jitterMsMax: on() ? random.pick([0.1, 30]) : 0,
    splitBytesMax: random.pick([1, 2, 9, 64, 1_500, 65_536, Infinity, Infinity]),
    bufferBytes: random.pick([16, 700, 4_096, 65_536, 65_536, 1_048_576]),
    lendChance: on() ? random.pick([0.1, 0.5, 1]) : 0,
    takesParts: on(),
    takeMsMax: on() ? random.pick([0.1, 10]) : 0,
    stallChance: on() ? 0.05 : 0,
    stallMsMax: random.pick([1, 300]),
    canPause: random.chance(0.8),
    lateDataChance: on() ? 0.5 : 0,
    canPull: on(),
    canGather: on(),
    canUnreference: random.chance(0.8),
    reentrantChance: on() ? random.pick([0.1, 0.7]) : 0,
    reentrantPeerChance: random.chance(0.3) ? 0.3 : 0,
    viewChance: on() ? 0.5 : 0,
  };
  if (!faults) return harmless;
  return {
    ...harmless,
    refuseChance: on() ? 0.3 : 0,
    blackholeChance: on() ? 0.1 : 0,
    cutBytesMean: on() ? random.pick([40, 400, 20_000]) : 0,
    cutKeepsFlightChance: random.pick([0, 0.5, 1]),
    silenceBytesMean: on() ? random.pick([100, 20_000]) : 0,
  };
}
