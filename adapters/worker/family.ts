/**
 * Finds names between a page and its Web Workers, where threads cannot call each other: each worker has one
 * port to its parent, over which both tell what names are to be found behind it, and streams' ports travel
 * from neighbour to neighbour. Also for Deno's Web Workers.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import { host } from "../shared_host.ts";
import type { Finder, LocalNames } from "./directory.ts";
import { refusePort } from "./port_stream.ts";
import { type Channel, MARK, type Port, type WebWorker, type WorkerMessage } from "./types.ts";

/** A neighbour says within this time what names it has, or is asked again next time. */
const SYNC_MS = 50;

/** What neighbours tell each other. */
type Notice =
  | { readonly kind: "bound" | "gone"; readonly names: readonly string[] }
  | { readonly kind: "stream"; readonly name: string; readonly port: Port };

/** A neighbour: the parent, or a worker. */
interface Neighbour {
  readonly port: Port;
  /** The names that are found through it. */
  readonly names: Set<string>;
  /** It has told them once. */
  synced: boolean;
}

interface Globals {
  readonly MessageChannel: new () => Channel;
  readonly WorkerGlobalScope?: abstract new (...values: never[]) => object;
  readonly postMessage?: (message: unknown, transfer: readonly unknown[]) => void;
}

const globals = globalThis as unknown as Globals;

/** Whether this is a Web Worker that can say so. Those of Bun are threads like others. */
export function isWebWorker(): boolean {
  const { WorkerGlobalScope } = globals;
  return WorkerGlobalScope !== undefined && globalThis instanceof WorkerGlobalScope;
}

/** Sends the parent of a Web Worker a message. */
export type SendToParent = (message: unknown, transfer: readonly unknown[]) => void;

function sendToParent(): SendToParent | undefined {
  return isWebWorker() ? (message, transfer) => globals.postMessage?.(message, transfer) : undefined;
}

/** The parent of this thread, if it is a Web Worker, and its own Web Workers. */
export class Family implements Finder {
  readonly #local: LocalNames;
  readonly #toParent: SendToParent | undefined;
  readonly #neighbours: Set<Neighbour> = new Set();
  readonly #waiting: Set<() => void> = new Set();
  #parent: Neighbour | undefined = undefined;

  /** `toParent`: sends the parent a message, where there is one. */
  constructor(local: LocalNames, toParent: SendToParent | undefined = sendToParent()) {
    this.#local = local;
    this.#toParent = toParent;
  }

  hold(): () => void {
    if (this.#toParent !== undefined && this.#parent?.synced !== true) this.#askParent(this.#toParent);
    return () => {};
  }

  async knows(name: string): Promise<boolean> {
    let waits = true;
    const cancel = host.schedule(SYNC_MS, () => {
      waits = false;
      this.#wake();
    }, true);
    while (
      waits && this.#ownerOf(name) === undefined && [...this.#neighbours].some(({ synced }) => !synced)
    ) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    cancel();
    return this.#ownerOf(name) !== undefined;
  }

  give(name: string, port: Port): Promise<boolean> {
    return Promise.resolve(this.#forward(name, port, undefined));
  }

  announce(name: string, bound: boolean): void {
    this.#tellAll({ kind: bound ? "bound" : "gone", names: [name] }, undefined);
  }

  /** Makes a Web Worker a neighbour as soon as it asks. The returned function ends that. */
  connect(worker: WebWorker): () => void {
    let neighbour: Neighbour | undefined;
    const listener = (event: WorkerMessage): void => {
      const { [MARK]: port } = (event.data ?? {}) as { readonly [MARK]?: Port };
      if (typeof port?.postMessage !== "function") return;
      event.stopImmediatePropagation();
      if (neighbour !== undefined) this.#part(neighbour);
      neighbour = this.#join(port);
    };
    worker.addEventListener("message", listener);
    return () => {
      worker.removeEventListener("message", listener);
      if (neighbour !== undefined) this.#part(neighbour);
      neighbour = undefined;
    };
  }

  /** A port travels up, so that nothing of ours comes among the messages that the worker's program gets. */
  #askParent(send: SendToParent): void {
    if (this.#parent !== undefined) this.#part(this.#parent);
    const { port1, port2 } = new globals.MessageChannel();
    this.#parent = this.#join(port1);
    send({ [MARK]: port2 }, [port2]);
  }

  #join(port: Port): Neighbour {
    const neighbour: Neighbour = { port, names: new Set(), synced: false };
    this.#neighbours.add(neighbour);
    port.onmessage = ({ data }) => this.#hear(neighbour, data as Notice);
    port.addEventListener?.("close", () => this.#part(neighbour));
    port.unref?.();
    const names = [...this.#local.names];
    for (const other of this.#neighbours) if (other !== neighbour) names.push(...other.names);
    port.postMessage({ kind: "bound", names });
    return neighbour;
  }

  #part(neighbour: Neighbour): void {
    if (!this.#neighbours.delete(neighbour)) return;
    neighbour.port.close();
    if (neighbour.names.size > 0) this.#tellAll({ kind: "gone", names: [...neighbour.names] }, neighbour);
    this.#wake();
  }

  #hear(from: Neighbour, notice: Notice): void {
    if (notice.kind === "stream") {
      const { name, port } = notice;
      if (!this.#local.take(name, port) && !this.#forward(name, port, from)) refusePort(port);
      return;
    }
    for (const name of notice.names) {
      if (notice.kind === "bound") from.names.add(name);
      else from.names.delete(name);
    }
    from.synced = true;
    if (notice.names.length > 0) this.#tellAll(notice, from);
    this.#wake();
  }

  #forward(name: string, port: Port, from: Neighbour | undefined): boolean {
    const owner = this.#ownerOf(name, from);
    owner?.port.postMessage({ kind: "stream", name, port }, [port]);
    return owner !== undefined;
  }

  #ownerOf(name: string, except?: Neighbour): Neighbour | undefined {
    for (const neighbour of this.#neighbours) {
      if (neighbour !== except && neighbour.names.has(name)) return neighbour;
    }
    return undefined;
  }

  #tellAll(notice: Notice, except: Neighbour | undefined): void {
    for (const neighbour of this.#neighbours) if (neighbour !== except) neighbour.port.postMessage(notice);
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

/** Checks what `connectWorker` was given. */
export function checkWorker(worker: unknown): asserts worker is WebWorker {
  if (typeof (worker as WebWorker | undefined)?.addEventListener === "function") return;
  throw new MisuseError(
    "ERR_OPTION",
    "connectWorker() takes a Web Worker. Workers of node:worker_threads find each other without it",
  );
}
