/**
 * Watches one stream and names every rule of the contract that its transport breaks. The probe of the
 * compliance suite and `checkedTransport` both look through it.
 *
 * @module
 */

import { isBytes, isTransport, isTransportInfo, type TransportRule } from "../src/engine/transport_rules.ts";
import type { DevelopmentRule } from "./rules.ts";

/** The name of any rule. */
export type Rule = TransportRule | DevelopmentRule;

/** Follows what is called on either side. Tell it of each call before it takes effect. */
export class ContractWatch {
  readonly #broken: (rule: Rule, detail?: string) => void;
  opened = false;
  ended = false;
  closed = false;
  /** Whether memory is lent. */
  lent = false;
  #dialled = false;
  #writing = false;
  #aborted = false;

  /** `broken` is called for each rule that is broken; what it throws is the caller's. */
  constructor(broken: (rule: Rule, detail?: string) => void) {
    this.#broken = broken;
  }

  /** `dial` has returned `transport`. */
  dialled(transport: unknown): void {
    this.#dialled = true;
    if (!isTransport(transport)) this.#broken("dialReturns");
  }

  // What the transport calls.

  open(info: unknown): void {
    if (!this.#allowed("open")) return;
    if (this.opened) return this.#broken("openOnce");
    this.opened = true;
    if (!isTransportInfo(info)) this.#broken("openInfo");
  }

  data(chunk: unknown): void {
    if (!this.#allowed("data")) return;
    if (!this.opened) this.#broken("openFirst", "data");
    else if (this.ended) this.#broken("dataBeforeEnd", "data after end");
    else if (!isBytes(chunk)) this.#broken("dataBytes");
  }

  drain(): void {
    if (!this.#allowed("drain")) return;
    if (!this.opened) this.#broken("openFirst", "drain");
    else if (this.#writing) this.#broken("drainAfterWrite");
    else if (!this.lent) this.#broken("drainLent", "nothing is lent");
    else this.lent = false;
  }

  end(): void {
    if (!this.#allowed("end")) return;
    if (!this.opened) return this.#broken("openFirst", "end");
    if (this.ended) this.#broken("dataBeforeEnd", "a second end");
    this.ended = true;
  }

  close(cause: unknown): void {
    if (!this.#allowed("close")) return;
    this.closed = true;
    this.lent = false;
    if (this.opened || this.#aborted || cause !== undefined) return;
    this.#broken("opensOrCloses", "close without a cause");
  }

  // What the core calls.

  /** `write` or `writev` is about to be called. */
  writes(): void {
    this.#writing = true;
  }

  /** `write` or `writev` has returned `answer`. */
  wrote(answer: unknown): void {
    this.#writing = false;
    if (typeof answer !== "boolean") this.#broken("writeAnswers", String(answer));
    else this.lent = !answer && !this.closed;
  }

  /** `write` or `writev` has thrown. */
  writeThrew(error: unknown): void {
    this.#writing = false;
    this.#broken("writeThrows", String(error));
  }

  /** `setPaused` has returned `answer`. */
  paused(answer: unknown): void {
    if (typeof answer !== "boolean") this.#broken("pauseAnswers", String(answer));
  }

  /** `close("abort")` is about to be called. */
  aborts(): void {
    this.#aborted = true;
  }

  /** Whether anything may be reported now at all. */
  #allowed(event: string): boolean {
    if (!this.#dialled) this.#broken("dialQuiet", event);
    else if (this.closed) this.#broken("closeLast", `${event} after close`);
    else return true;
    return false;
  }
}
