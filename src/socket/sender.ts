/**
 * The sending half of a socket. Blocked sends wait here and are served in order of arrival.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import { keepForLater, type Outgoing } from "../pattern/pipe/outbound_queue.ts";
import type { Pattern } from "../pattern/pattern.ts";
import type { Pipe } from "../pattern/pipe/pipe.ts";
import type { Runtime } from "../session/runtime.ts";
import { type CallOptions, refusedWait, type WaitOptions } from "./call_options.ts";
import { messageBytes, type MessageInput, toOutgoing } from "./message.ts";
import type { OptionValues } from "./options.ts";
import { SendBudget } from "./send_budget.ts";
import { closedError, WaitList } from "./wait_list.ts";

const DONE: Promise<void> = Promise.resolve();

/** The sending half of a socket, with its blocked sends. */
export class Sender {
  readonly #pattern: Pattern;
  readonly #options: OptionValues;
  readonly #budget: SendBudget;
  readonly #sends: WaitList<Outgoing, void>;
  readonly #writables: WaitList<(() => boolean) | undefined, void>;
  /**
   * How many sends wait for one particular peer (of a mandatory Router). They keep their order only among
   * themselves.
   */
  readonly #blocked: Map<Pipe, number> = new Map();
  #blockedSends = 0;
  #closed = false;
  #stranded: Error | undefined;
  #pumping = false;

  constructor(pattern: Pattern, options: OptionValues, runtime: Runtime) {
    this.#pattern = pattern;
    this.#options = options;
    this.#sends = new WaitList(runtime);
    this.#writables = new WaitList(runtime);
    this.#budget = new SendBudget(runtime.scheduler, () => this.pump());
  }

  /** Number of blocked sends. */
  get waiting(): number {
    return this.#sends.size;
  }

  /** Sends a message now, or waits for room. */
  send(input: MessageInput, options?: WaitOptions): Promise<void> {
    let message: Outgoing;
    try {
      if (this.#closed) throw closedError();
      const refused = refusedWait("send", options);
      if (refused !== undefined) throw refused;
      message = toOutgoing(input);
      if (!this.#mustQueue(message) && this.#pattern.trySend(message)) {
        this.#budget.spend(messageBytes(message));
        return this.#budget.spent ? this.#budget.nextTurn : DONE;
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#wait(message, options);
  }

  /** Sends a message now, or returns false. Throws what `send` would reject with. */
  trySend(input: MessageInput): boolean {
    if (this.#closed) throw closedError();
    const message = toOutgoing(input);
    if (this.#budget.spent || this.#mustQueue(message) || !this.#pattern.trySend(message)) return false;
    this.#budget.spend(messageBytes(message));
    return true;
  }

  /**
   * Resolves when `trySend` is worth a try. `ask` says whether it is, in place of the pattern's own check.
   */
  waitWritable(options?: WaitOptions, ask?: () => boolean, known?: CallOptions): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    const refused = refusedWait("waitWritable", options, known);
    if (refused !== undefined) return Promise.reject(refused);
    const can = ask ?? ((): boolean => this.#pattern.canSend);
    if (!this.#budget.spent && !this.#anyoneWaits && can()) return DONE;
    if (this.#stranded !== undefined) return Promise.reject(this.#stranded);
    return this.#writables.wait(ask, options);
  }

  /** Serves waiting calls: a peer may have room, or the turn's budget was renewed. */
  pump(): void {
    if (this.#closed || this.#pumping || (this.#sends.size === 0 && this.#writables.size === 0)) return;
    this.#pumping = true;
    this.#pumpSends();
    this.#pumping = false;
    if (this.#anyoneWaits || this.#budget.spent) return;
    for (const waiter of this.#writables) {
      const can = waiter.task === undefined ? this.#pattern.canSend : waiter.task();
      if (can) waiter.resolve();
    }
  }

  /**
   * Rejects waiting and later calls with `failure`, because no peer will ever take a message. `undefined`
   * lifts this.
   */
  strand(failure: Error | undefined): void {
    this.#stranded = failure;
    if (failure === undefined) return;
    this.#sends.rejectAll(failure);
    this.#writables.rejectAll(failure);
  }

  close(): void {
    this.#closed = true;
    this.#sends.rejectAll(closedError());
    this.#writables.rejectAll(closedError());
  }

  /** Whether earlier sends wait for what this one needs. */
  #mustQueue(message: Outgoing): boolean {
    if (this.#sends.size === 0) return false;
    const only = this.#pattern.onlyPipeFor(message);
    return only === undefined ? this.#anyoneWaits : this.#blocked.has(only);
  }

  /**
   * Whether sends wait that any peer could serve. Those that wait for one particular peer hold up no others.
   */
  get #anyoneWaits(): boolean {
    return this.#sends.size > this.#blockedSends;
  }

  #wait(message: Outgoing, options: WaitOptions | undefined): Promise<void> {
    if (this.#stranded !== undefined) return Promise.reject(this.#stranded);
    const { sendTimeout, sendWaitersMax } = this.#options;
    const timeoutMs = options?.timeoutMs ?? sendTimeout;
    if (timeoutMs === 0) {
      return Promise.reject(new MisuseError("ERR_AGAIN", "Cannot send now: no peer has room"));
    }
    if (this.#sends.size >= sendWaitersMax) {
      const message =
        `Cannot send: ${this.#sends.size} sends are already waiting, the limit of "sendWaitersMax"`;
      return Promise.reject(new MisuseError("ERR_WAITERS", message));
    }
    const only = this.#pattern.onlyPipeFor(message);
    if (only !== undefined) this.#block(only);
    const ended = only === undefined ? undefined : (): void => this.#unblock(only);
    return this.#sends.wait(keepForLater(message), { signal: options?.signal, timeoutMs }, ended);
  }

  #block(pipe: Pipe): void {
    this.#blockedSends++;
    this.#blocked.set(pipe, (this.#blocked.get(pipe) ?? 0) + 1);
  }

  #unblock(pipe: Pipe): void {
    this.#blockedSends--;
    const left = this.#blocked.get(pipe)! - 1;
    if (left === 0) this.#blocked.delete(pipe);
    else this.#blocked.set(pipe, left);
  }

  #pumpSends(): void {
    const full = new Set<Pipe>();
    for (const waiter of this.#sends) {
      if (this.#budget.spent) return;
      const only = this.#pattern.onlyPipeFor(waiter.task);
      if (only !== undefined && full.has(only)) continue;
      try {
        if (this.#pattern.trySend(waiter.task)) {
          this.#budget.spend(messageBytes(waiter.task));
          waiter.resolve();
        } else if (only === undefined) {
          return;
        } else {
          full.add(only);
        }
      } catch (error) {
        waiter.reject(error as Error);
      }
    }
  }
}
