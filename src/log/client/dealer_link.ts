/**
 * A client's link to one broker over the network, made again whenever it is lost. Each attempt has a DEALER of its own,
 * so that nothing stale precedes what opens the new session.
 *
 * @module
 */

import { isPermissionError } from "../../errors.ts";
import { PeersPattern } from "../../pattern/distribution/peers.ts";
import { Backoff, waitToRetry } from "../../session/backoff.ts";
import type { SocketEventType } from "../../session/events.ts";
import type { Context } from "../../socket/context.ts";
import { SocketCore } from "../../socket/socket_core.ts";
import type { DealerOptions } from "../../socket/sockets.ts";
import { LinkSet } from "../links/link_set.ts";
import type { PipeLink } from "../links/pipe_link.ts";
import type { ClientLink, ClientLinkEvents } from "./client_link.ts";

/** What a {@link DealerLink} is made of. */
export interface DealerLinkInit {
  readonly context: Context;
  /** The broker's endpoint. */
  readonly endpoint: string;
  readonly events: ClientLinkEvents;
  /** Milliseconds before the second attempt, of which half is chance; doubled with each one that fails. Default 100. */
  readonly retryMs?: number;
  /** Milliseconds that this grows to. Default 5 000. */
  readonly retryMaxMs?: number;
  /** How the wait grows. Default: one of its own. */
  readonly backoff?: Backoff;
  /** Options of the sockets in place of {@link CLIENT_OPTIONS}. `immediate` and `reconnectInterval` are fixed. */
  readonly socket?: Partial<DealerOptions>;
}

const MIB = 1_048_576;

/** How the sockets differ from a `Dealer` that nobody configured. */
export const CLIENT_OPTIONS: Readonly<DealerOptions> = {
  // Bytes count, not messages.
  sendHighWaterMark: 0,
  sendHighWaterMarkBytes: 4 * MIB,
  receiveHighWaterMark: 1_000,
  receiveHighWaterMarkBytes: 16 * MIB,
  connectTimeout: 10_000,
  handshakeInterval: 10_000,
  // A broker whose machine has died never says so.
  heartbeatInterval: 10_000,
  heartbeatTimeout: 30_000,
};

/** A connection lives once; the next one is another socket's. */
const FIXED_OPTIONS: Readonly<DealerOptions> = { immediate: true, reconnectInterval: -1 };

/** Events that tell why an attempt came to nothing. */
const FAILURES = [
  "connect:delay",
  "handshake:error:protocol",
  "handshake:error:auth",
  "handshake:error:other",
] as const satisfies readonly SocketEventType[];

interface Attempt {
  readonly core: SocketCore;
  /** Once the handshake is done. */
  link: PipeLink | undefined;
  /** `opened` was told: from here on something may be sent, and `closed` must follow. */
  opened: boolean;
  /** It came to nothing, or was lost. */
  over: boolean;
}

/**
 * See the module. The wait between attempts grows until a message has come from the broker: one that accepts and hangs up
 * is not asked a hundred times a second. The link alone does not keep the process alive, nor does the wait for the next
 * attempt: {@link hold} is for whoever waits for an answer.
 */
export class DealerLink implements ClientLink {
  readonly local = false;
  readonly #init: DealerLinkInit;
  readonly #backoff: Backoff;
  #attempt: Attempt | undefined;
  #cancelRetry: (() => void) | undefined;
  #closed = false;
  #held = false;
  #ended: Promise<void> = Promise.resolve();

  /** Begins to connect. @throws {MisuseError} `ERR_ENDPOINT`, `ERR_OPTION`, `ERR_CLOSED`: there is no link. */
  constructor(init: DealerLinkInit) {
    this.#init = init;
    this.#backoff = init.backoff ?? new Backoff((into) => init.context.runtime.host.random(into));
    this.#connect();
  }

  /** Whether the broker is there: `opened` was told and `closed` was not. */
  get open(): boolean {
    const attempt = this.#attempt;
    return attempt !== undefined && attempt.opened && attempt.link!.state === "open";
  }

  get ended(): Promise<void> {
    return this.#ended;
  }

  trySend(frames: readonly Uint8Array[]): boolean {
    return this.open && this.#attempt!.link!.trySend(frames);
  }

  /** Drops the connection, where there is one; another is made as after any loss. */
  reset(reason?: Error): void {
    this.#attempt?.link?.close(reason);
  }

  close(reason?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.hold(false);
    this.#cancelRetry?.();
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    if (attempt.link === undefined) attempt.core.close();
    else attempt.link.close(reason);
  }

  /** Whether operations wait for this broker: while they do, the process lives. */
  hold(on: boolean): void {
    if (this.#held === on || (on && this.#closed)) return;
    this.#held = on;
    const { keepAlive } = this.#init.context.runtime;
    if (on) keepAlive.hold();
    else keepAlive.release();
  }

  #connect(): void {
    const { context, endpoint, events } = this.#init;
    const set = new LinkSet({
      scheduler: context.runtime.scheduler,
      joined: (link) => {
        attempt.link = link;
        return {
          message: (frames) => {
            this.#backoff.reset();
            events.message(frames);
          },
          writable: () => events.writable(),
          closed: (reason) => this.#lost(attempt, reason),
        };
      },
      opened: () => {
        if (this.#closed) return;
        attempt.opened = true;
        events.opened();
      },
      end: () => core.close(),
      endOfBurst: () => events.endOfBurst?.(),
    });
    const core = new SocketCore(
      "DEALER",
      context,
      { ...CLIENT_OPTIONS, ...this.#init.socket, ...FIXED_OPTIONS },
      (pattern) => new PeersPattern("DEALER", pattern, set),
    );
    const attempt: Attempt = { core, link: undefined, opened: false, over: false };
    for (const type of FAILURES) core.observer.on(type, ({ error }) => this.#failed(attempt, error));
    core.observer.on("disconnect", ({ peer, error }) => set.failed(peer, error));
    this.#attempt = attempt;
    this.#ended = core.ended;
    try {
      core.endpoints.connect(endpoint);
    } catch (error) {
      core.close();
      throw error;
    }
  }

  /** The attempt came to nothing. Told from inside the connection: what follows from it is done later. */
  #failed(attempt: Attempt, error: Error | undefined): void {
    if (attempt.over || attempt.link !== undefined) return;
    attempt.over = true;
    this.#init.context.runtime.host.microtask(() => {
      attempt.core.close();
      if (this.#closed) return;
      const retryMs = isPermissionError(error) ? this.#giveUp() : this.#retry();
      this.#init.events.failed?.(error ?? new Error(`Cannot reach ${this.#init.endpoint}`), retryMs);
    });
  }

  #lost(attempt: Attempt, reason: Error | undefined): void {
    attempt.over = true;
    attempt.core.close();
    const retryMs = this.#closed ? Infinity : this.#retry();
    if (attempt.opened) this.#init.events.closed(reason, retryMs);
  }

  /** There is no next attempt. */
  #giveUp(): number {
    this.#attempt = undefined;
    return Infinity;
  }

  /** Arranges the next attempt and answers when; `Infinity`: the context was closed. */
  #retry(): number {
    const { context, retryMs = 100, retryMaxMs = 5_000 } = this.#init;
    this.#attempt = undefined;
    if (context.closed) return Infinity;
    const delayMs = this.#backoff.nextMs(retryMs, retryMaxMs, context.runtime.host.nowMs());
    this.#cancelRetry = waitToRetry(context.runtime.host, delayMs, () => {
      if (!context.closed) this.#connect();
    });
    return delayMs;
  }
}
