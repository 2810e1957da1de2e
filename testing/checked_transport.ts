/**
 * A wrapper for the development of a transport: names every rule of the contract that is broken, at the call
 * that breaks it, and poisons memory that the transport must no longer use.
 *
 * @module
 */

import { createHost } from "../adapters/host.ts";
import { copyOf } from "../src/bytes/bytes.ts";
import { closeQuietly, isBytes, isTransport } from "../src/engine/transport_rules.ts";
import { MisuseError, PeerError } from "../src/errors.ts";
import type { Dial, Host, Listener, Transport, TransportFactory, TransportHandlers } from "../src/ports.ts";
import { ContractWatch, type Rule } from "./contract_watch.ts";
import { brokenRule } from "./rules.ts";

const host: Host = createHost();

/** Options of {@link checkedTransport}. */
export interface CheckedOptions {
  /**
   * Gets the error for each broken rule. Default: it is thrown to the transport where the transport called,
   * and as an uncaught error where something is missing.
   */
  readonly report?: (error: PeerError) => void;
  /** Milliseconds after which a stream that neither opens nor closes, or does not drain, is reported. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 10_000;
/** What the core waits for a close. */
const CLOSE_MS = 5_000;
const POISON = 0xdd;

/**
 * Returns `factory` with every rule of `docs/ADAPTERS.md` checked. A stream that breaks one is aborted; its
 * socket's `disconnect` event has the same error. Memory is poisoned (0xDD) as soon as it is free again, so a
 * transport that still sends it is found by what arrives. Costs two copies of everything: for development.
 *
 * @throws {PeerError} `ERR_TRANSPORT`, to the transport, with the rule; see {@link CheckedOptions.report}.
 * @example
 * ```ts
 * import { Context } from "hawser";
 * import { memoryTransport } from "hawser/memory";
 * import { checkedTransport } from "hawser/testing";
 *
 * const context = new Context({ transports: { memory: checkedTransport(memoryTransport()) } });
 * context.close();
 * ```
 */
export function checkedTransport(factory: TransportFactory, options: CheckedOptions = {}): TransportFactory {
  const checked = (dial: Dial): Dial => (handlers) => new CheckedStream(handlers, options).dial(dial);
  return {
    dial: (address, stream) => checked(prepared(() => factory.dial(address, stream), options)),
    listen: (address, stream) => {
      const listen = prepared(() => factory.listen(address, stream), options);
      return async (accept, failed) => {
        const listening: unknown = listen((attach) => accept(checked(attach)), failed);
        if (typeof (listening as { then?: unknown } | undefined)?.then !== "function") {
          tell(options, "listenReturns", "no promise");
        }
        const listener = await (listening as Promise<Listener>);
        if (typeof listener?.address !== "string" || typeof listener.close !== "function") {
          tell(options, "listenReturns", "no listener");
        }
        return listener;
      };
    },
  };
}

/** Runs `dial` or `listen` of a factory. */
function prepared<T>(run: () => T, options: CheckedOptions): T {
  let made: T;
  try {
    made = run();
  } catch (error) {
    if (error instanceof MisuseError && error.code === "ERR_ENDPOINT") throw error;
    tell(options, "throwsMisuse", String(error));
    throw error;
  }
  if (typeof made !== "function") tell(options, "dialReturns", "the factory returned no function");
  return made;
}

function errorFor(rule: Rule, detail: string | undefined): PeerError {
  if (detail === undefined) return brokenRule(rule);
  const { message } = brokenRule(rule);
  return new PeerError("ERR_TRANSPORT", `${message} (${detail})`);
}

/** Reports what is not the fault of one call of a handler. */
function tell(options: CheckedOptions, rule: Rule, detail?: string): void {
  const error = errorFor(rule, detail);
  if (options.report !== undefined) options.report(error);
  else throw error;
}

/** A chunk that the transport delivered, and what it contained then. */
interface Delivered {
  readonly chunk: Uint8Array;
  readonly bytes: number;
  readonly sum: number;
}

/** So many chunks are looked at again, because a buffer that is reused is reused soon. */
const DELIVERED_MAX = 3;
/** So many bytes of each are looked at: its beginning, and others spread over the rest. */
const SUMMED_BYTES = 1_024;

/** One stream, between its transport and the core. */
class CheckedStream implements Transport {
  /** There if the transport has it. */
  writev?: (chunks: readonly Uint8Array[]) => boolean;
  readonly #handlers: TransportHandlers;
  readonly #options: CheckedOptions;
  readonly #watch: ContractWatch;
  #transport: Transport | undefined = undefined;
  #broken: PeerError | undefined = undefined;
  #over = false;
  /** Whether the transport is calling, and can be thrown to. */
  #called = false;
  /** Our copies of what is lent. */
  #lent: readonly Uint8Array[] = [];
  #delivered: Delivered[] = [];
  #place: Uint8Array | undefined = undefined;
  #cancelWait = (): void => {};

