/**
 * The small simulated world: a virtual clock, chance from a seed, and links that split, stall, lend, refuse, fall
 * silent and break. Code that knows the outside only through `ports.ts` runs in it unchanged, and the same seed
 * gives the same run. Nothing here waits for real time.
 *
 * @module
 */

import type { Adapter, Host, TransportFactory } from "../../src/ports.ts";
import { EventLoop } from "./event_loop.ts";
import type { EventLoopOptions } from "./event_loop.ts";
import type { Link } from "./link.ts";
import { Network } from "./network.ts";
import { Random } from "./random.ts";
import { PLAIN_LINK, PLAIN_LOOP, swarmLink, swarmLoop } from "./world_options.ts";
import type { LinkOptions } from "./world_options.ts";

export { Random } from "./random.ts";
export { Link, systemError } from "./link.ts";
export { LinkEnd } from "./link_end.ts";
export { Lane } from "./lane.ts";
export type { LinkOptions } from "./world_options.ts";

/** The code under test broke a rule of `ports.ts`. */
export class ContractViolation extends Error {
  override readonly name: string = "ContractViolation";
}

/** What was waited for did not happen, and nothing is left to happen, or it takes too long. */
export class LivenessFailure extends Error {
  override readonly name: string = "LivenessFailure";
}

/** When waiting gives up. */
export interface DriveLimits {
  /** Virtual time. Default: ten minutes. */
  readonly withinMs?: number;
  /** Events. Default: two million. */
  readonly eventsMax?: number;
  /** What is waited for, for the message. */
  readonly waitingFor?: string;
}

export interface WorldInit {
  readonly link?: Partial<LinkOptions>;
  readonly loop?: Partial<EventLoopOptions>;
}

const WITHIN_MS = 600_000;
const EVENTS_MAX = 2_000_000;
/** What the wall clock shows when the monotonic clock shows 0. */
const WALL_EPOCH_MS = 1_750_000_000_000;

export class World {
  readonly seed: number;
  /** For the test's own choices. */
  readonly random: Random;
  readonly host: Host;
  readonly network: Network;
  /** Errors of the application's own code that would have surfaced as uncaught. */
  readonly reported: unknown[] = [];
  readonly options: { readonly link: LinkOptions; readonly loop: EventLoopOptions };
  readonly #loop: EventLoop;
  readonly #violations: ContractViolation[] = [];
  readonly #strikes: Map<number, () => void> = new Map();
  #keptAlive = false;
  #wallJumpMs = 0;

