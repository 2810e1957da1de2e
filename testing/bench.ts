/**
 * The workbench of the transport suite: opens streams of the transport under test, and checks that each ends
 * as the contract says.
 *
 * @module
 */

import type { Accept, Listener, StreamOptions, TransportFactory } from "../src/ports.ts";
import { check, Probe, turns } from "./probe.ts";

/** The transport under test. */
export interface TransportSuiteOptions {
  readonly factory: TransportFactory;
  /** Returns an address to listen at that is free or lets the system choose. Called for each listener. */
  address(): string;
  /** Passed to `dial` and `listen`. */
  readonly options?: StreamOptions;
  /** Bytes that may still arrive after `setPaused(true)`. Default 1 MiB. */
  readonly slackBytes?: number;
}

/** A case of the suite. */
export type SuiteCase = readonly [name: string, run: (bench: Bench) => Promise<void>];

/** More than any kernel buffers for a reader that does not read. */
export const FILL_BYTES_MAX: number = 256 * 1_048_576;

/** Opens streams and closes them again. */
export class Bench {
  readonly settings: TransportSuiteOptions;
  readonly accepted: Probe[] = [];
  readonly failures: unknown[] = [];
  #probes: Probe[] = [];
  #listeners: Listener[] = [];

  constructor(settings: TransportSuiteOptions) {
    this.settings = settings;
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
    return listen(accept, (cause) => this.failures.push(cause)).then((listener) => {
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
    for (let i = 0; this.accepted.length === 0 && i < 10_000; i++) await turns(1);
    const right = this.accepted[0];
    check(right !== undefined, "the stream was not accepted");
    await right.until("open", () => right.opened);
    return { left, right, listener };
  }

  /**
   * Closes everything. Whatever a case did, each stream must report its close and must have kept the
   * contract.
   */
  async clear(): Promise<void> {
    for (const probe of this.#probes) probe.transport.close("abort");
    for (const probe of this.#probes) {
      await probe.until("close", () => probe.closed);
      probe.verifyOrder();
    }
    for (const listener of this.#listeners) await listener.close();
    check(this.failures.length === 0, `an accept failed: ${String(this.failures[0])}`);
  }

  /** Lets the event loop turn once. */
  turn(): Promise<void> {
    return turns(1);
  }

  /** A probe that is closed and checked with the others. */
  track(name: string): Probe {
    const probe = new Probe(`${name} ${this.#probes.length}`);
    this.#probes.push(probe);
    return probe;
  }
}