  constructor(handlers: TransportHandlers, options: CheckedOptions) {
    this.#handlers = handlers;
    this.#options = options;
    this.#watch = new ContractWatch((rule, detail) => this.#broke(rule, detail));
  }

  dial(dial: Dial): Transport {
    const transport = dial(this.#told());
    this.#watch.dialled(transport);
    // The core refuses what is no transport, and says so.
    if (!isTransport(transport)) return transport;
    this.#transport = transport;
    if (transport.writev !== undefined) this.writev = (chunks) => this.#writev(chunks);
    if (this.#broken !== undefined) host.microtask(() => this.#end());
    else if (!this.#watch.opened) this.#await("opensOrCloses", () => !this.#watch.opened);
    return this;
  }

  /** What the transport calls. */
  #told(): TransportHandlers {
    const core = this.#handlers;
    const watch = this.#watch;
    return {
      open: (info) => this.#hear(() => watch.open(info), () => core.open(info)),
      data: (chunk) => this.#hear(() => this.#checkData(chunk), () => this.#deliver(chunk)),
      bodyMemory: () => this.#place = core.bodyMemory?.(),
      drain: () =>
        this.#hear(() => watch.drain(), () => {
          this.#free();
          core.drain();
        }),
      end: () => this.#hear(() => watch.end(), () => core.end()),
      dropped: (count, why) => core.dropped?.(count, why),
      close: (cause) =>
        this.#hear(() => watch.close(cause), () => {
          this.#over = true;
          this.#free();
          this.#cancelWait();
          core.close(cause);
        }),
    };
  }

  #checkData(chunk: unknown): void {
    this.#watch.data(chunk);
    const place = this.#place;
    if (place === undefined || !isBytes(chunk) || chunk.buffer !== place.buffer) return;
    if (chunk.byteOffset !== place.byteOffset || chunk.length > place.length) this.#broke("bodyMemory");
  }

  #deliver(chunk: Uint8Array): void {
    const inPlace = this.#place !== undefined && chunk.buffer === this.#place.buffer;
    this.#place = undefined;
    if (inPlace) return this.#handlers.data(chunk);
    this.#delivered.push({ chunk, bytes: chunk.length, sum: sumOf(chunk) });
    if (this.#delivered.length > DELIVERED_MAX) this.#delivered.shift();
    host.turn(() => this.#checkDelivered());
    // A copy, so that a transport that uses the memory again damages nothing.
    this.#handlers.data(copyOf(chunk));
  }

  // What the core calls.

  write(chunk: Uint8Array): boolean {
    const mine = copyOf(chunk);
    return this.#write([mine], (transport) => transport.write(mine));
  }

  #writev(chunks: readonly Uint8Array[]): boolean {
    const mine = chunks.map(copyOf);
    return this.#write(mine, (transport) => transport.writev!(mine));
  }

  setPaused(paused: boolean): boolean {
    const answer = this.#ask((transport) => transport.setPaused(paused));
    this.#watch.paused(answer);
    return answer;
  }

  pull(): boolean {
    return this.#ask((transport) => transport.pull?.() ?? false);
  }

  setReferenced(on: boolean): void {
    this.#ask((transport) => transport.setReferenced?.(on));
  }

  close(mode: "flush" | "abort"): void {
    if (mode === "abort") {
      this.#watch.aborts();
      this.#await("closesWhenTold", () => true, CLOSE_MS);
    }
    this.#ask((transport) => transport.close(mode));
  }

  #write(mine: readonly Uint8Array[], call: (transport: Transport) => boolean): boolean {
    this.#checkDelivered();
    this.#watch.writes();
    let answer: boolean;
    try {
      answer = call(this.#transport as Transport);
    } catch (error) {
      // The core names this rule too, and sends what was refused over the next stream.
      this.#say("writeThrows", String(error));
      throw error;
    }
    this.#lent = mine;
    this.#watch.wrote(answer);
    if (answer !== false) this.#free();
    else this.#await("drainsOrCloses", () => this.#watch.lent);
    return answer;
  }

  #ask<T>(call: (transport: Transport) => T): T {
    try {
      return call(this.#transport as Transport);
    } catch (error) {
      this.#say("neverThrows", String(error));
      throw error;
    }
  }

  /** Something the transport calls: checked first, then told to the core. */
  #hear(check: () => void, pass: () => void): void {
    if (this.#broken !== undefined) return;
    this.#called = true;
    try {
      check();
      this.#checkDelivered();
    } finally {
      this.#called = false;
    }
    if (this.#broken === undefined) pass();
  }

  #checkDelivered(): void {
    if (this.#broken !== undefined) return;
    const changed = this.#delivered.some(({ chunk, bytes, sum }) =>
      chunk.length !== bytes || sumOf(chunk) !== sum
    );
    if (changed) this.#broke("dataMemory", "its content changed");
  }

  /** The transport may not use what it was lent any more. */
  #free(): void {
    for (const chunk of this.#lent) chunk.fill(POISON);
    this.#lent = [];
  }

  /** Reports a rule if it is still broken after a while. One wait at a time: the last one counts. */
  #await(rule: Rule, missing: () => boolean, ms = this.#options.patienceMs ?? PATIENCE_MS): void {
    this.#cancelWait();
    this.#cancelWait = host.schedule(ms, () => {
      if (!this.#over && missing()) this.#say(rule, `${ms} ms have passed`);
    }, false);
  }

  /** A rule is broken: the stream ends with it. */
  #broke(rule: Rule, detail?: string): void {
    if (this.#broken !== undefined) return;
    const error = errorFor(rule, detail);
    // What the transport is does not matter to the core; what it answered is named by the core itself.
    if (rule !== "dialReturns" && rule !== "writeAnswers" && rule !== "pauseAnswers") {
      this.#broken = error;
      this.#end();
    }
    if (this.#options.report !== undefined) this.#options.report(error);
    else if (this.#called) throw error;
    else host.reportError?.(error);
  }

  /** Reports a rule whose breach the core deals with, or that cannot be told from a bad network. */
  #say(rule: Rule, detail: string): void {
    const error = errorFor(rule, detail);
    if (this.#options.report !== undefined) this.#options.report(error);
    else host.reportError?.(error);
  }

  #end(): void {
    if (this.#over || this.#transport === undefined) return;
    this.#over = true;
    this.#cancelWait();
    closeQuietly(this.#transport);
    this.#free();
    this.#handlers.close(this.#broken);
  }
}

/** FNV-1a: enough to see that memory has changed. */
function sumOf(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  const stride = 1 + Math.floor(bytes.length / SUMMED_BYTES);
  for (let at = 0; at < bytes.length; at += at < SUMMED_BYTES ? 1 : stride) {
    sum = Math.imul(sum ^ bytes[at]!, 0x01000193);
  }
  return sum;
}
