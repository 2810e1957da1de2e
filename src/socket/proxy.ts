/**
 * A proxy that moves messages between two sockets, in both directions, with envelopes untouched.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { Message } from "../pattern/pipe/pipe.ts";
import type { AbortSignalLike } from "../ports.ts";
import { showAs } from "../inspect.ts";
import { ReceivingSocket, SendingSocket, type Socket } from "./socket.ts";
import { Router } from "./sockets.ts";

/** Messages moved in one direction before the other gets its turn. */
const BURST_MAX = 1_000;

/** What a proxy has moved in one direction. */
export interface ProxyFlow {
  readonly messages: number;
  readonly frames: number;
  readonly bytes: number;
}

/** What a proxy has moved in both directions. */
export interface ProxyStatistics {
  /** From the front socket to the back socket. */
  readonly frontToBack: ProxyFlow;
  readonly backToFront: ProxyFlow;
}

interface Flow {
  messages: number;
  frames: number;
  bytes: number;
}

/**
 * One direction: its sockets, its counters, and a message taken from one side that the other has no room for
 * yet.
 */
interface Direction {
  readonly from: ReceivingSocket;
  readonly to: SendingSocket;
  readonly flow: Flow;
  held: Message | undefined;
}

/**
 * Moves messages between a front and a back socket (Router–Dealer, XSubscriber–XPublisher, Pull–Push) until
 * it is terminated or a socket closes. A message taken from one side is sent to the other before the next is
 * taken, so a full side holds the other back and nothing is lost.
 *
 * ```ts
 * import { Dealer, Proxy, Router } from "hawser";
 *
 * const proxy = new Proxy(new Router(), new Dealer());
 * await proxy.frontEnd.bind("inproc://clients");
 * await proxy.backEnd.bind("inproc://workers");
 * const done = proxy.run();
 * proxy.pause();
 * proxy.resume();
 * console.log(proxy.statistics.frontToBack.messages); // 0
 * proxy.terminate();
 * await done;
 * ```
 */
