/**
 * The parts of the platforms' message ports that are used. Node, Deno, Bun and browsers share them.
 *
 * @module
 */

/** One end of a `MessageChannel`. */
export interface Port {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  close(): void;
  /** Not in browsers, which do not end while a page is open. */
  ref?(): void;
  unref?(): void;
  /** Browsers have "close" since 2024. */
  addEventListener?(type: "close", listener: () => void): void;
}

/** `MessageChannel` */
export interface Channel {
  readonly port1: Port;
  readonly port2: Port;
}

/** `BroadcastChannel` of `node:worker_threads`. */
export interface Broadcast {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
  unref?(): void;
}

/** `node:worker_threads` */
export interface NodeWorkerThreads {
  readonly threadId: number;
  readonly isMainThread: boolean;
  readonly MessageChannel: new () => Channel;
  readonly BroadcastChannel: new (name: string) => Broadcast;
  postMessageToThread?(threadId: number, message: unknown, transfer?: readonly unknown[]): Promise<void>;
}

/** The events of `node:process` that carry messages between threads. */
export interface ThreadMessages {
  readonly pid: number;
  on(event: "workerMessage", listener: (message: unknown, source: number) => void): unknown;
  off(event: "workerMessage", listener: (message: unknown, source: number) => void): unknown;
}

/** A web `Worker`, as its parent sees it. */
export interface WebWorker {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  addEventListener(type: "message", listener: (event: WorkerMessage) => void): void;
  removeEventListener(type: "message", listener: (event: WorkerMessage) => void): void;
}

/** A message of a worker. */
export interface WorkerMessage {
  readonly data: unknown;
  stopImmediatePropagation(): void;
}

/** The key of every message of ours that passes where a program's own messages pass. */
export const MARK = "hawser:worker";

const { Bun, Deno } = globalThis as { readonly Bun?: unknown; readonly Deno?: unknown };

// Not by detect.ts, which names every adapter: this folder is for pages as well.

export const isBun: boolean = Bun !== undefined;
export const isDeno: boolean = Deno !== undefined;
