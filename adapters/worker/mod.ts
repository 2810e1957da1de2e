/**
 * `worker://name`: streams between the threads of one program. On Node, Deno and Bun the main thread and the
 * workers of `node:worker_threads` find each other by name. Between a page, or a program on Deno, and its Web
 * Workers, the parent calls {@link connectWorker}.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { Dial, Listen, TransportFactory } from "../../src/ports.ts";
import { builtin } from "../builtin.ts";
import { offer } from "../kit/offer.ts";
import { Directory } from "./directory.ts";
import { checkWorker, Family, isWebWorker } from "./family.ts";
import { PortStream, refused, refusePort } from "./port_stream.ts";
import { hasThreads, Threads } from "./threads.ts";
import { type Channel, isBun, type Port, type WebWorker } from "./types.ts";

export type { WebWorker, WorkerMessage } from "./types.ts";

/** The longest name, in characters. */
const NAME_CHARACTERS_MAX = 255;

interface ThisThread {
  readonly directory: Directory;
  readonly family: Family;
  readonly channel: () => Channel;
}

let made: ThisThread | undefined;

/** Made when the first endpoint needs it, because loading a module has no effect. */
function thisThread(): ThisThread {
  if (made !== undefined) return made;
  let family: Family | undefined;
  const threads = hasThreads() && !isWebWorker();
  const directory = new Directory((local) => {
    family = new Family(local);
    return threads ? [new Threads(local), family] : [family];
  });
  const { MessageChannel } = threads
    ? builtin("node:worker_threads")
    : globalThis as unknown as { readonly MessageChannel: new () => Channel };
  return made = { directory, family: family!, channel: () => new MessageChannel() };
}

/** The `worker` transport. All that are made in one thread share their names. */
export const workerTransport: TransportFactory = {
  dial: (address): Dial => {
    const name = parseName(address, "connect");
    return (handlers) => {
      const stream = new PortStream(handlers, address);
      const { directory, channel } = thisThread();
      const { port1, port2 } = channel();
      stream.join(port1, false);
      directory.give(name, port2).then((given) => {
        if (!given) stream.lose(refused(address));
      }, (cause) => stream.lose(cause));
      return stream;
    };
  },
  listen: (address): Listen => {
    const wanted = parseName(address, "bind");
    return async (accept) => {
      let bound = address;
      const { name, free } = await thisThread().directory.bind(wanted, (port: Port) => {
        const attach: Dial = (handlers) => {
          const stream = new PortStream(handlers, bound);
          stream.join(port, true);
          return stream;
        };
        offer(accept, attach, () => refusePort(port));
      });
      bound = `worker://${name}`;
      return { address: bound, close: () => Promise.resolve(free()) };
    };
  },
};

function parseName(address: string, role: "bind" | "connect"): string {
  const name = address.startsWith("worker://") ? address.substring("worker://".length) : "";
  const sound = name !== "" && name.length <= NAME_CHARACTERS_MAX && (name !== "*" || role === "bind");
  if (sound) return name;
  const rule = `worker://name, the name of 1 to ${NAME_CHARACTERS_MAX} characters`;
  throw new MisuseError("ERR_ENDPOINT", `Invalid endpoint "${address}": expected ${rule}`);
}

/**
 * Lets a Web Worker and its parent find each other's `worker://` names, and those of the parent's other
 * workers. For pages and for Deno; call it right after `new Worker(…)`. The worker needs to do nothing. Its
 * first bind or connect sends its parent one message, which this function keeps from the program's handlers.
 *
 * @returns A function that ends this; streams that are open live on.
 * @throws {MisuseError} `ERR_OPTION`: it is no Web Worker. `ERR_STATE`: on Bun, whose Web Workers cannot be
 * reached; use `Worker` of `node:worker_threads` there, which needs no call.
 * @example
 * ```ts ignore
 * import { connectWorker } from "hawser/worker";
 *
 * const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
 * connectWorker(worker);
 * ```
 */
export function connectWorker(worker: WebWorker): () => void {
  checkWorker(worker);
  if (isBun) {
    throw new MisuseError(
      "ERR_STATE",
      "On Bun, use Worker of node:worker_threads, which needs no connectWorker()",
    );
  }
  return thisThread().family.connect(worker);
}