export class Proxy<Front extends Socket = Socket, Back extends Socket = Socket> {
  readonly frontEnd: Front;
  readonly backEnd: Back;
  readonly #capture: SendingSocket | undefined;
  readonly #directions: Direction[] = [];
  readonly #flows: { readonly frontToBack: Flow; readonly backToFront: Flow } = {
    frontToBack: { messages: 0, frames: 0, bytes: 0 },
    backToFront: { messages: 0, frames: 0, bytes: 0 },
  };
  #running = false;
  #paused = false;
  #terminated = false;
  #resumed: (() => void) | undefined;
  #stop = new Interrupt();

  /**
   * `capture` is a Push, Publisher, Pair or Dealer that gets a copy of every message that it can take at
   * once; the others are not captured.
   *
   * @throws {MisuseError} `ERR_STATE`: no message could ever flow between the two sockets.
   */
  constructor(frontEnd: Front, backEnd: Back, capture?: SendingSocket) {
    this.frontEnd = frontEnd;
    this.backEnd = backEnd;
    this.#capture = capture;
    this.#add(frontEnd, backEnd, this.#flows.frontToBack);
    this.#add(backEnd, frontEnd, this.#flows.backToFront);
    if (this.#directions.length === 0) {
      throw new MisuseError(
        "ERR_STATE",
        `Cannot proxy: nothing flows between ${frontEnd.type} and ${backEnd.type}`,
      );
    }
  }

  /** What has been moved so far. */
  get statistics(): ProxyStatistics {
    return { frontToBack: { ...this.#flows.frontToBack }, backToFront: { ...this.#flows.backToFront } };
  }

  /** Whether the proxy is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Moves messages. Resolves when the proxy is terminated or one of its sockets is closed.
   *
   * @throws {MisuseError} (rejects) `ERR_STATE`: it is already running, or was terminated.
   */
  async run(): Promise<void> {
    if (this.#running || this.#terminated) {
      throw new MisuseError(
        "ERR_STATE",
        `Cannot run the proxy: it ${this.#terminated ? "was terminated" : "is already running"}`,
      );
    }
    this.#running = true;
    // Without this, a side that only sends, or a paused proxy, would not notice the end.
    const end = (): void => this.terminate();
    const sides = [this.frontEnd, this.backEnd];
    for (const side of sides) side.events.on("end", end);
    try {
      await Promise.all(this.#directions.map((direction) => this.#move(direction)));
    } finally {
      for (const side of sides) side.events.off("end", end);
      this.#running = false;
      this.terminate();
    }
  }

  /** Stops moving messages; they wait in the sockets. */
  pause(): void {
    if (this.#paused || this.#terminated) return;
    this.#paused = true;
    this.#interrupt();
  }

  /** Resumes moving messages. */
  resume(): void {
    this.#paused = false;
    this.#resumed?.();
  }

  /** The fields that `JSON.stringify` shows; `console.log` shows them on one line. */
  toJSON(): Readonly<Record<string, unknown>> {
    return {
      frontEnd: this.frontEnd.type,
      backEnd: this.backEnd.type,
      ...this.statistics,
      running: this.#running,
      paused: this.#paused,
    };
  }

  /** Same as {@link terminate}, for `using`. */
  [Symbol.dispose](): void {
    this.terminate();
  }

  /** Ends {@link run}. The sockets stay open. */
  terminate(): void {
    if (this.#terminated) return;
    this.#terminated = true;
    this.resume();
    this.#interrupt();
  }

  #add(from: Socket, to: Socket, flow: Flow): void {
    if (!(from instanceof ReceivingSocket) || !(to instanceof SendingSocket)) return;
    this.#directions.push({ from, to, flow, held: undefined });
  }

  async #move(direction: Direction): Promise<void> {
    try {
      await this.#moveUntilEnd(direction);
    } finally {
      // A message already taken from one side waits in the other from here on.
      if (direction.held !== undefined && !direction.to.closed) void this.#handOver(direction);
    }
  }

  async #handOver(direction: Direction): Promise<void> {
    const message = direction.held!;
    direction.held = undefined;
    try {
      await direction.to.send(message);
    } catch {
      // Closed meanwhile, or timed out: as with any other send, there is no retry.
      return;
    }
    this.#moved(direction, message);
  }

  async #moveUntilEnd(direction: Direction): Promise<void> {
    while (!this.#terminated) {
      if (this.#paused) {
        await new Promise<void>((resolve) => {
          const before = this.#resumed;
          this.#resumed = (): void => {
            before?.();
            resolve();
          };
        });
        continue;
      }
      const { from, to } = direction;
      if (from.closed || to.closed) return this.terminate();
      const moved = this.#burst(direction);
      try {
        // Wait for what stopped the burst: room on one side, messages on the other, or the other direction's
        // turn.
        if (direction.held !== undefined) await roomFor(direction.held, to, this.#stop);
        else if (moved < BURST_MAX) await from.waitReadable({ signal: this.#stop });
        else await Promise.resolve();
      } catch (error) {
        if (
          !(error instanceof MisuseError) || (error.code !== "ERR_ABORTED" && error.code !== "ERR_CLOSED")
        ) throw error;
      }
    }
  }

  #burst(direction: Direction): number {
    const { from, to } = direction;
    for (let moved = 0; moved < BURST_MAX; moved++) {
      const message = direction.held ?? from.tryReceive();
      if (message === undefined) return moved;
      direction.held = message;
      if (!to.trySend(message)) return moved;
      direction.held = undefined;
      this.#moved(direction, message);
    }
    return BURST_MAX;
  }

  #moved({ flow }: Direction, message: Message): void {
    flow.messages++;
    flow.frames += message.length;
    for (const frame of message) flow.bytes += frame.length;
    if (this.#capture !== undefined && !this.#capture.closed) this.#capture.trySend(message);
  }

  #interrupt(): void {
    const stop = this.#stop;
    this.#stop = new Interrupt();
    stop.abort();
  }
}

showAs(Proxy.prototype, "Proxy", (proxy) => proxy.toJSON());

/**
 * Waits until `to` can take this very message. A Router must have room for that message's peer, not for any
 * peer.
 */
function roomFor(message: Message, to: SendingSocket, signal: AbortSignalLike): Promise<void> {
  return to instanceof Router
    ? to.waitWritable({ signal, routingId: message[0]! })
    : to.waitWritable({ signal });
}

/** A signal that ends the waits of a proxy. */
class Interrupt {
  aborted = false;
  readonly reason: undefined = undefined;
  readonly #listeners: Set<() => void> = new Set();

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(): void {
    this.aborted = true;
    for (const listener of [...this.#listeners]) listener();
  }
}
