/**
 * The workbench of the transport suite: opens streams of the transport under test, and checks that each ends
 * as the contract says.
 *
 * @module
 */

import type { Accept, Listener, StreamOptions, TransportFactory } from "../src/ports.ts";
import { check, Probe, Progress, turns } from "./probe.ts";

/** The transport under test. */
export interface TransportSuiteOptions {
  readonly factory: TransportFactory;
  /** Returns an address to listen at that is free or lets the system choose. Called for each listener. */
  address(): string;
  /** Passed to `dial` and `listen`. */
  readonly options?: StreamOptions;
  /** Bytes that may still arrive after `setPaused(true)`. Default 1 MiB. */
  readonly slackBytes?: number;
  /**
   * Whether the transport can pause reading. Default true. `false`: the suite checks that `setPaused` says
   * so, and names the cases that it leaves out.
   */
  readonly canPause?: boolean;
  /**
   * Whether one direction lives on when the other has ended. Default true. `false`: the stream closes as soon
   * as one side ends it, and the suite names the cases that it leaves out.
   */
  readonly halfClose?: boolean;
  /** A wait during which nothing happens for so many milliseconds has failed. Default 3 000. */
  readonly patienceMs?: number;
}

/** What a case needs, beyond what every transport has. */
export type SuiteNeed = "canPause" | "halfClose";

/** A case of the suite. */
export interface SuiteCase {
  readonly name: string;
  readonly needs: readonly SuiteNeed[];
  readonly run: (bench: Bench) => Promise<void>;
}

/** Describes a case. */
export function suiteCase(
  name: string,
  run: (bench: Bench) => Promise<void>,
  ...needs: readonly SuiteNeed[]
): SuiteCase {
  return { name, needs, run };
}

/** Thrown when a transport turns out not to do what a case needs. */
export class CannotPause extends Error {
  override readonly name = "CannotPause";
  constructor() {
    super("skipped: cannot pause. Give the suite the option canPause: false, so that its names say so");
  }
}

const PATIENCE_MS = 3_000;

/** More than any kernel buffers for a reader that does not read. */
export const FILL_BYTES_MAX: number = 256 * 1_048_576;

/** Opens streams and closes them again. */
export class Bench {
  readonly settings: TransportSuiteOptions;
  readonly accepted: Probe[] = [];
  readonly failures: unknown[] = [];
  readonly #progress: Progress;
  #probes: Probe[] = [];
  #listeners: Listener[] = [];

  constructor(settings: TransportSuiteOptions) {
    this.settings = settings;
    this.#progress = new Progress(settings.patienceMs ?? PATIENCE_MS);
  }

  get options(): StreamOptions {
    return this.settings.options ?? {};
  }

  /** Listens. Each accepted stream becomes a probe. */
  listen(
    address: string = this.settings.address(),
    accept: Accept = (attach) => void this.accepted.push(this.track("accepted").dial(attach)),
  ): Promise<Listener> {
    const listen = this.settings.factory.listen(address, this.options);
    const told: Accept = (attach) => {
      accept(attach);
      this.#progress.happened();
    };
    return listen(told, (cause) => this.failures.push(cause)).then((listener) => {
      this.#listeners.push(listener);
      return listener;
    });
  }

  /** Dials. */
  dial(address: string, prepare: (probe: Probe) => void = () => {}): Probe {
    const probe = this.track("dialled");
    prepare(probe);
    return probe.dial(this.settings.factory.dial(address, this.options));
  }

  /** Opens a stream and returns both ends. */
  async pair(): Promise<{ left: Probe; right: Probe; listener: Listener }> {
    const listener = await this.listen();
    const left = this.dial(listener.address);
    await left.until("open", () => left.opened || left.closed);
    check(left.opened, `the stream did not open: ${String(left.cause)}`);
    await left.until("an accepted stream", () => this.accepted.length > 0);
    const right = this.accepted[0]!;
    await right.until("open", () => right.opened);
    return { left, right, listener };
  }

  /** Waits for something that concerns several streams. */
  until(what: string, ready: () => boolean): Promise<void> {
    return this.#progress.until(ready, () => `waited in vain for ${what}`);
  }

  /** Pauses one end of a stream, or gives up the case. */
  pause(probe: Probe): void {
    const answer = probe.setPaused(true);
    probe.verifyOrder();
    if (!answer) throw new CannotPause();
  }

  /**
   * Closes everything. Whatever a case did, each stream must report its close and must have kept the
   * contract.
   */
  async clear(): Promise<void> {
    for (const probe of this.#probes) probe.finish("abort");
    for (const probe of this.#probes) {
      await probe.until("close", () => probe.closed);
      probe.verifyOrder();
    }
    for (const listener of this.#listeners) await listener.close();
    check(this.failures.length === 0, `an accept failed: ${String(this.failures[0])}`);
  }

  /** Closes whatever a case that failed has left behind. */
  abandon(): void {
    for (const probe of this.#probes) {
      try {
        probe.finish("abort");
      } catch {
        // The case has failed already, and says why.
      }
    }
    for (const listener of this.#listeners) void listener.close().catch(() => {});
  }

  /** Fails if a transport has called anything since its close. */
  verifyQuiet(): void {
    for (const probe of this.#probes) probe.verifyOrder();
  }

  /** Lets the event loop turn once. */
  turn(): Promise<void> {
    return turns(1);
  }

  /** A probe that is closed and checked with the others. */
  track(name: string): Probe {
    const probe = new Probe(`${name} ${this.#probes.length}`, this.#progress);
    this.#probes.push(probe);
    return probe;
  }
}
