/**
 * REQ, with what most applications need around it: a time-out, and a retry that cannot mistake an old reply
 * for a new one.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { Message } from "../../pattern/pipe/pipe.ts";
import { ReqPattern } from "../../pattern/req.ts";
import {
  type CallOptions,
  refusedWait,
  WAIT_OPTIONS,
  type WaitOptions,
  wholeNumber,
} from "../call_options.ts";
import type { MessageInput } from "../message.ts";
import type {
  ReceiveOptions,
  RequestOptions,
  RoutingIdOptions,
  SendOptions,
  SocketOptions,
} from "../options.ts";
import { type ContextOption, defineOptions, DuplexSocket } from "../socket.ts";

/** Options of {@link Request}. */
export interface RequestSocketOptions
  extends SocketOptions, SendOptions, ReceiveOptions, RoutingIdOptions, RequestOptions {}

/** Options of {@link Request.request}. */
export interface RetryOptions extends WaitOptions {
  /** Milliseconds that one attempt may take. If omitted or -1, there is no limit. */
  readonly timeoutMs?: number | undefined;
  /** Attempts after the first, each to the next peer in turn. Default 0. */
  readonly retries?: number;
}

const RETRY_OPTIONS: CallOptions<keyof RetryOptions> = {
  ...WAIT_OPTIONS,
  retries: wholeNumber("attempts", 0),
};

/**
 * REQ: sends a request, then receives its reply, in turn.
 *
 * ```ts
 * import { Reply, Request } from "hawser";
 *
 * const reply = new Reply();
 * await reply.bind("inproc://upper");
 * const request = new Request({ correlate: true });
 * request.connect("inproc://upper");
 * const answer = request.request("hello", { timeoutMs: 1_000, retries: 2 });
 * const [question] = await reply.receive();
 * await reply.send(new TextDecoder().decode(question).toUpperCase());
 * console.log(new TextDecoder().decode((await answer)[0])); // HELLO
 * request.close();
 * reply.close();
 * ```
 */
export class Request extends DuplexSocket {
  #requesting = false;

  constructor(options: RequestSocketOptions & ContextOption = {}) {
    super("REQ", ReqPattern, options);
  }

  /**
   * Sends a request and resolves with its reply. After `timeoutMs` the request is sent again, to the next
   * peer, at most `retries` times. Retries require `correlate`, because without it a late reply could be
   * taken for the reply to a later attempt.
   *
   * @throws {MisuseError} (rejects) `ERR_TIMEOUT`: no reply came. `ERR_STATE`: a request is pending, or
   * retries without `correlate`. `ERR_ABORTED`, `ERR_CLOSED`, `ERR_MESSAGE`, `ERR_OPTION`. The socket stays
   * usable after all of these except `ERR_CLOSED`.
   */
  async request(message: MessageInput, options?: RetryOptions): Promise<Message> {
    const refused = refusedWait("request", options, RETRY_OPTIONS);
    if (refused !== undefined) throw refused;
    const { retries = 0, timeoutMs = -1, signal } = options ?? {};
    const pattern = this.core.pattern as ReqPattern;
    if (this.#requesting || pattern.waiting) {
      throw new MisuseError("ERR_STATE", "Cannot send: the last request has no reply yet");
    }
    if (retries > 0 && !this.core.options.correlate) {
      throw new MisuseError("ERR_STATE", 'Cannot retry requests: the option "correlate" is not set');
    }
    this.#requesting = true;
    try {
      for (let attempt = 0; attempt <= retries; attempt++) {
        const reply = await this.#attempt(message, timeoutMs, signal);
        if (reply !== undefined) return reply;
      }
    } finally {
      this.#requesting = false;
      pattern.giveUp();
    }
    throw new MisuseError(
      "ERR_TIMEOUT",
      `No reply within ${Math.ceil(timeoutMs)} ms${retries > 0 ? `, ${retries + 1} times` : ""}`,
    );
  }

  /** Makes one attempt. Returns `undefined` when it times out. */
  async #attempt(
    message: MessageInput,
    timeoutMs: number,
    signal: WaitOptions["signal"],
  ): Promise<Message | undefined> {
    const attempt = new Attempt(signal);
    const cancel = timeoutMs < 0
      ? undefined
      : this.core.runtime.host.schedule(timeoutMs, () => attempt.timeOut(), false);
    try {
      await this.core.sender.send(message, { signal: attempt });
      return await this.core.receiver.receive({ signal: attempt });
    } catch (error) {
      if (!attempt.timedOut) throw error;
      (this.core.pattern as ReqPattern).giveUp();
      return undefined;
    } finally {
      cancel?.();
      attempt.end();
    }
  }
}
export interface Request extends Required<RequestSocketOptions> {}
defineOptions(Request.prototype, "Request", "REQ");

/** A signal that is aborted by the caller's signal or by the attempt's time-out. */
class Attempt {
  timedOut = false;
  readonly #signal: WaitOptions["signal"];
  readonly #listeners: Set<() => void> = new Set();
  readonly #relay = (): void => this.#tell();

  constructor(signal: WaitOptions["signal"]) {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#relay);
  }

  get aborted(): boolean {
    return this.timedOut || (this.#signal?.aborted ?? false);
  }

  get reason(): unknown {
    return this.timedOut ? new MisuseError("ERR_TIMEOUT", "The attempt timed out") : this.#signal?.reason;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  timeOut(): void {
    this.timedOut = true;
    this.#tell();
  }

  end(): void {
    this.#signal?.removeEventListener("abort", this.#relay);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