  /** A regular world: what `init` does not switch on does not happen. */
  constructor(seed: number, init: WorldInit = {}) {
    this.seed = seed;
    const root = new Random(seed);
    this.random = root.fork("test");
    this.options = { link: { ...PLAIN_LINK, ...init.link }, loop: { ...PLAIN_LOOP, ...init.loop } };
    this.#loop = new EventLoop(root.fork("loop"), this.options.loop);
    const violate = (message: string): never => this.violate(message);
    const random = root.fork("network");
    this.network = new Network({ loop: this.#loop, random, options: this.options.link, violate });
    this.host = this.#makeHost(root.fork("host"));
    this.#loop.beforeEvent = (index) => {
      const strike = this.#strikes.get(index);
      this.#strikes.delete(index);
      strike?.();
    };
  }

  /**
   * A world whose features the seed switches on and off. It loses no byte, unless `faults` allows refused
   * connections, cuts and silence. `init` has the last word.
   */
  static swarm(seed: number, init: WorldInit & { readonly faults?: boolean } = {}): World {
    const random = new Random(`swarm ${seed}`);
    const loop = swarmLoop(random.fork("loop"));
    const link = swarmLink(random.fork("link"), init.faults ?? false);
    return new World(seed, { loop: { ...loop, ...init.loop }, link: { ...link, ...init.link } });
  }

  get nowMs(): number {
    return this.#loop.nowMs;
  }

  get eventCount(): number {
    return this.#loop.eventCount;
  }

  /** Every link there ever was, oldest first. */
  get links(): readonly Link[] {
    return this.network.links;
  }

  /** Equal for two runs in which the same things happened at the same times. */
  get digest(): string {
    return this.#loop.digest;
  }

  /** The last lines of what happened. */
  get trace(): readonly string[] {
    return this.#loop.trace;
  }

  /** Broken rules of `ports.ts`, which `run` and `drive` throw. */
  get violations(): readonly ContractViolation[] {
    return this.#violations;
  }

  /** `sim` alone. */
  get transports(): ReadonlyMap<string, TransportFactory> {
    return new Map([["sim", this.network]]);
  }

  get adapter(): Adapter {
    return { name: "simulation", host: this.host, transports: this.transports };
  }

  /** What `host.keepAlive` was last told. */
  get keptAlive(): boolean {
    return this.#keptAlive;
  }

  /** Whether a process would go on living: kept alive, a referenced timer, stream or listener. */
  get holdsProcess(): boolean {
    return this.#keptAlive || this.#loop.referencedTimers > 0 || this.network.referenced;
  }

  /** A connection whose two ends the test dials itself: `link.dialClient`, `link.dialServer`. */
  link(options: Partial<LinkOptions> = {}): Link {
    return this.network.link(options);
  }

  /** Makes the wall clock jump; the monotonic one does not. */
  jumpWall(byMs: number): void {
    this.#wallJumpMs += byMs;
  }

  /** Runs `strike` just before the event of this number (see `eventCount`). */
  atEvent(index: number, strike: () => void): void {
    this.#strikes.set(index, strike);
  }

  /** Runs one event. `false`: nothing is left to happen. Promises of the code under test do not move: see `drive`. */
  step(): boolean {
    const moved = this.#loop.step();
    this.assertNoViolations();
    return moved;
  }

  /** Runs events until `until` holds, for code without promises. Throws `LivenessFailure` when it never will. */
  run(until: () => boolean, limits: DriveLimits = {}): void {
    const watch = this.#watch(limits);
    this.#loop.flushMicrotasks();
    while (!until()) this.#proceed(watch);
    this.assertNoViolations();
  }

  /** Runs everything that happens within `forMs`, then sets the clock to its end. For code without promises. */
  runFor(forMs: number): void {
    const endMs = this.nowMs + forMs;
    const watch = this.#watch({ withinMs: forMs });
    while (this.#loop.nextAtMs <= endMs) this.#proceed(watch);
    this.#loop.advanceTo(Math.max(endMs, this.nowMs));
    this.assertNoViolations();
  }

  /** Runs until nothing is left to happen. For code without promises. */
  runIdle(limits: DriveLimits = {}): void {
    const watch = this.#watch({ waitingFor: "quiet", ...limits });
    while (this.#loop.nextAtMs < Infinity) this.#proceed(watch);
    this.assertNoViolations();
  }

  /** Lets every settled promise take its course, and the host's microtasks; no event runs and no time passes. */
  async settle(): Promise<void> {
    do await realTurn(); while (this.#loop.flushMicrotasks());
    this.assertNoViolations();
  }

  /** Like `run`, with promises: between any two events all promises settle, as in a real runtime. */
  async drive(until: () => boolean, limits: DriveLimits = {}): Promise<void> {
    const watch = this.#watch(limits);
    for (await this.settle(); !until(); await this.settle()) this.#proceed(watch);
  }

  /** Drives until `promise` settles, and answers as it does. */
  async driveTo<Value>(promise: PromiseLike<Value>, limits: DriveLimits = {}): Promise<Value> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    promise.then(settle, settle);
    await this.drive(() => settled, { waitingFor: "a promise", ...limits });
    return await promise;
  }

  /** Like `runFor`, with promises. */
  async driveFor(forMs: number): Promise<void> {
    const endMs = this.nowMs + forMs;
    const watch = this.#watch({ withinMs: forMs });
    for (await this.settle(); this.#loop.nextAtMs <= endMs; await this.settle()) this.#proceed(watch);
    this.#loop.advanceTo(Math.max(endMs, this.nowMs));
  }

  /** Like `runIdle`, with promises. */
  async driveIdle(limits: DriveLimits = {}): Promise<void> {
    const watch = this.#watch({ waitingFor: "quiet", ...limits });
    for (await this.settle(); this.#loop.nextAtMs < Infinity; await this.settle()) this.#proceed(watch);
  }

  /** Records a broken rule and throws it. */
  violate(message: string): never {
    const violation = new ContractViolation(message);
    this.#violations.push(violation);
    throw violation;
  }

  /** Throws the first broken rule: the code under test may have swallowed it. */
  assertNoViolations(): void {
    const first = this.#violations[0];
    if (first !== undefined) throw first;
  }

  /** Everything that helps to understand a failure. */
  report(): string {
    const waiting = this.#loop.waiting;
    return [
      `seed=${this.seed} at ${
        this.nowMs.toFixed(3)
      } ms after ${this.eventCount} events (digest ${this.digest})`,
      `link ${JSON.stringify(this.options.link)}`,
      `loop ${JSON.stringify(this.options.loop)}`,
      `listening: ${this.network.addresses.join(" ") || "nobody"}; ${this.links.length} links; alive:`,
      this.network.describe() || "  none",
      `waiting (${waiting.length}): ${waiting.slice(0, 12).join("; ") || "nothing"}`,
      "last events:",
      ...this.trace.slice(-25).map((line) => `  ${line}`),
    ].join("\n");
  }

  #watch(limits: DriveLimits): Watch {
    return {
      endMs: this.nowMs + (limits.withinMs ?? WITHIN_MS),
      lastEvent: this.eventCount + (limits.eventsMax ?? EVENTS_MAX),
      waitingFor: limits.waitingFor ?? "the condition",
    };
  }

  #proceed(watch: Watch): void {
    const nextMs = this.#loop.nextAtMs;
    const problem = nextMs === Infinity
      ? "nothing is left to happen"
      : nextMs > watch.endMs
      ? `nothing more happens until ${watch.endMs} ms`
      : this.eventCount >= watch.lastEvent
      ? "too many events"
      : undefined;
    if (problem !== undefined) {
      throw new LivenessFailure(`Waited in vain for ${watch.waitingFor}: ${problem}\n${this.report()}`);
    }
    this.step();
  }

  #makeHost(random: Random): Host {
    return {
      nowMs: () => this.#loop.nowMs,
      wallMs: () => WALL_EPOCH_MS + this.#wallJumpMs + this.#loop.nowMs,
      schedule: (delayMs, run, referenced) => {
        // Runtimes take these for "at once", which nobody means.
        if (!Number.isFinite(delayMs)) this.violate(`schedule(${delayMs}): not a number of milliseconds`);
        return this.#loop.timer(delayMs, run, referenced);
      },
      microtask: (run) => this.#loop.microtask(run),
      turn: (run) => this.#loop.turn(run),
      random: (into) => random.fill(into),
      keepAlive: (on) => {
        this.#keptAlive = on;
      },
      reportError: (error) => void this.reported.push(error),
    };
  }
}

interface Watch {
  readonly endMs: number;
  readonly lastEvent: number;
  readonly waitingFor: string;
}

/** One turn of the real event loop: the only sure sign that every settled promise has been dealt with. */
function realTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
