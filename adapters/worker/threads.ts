/**
 * Finds names in the other threads of a process, on Node, Deno and Bun: threads tell each other over a
 * `BroadcastChannel` what they have bound, and a stream's port travels by `postMessageToThread`. Neither is
 * seen by a program's own handlers of worker messages.
 *
 * @module
 */

import { builtin } from "../builtin.ts";
import { host } from "../shared_host.ts";
import type { Finder, LocalNames } from "./directory.ts";
import { refusePort } from "./port_stream.ts";
import { type Broadcast, isDeno, MARK, type NodeWorkerThreads, type Port } from "./types.ts";

/**
 * What the other threads answer in so many steps after the channel was opened is all they have to say. Steps,
 * because on a machine that is short of processors each of them takes longer, as their answers do.
 */
const SYNC_STEPS = 10;
const SYNC_STEP_MS = 5;

/**
 * Deno's channels are deaf if they are opened while the last one is still being closed, which takes some
 * turns and which nothing reports.
 */
const DENO_REOPEN_MS = 25;

/** What threads tell each other. */
type Notice =
  | { readonly kind: "hello"; readonly thread: number }
  | { readonly kind: "bound" | "gone"; readonly thread: number; readonly names: readonly string[] };

/** Whether this process has threads that can be reached. */
export function hasThreads(): boolean {
  try {
    return typeof builtin("node:worker_threads").postMessageToThread === "function";
  } catch {
    return false;
  }
}

/** The threads of this process. */
export class Threads implements Finder {
  readonly #local: LocalNames;
  readonly #threads: NodeWorkerThreads = builtin("node:worker_threads");
  /** The threads in which names are bound. */
  readonly #owners: Map<string, number> = new Map();
  readonly #waiting: Set<() => void> = new Set();
  #channel: Broadcast | undefined = undefined;
  #holders = 0;
  #synced = false;
  #closedAtMs = -Infinity;
  #cancelWait = (): void => {};

  constructor(local: LocalNames) {
    this.#local = local;
  }

  hold(): () => void {
    this.#holders += 1;
    if (this.#holders === 1) this.#start();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holders -= 1;
      if (this.#holders === 0) this.#stop();
    };
  }

  async knows(name: string): Promise<boolean> {
    while (!this.#owners.has(name) && !this.#synced) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    const owner = this.#owners.get(name);
    if (owner === undefined) return false;
    // A thread that was terminated could not say so.
    return await this.#send(name, owner, undefined);
  }

  async give(name: string, port: Port): Promise<boolean> {
    const owner = this.#owners.get(name);
    return owner !== undefined && await this.#send(name, owner, port);
  }

  announce(name: string, bound: boolean): void {
    this.#tell({ kind: bound ? "bound" : "gone", thread: this.#threads.threadId, names: [name] });
  }

  async #send(name: string, owner: number, port: Port | undefined): Promise<boolean> {
    try {
      const message = { [MARK]: name, port };
      await this.#threads.postMessageToThread!(owner, message, port === undefined ? [] : [port]);
      return true;
    } catch {
      // The thread has gone, or no longer listens.
      if (this.#owners.get(name) === owner) this.#owners.delete(name);
      return false;
    }
  }

  #start(): void {
    builtin("node:process").on("workerMessage", this.#onMessage);
    const sinceMs = host.nowMs() - this.#closedAtMs;
    if (!isDeno || sinceMs > DENO_REOPEN_MS) return this.#open();
    this.#cancelWait = host.schedule(DENO_REOPEN_MS - sinceMs, () => this.#open(), true);
  }

  #open(): void {
    const { pid } = builtin("node:process");
    // Other processes cannot meet here, but what a channel spans is the runtime's affair.
    const channel = new this.#threads.BroadcastChannel(`${MARK}:${pid}`);
    channel.unref?.();
    channel.onmessage = ({ data }) => this.#hear(data as Notice);
    this.#channel = channel;
    this.#tell({ kind: "hello", thread: this.#threads.threadId });
    this.#sync(SYNC_STEPS);
  }

  #sync(steps: number): void {
    this.#cancelWait = host.schedule(SYNC_STEP_MS, () => {
      if (steps > 1) return this.#sync(steps - 1);
      this.#synced = true;
      this.#wake();
    }, true);
  }

  #stop(): void {
    this.#cancelWait();
    this.#synced = false;
    this.#owners.clear();
    builtin("node:process").off("workerMessage", this.#onMessage);
    if (this.#channel !== undefined) this.#closedAtMs = host.nowMs();
    this.#channel?.close();
    this.#channel = undefined;
    this.#wake();
  }

  #tell(notice: Notice): void {
    this.#channel?.postMessage(notice);
  }

  #hear(notice: Notice): void {
    if (notice.kind === "hello") {
      const names = [...this.#local.names];
      if (names.length > 0) this.#tell({ kind: "bound", thread: this.#threads.threadId, names });
      return;
    }
    for (const name of notice.names) {
      if (notice.kind === "bound") this.#owners.set(name, notice.thread);
      else if (this.#owners.get(name) === notice.thread) this.#owners.delete(name);
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** Other threads' streams. A message without a port only asks whether this thread still listens. */
  readonly #onMessage = (message: unknown): void => {
    const { [MARK]: name, port } = (message ?? {}) as { readonly [MARK]?: unknown; readonly port?: Port };
    if (typeof name !== "string" || port === undefined) return;
    if (!this.#local.take(name, port)) refusePort(port);
  };
}
