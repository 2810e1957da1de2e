/** A stream made by hand: two ends within one program, each with room for one chunk. See docs/ADAPTERS.md. */

import { type Dial, failedDial, MisuseError, offer, type TransportFactory } from "../adapters/kit/mod.ts";
import type { Accept } from "../adapters/kit/mod.ts";
// #region sample
import type { Transport, TransportHandlers } from "../adapters/kit/mod.ts";

class QueueEnd implements Transport {
  peer!: QueueEnd;
  handlers: TransportHandlers | undefined;
  #written: Uint8Array | undefined; // what this end wrote, and the other has not read
  #state: "open" | "flush" | "abort" | "closed" = "open";
  #finished = false; // whether the other end comes to an end
  #opened = false;
  #paused = false;
  #ended = false;
  #cause: Error | undefined;

  write(chunk: Uint8Array): boolean {
    this.#written = new Uint8Array(chunk); // a copy, because the reader keeps it
    this.#changed();
    return false; // lent, until #step of the other end has read it
  }
  setPaused(paused: boolean): boolean {
    this.#paused = paused;
    this.#changed();
    return true;
  }
  close(mode: "flush" | "abort"): void {
    this.#state = mode;
    this.#finished ||= mode === "flush";
    this.#changed();
  }
  /** Something changed: both ends do what is due, but not from inside the call of either. */
  #changed(): void {
    queueMicrotask(() => this.#step());
    queueMicrotask(() => this.peer.#step());
  }
  #step(): void {
    const { peer, handlers } = this;
    if (handlers === undefined || peer.handlers === undefined || this.#state === "closed") return;
    if (this.#state !== "abort") this.#exchange(handlers, peer);
    if (this.#state !== "abort" && !(this.#state === "flush" && this.#ended)) return;
    const cut = this.#state === "abort";
    this.#state = "closed";
    if (cut) peer.#lose(new Error("The peer aborted the stream"));
    handlers.close(this.#cause);
  }
  #exchange(handlers: TransportHandlers, peer: QueueEnd): void {
    if (!this.#opened) {
      this.#opened = true;
      handlers.open({ localAddress: "queue://here", remoteAddress: "queue://there" });
    }
    const chunk = peer.#written;
    if (chunk !== undefined && (!this.#paused || this.#state === "flush")) {
      peer.#written = undefined;
      if (this.#state === "open") handlers.data(chunk);
      queueMicrotask(() => peer.#state === "open" && peer.handlers?.drain());
    }
    if (!peer.#finished || peer.#written !== undefined || this.#ended) return;
    this.#ended = true;
    if (this.#state === "open") handlers.end();
  }
  #lose(cause: Error): void {
    if (this.#state === "abort" || this.#state === "closed") return;
    this.#cause = cause;
    this.close("abort");
  }
  /** Becomes a Dial. */
  readonly attach = (handlers: TransportHandlers): this => {
    this.handlers = handlers;
    this.#changed();
    return this;
  };
}
// #endregion

/** `queue://name`: names are the factory's own. */
export function queueTransport(): TransportFactory {
  const names = new Map<string, Accept>();
  const check = (address: string): void => {
    if (!address.startsWith("queue://")) {
      throw new MisuseError("ERR_ENDPOINT", `"${address}" is not queue://name`);
    }
  };
  return {
    dial: (address): Dial => {
      check(address);
      return (handlers) => {
        const accept = names.get(address);
        if (accept === undefined) return failedDial(new Error(`Nobody listens at ${address}`))(handlers);
        const [near, far] = [new QueueEnd(), new QueueEnd()];
        near.peer = far;
        far.peer = near;
        near.attach(handlers);
        offer(accept, far.attach, () => {
          far.attach({ open() {}, data() {}, drain() {}, end() {}, close() {} });
          far.close("abort");
        });
        return near;
      };
    },
    listen: (address) => {
      check(address);
      return (accept) => {
        if (names.has(address)) {
          return Promise.reject(new MisuseError("ERR_ADDRESS_IN_USE", `${address} is in use`));
        }
        names.set(address, accept);
        return Promise.resolve({
          address,
          close: () => Promise.resolve(void (names.get(address) === accept && names.delete(address))),
        });
      };
    },
  };
}
