/**
 * How a program comes to a log: embedded, or over the network.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { AbortSignalLike } from "../../ports.ts";
import { type Context, sharedContext } from "../../socket/context.ts";
import { Broker } from "../broker/broker.ts";
import { BROKER_FIELDS, type BrokerInput, checkBrokerOptions } from "../configuration/broker.ts";
import {
  checkGiven,
  type Fields,
  fillDefaults,
  msField,
  refuseUnknown,
  refuseValue,
  show,
} from "../configuration/fields.ts";
import type { LogError } from "../errors.ts";
import { isPlainObject } from "../../arguments.ts";
import type { StoreFactory } from "../store/store.ts";
import { MemoryStores } from "../store/memory_store.ts";
import { EmbeddedLink } from "./embedded_link.ts";
import { EndpointsLink } from "./endpoints_link.ts";
import { type Log, LogClient } from "./log_client.ts";
import { refusedWait } from "./waits.ts";

/** Options of a log, wherever it is. */
export interface LogOptions {
  /** Time, chance and sockets. Default: the runtime's. */
  readonly context?: Context | undefined;
  /** Milliseconds within which a question is answered. Default 30 000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Milliseconds within which publishers are done when the log is closed. Default 5 000. */
  readonly closeTimeoutMs?: number | undefined;
}

/** Options of {@link connectLog}. */
export interface ConnectOptions extends LogOptions {
  /** Milliseconds within which the broker must answer for the first time. Default 30 000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Milliseconds before the second attempt, of which half is chance; doubled with each that fails. Default 100. */
  readonly retryMs?: number | undefined;
  /** Milliseconds that this grows to. Default 5 000. */
  readonly retryMaxMs?: number | undefined;
  /** Ends the wait for the first answer. */
  readonly signal?: AbortSignalLike | undefined;
}

/** Options of an embedded log: its own, and its broker's but for those of a server. */
export interface EmbeddedOptions extends LogOptions, Omit<BrokerInput, "listen" | "http"> {
  /**
   * Where topics are kept, in place of `dir`: a store of your own (see {@link StoreFactory}). It belongs to the log from here on,
   * which closes it at its end, and also where the log cannot be opened.
   */
  readonly stores?: StoreFactory | undefined;
  /** Told of topics that were cut, stopped or reopened, for people. */
  readonly notice?: ((text: string, error?: LogError) => void) | undefined;
}

const LOG_FIELDS: Fields = {
  requestTimeoutMs: msField("a question is answered within", 30_000, 1),
  closeTimeoutMs: msField("publishers are done within, when the log is closed", 5_000, 0),
};

const CONNECT_FIELDS: Fields = {
  ...LOG_FIELDS,
  connectTimeoutMs: msField("the broker must answer for the first time within", 30_000, 1),
  retryMs: msField("before the second attempt", 100, 1),
  retryMaxMs: msField("that this grows to", 5_000, 1),
};

/** What an embedded log may be given. */
const EMBEDDED_NAMES: readonly string[] = [
  "context",
  "notice",
  "stores",
  ...Object.keys(LOG_FIELDS),
  ...Object.keys(BROKER_FIELDS).filter((name) => name !== "listen" && name !== "http"),
  "topics",
];

/** Opens stores for the folder of a log. */
export type OpenStores = (dir: string) => Promise<StoreFactory>;

/**
 * A log at a broker elsewhere. `endpoints` are all of the same broker: they are tried in turn. Resolves when the broker has
 * answered for the first time; from then on a lost connection is made again until the log is closed.
 *
 * Rejects with `LogError`: `ERR_LOG_DISCONNECTED` (no answer within `connectTimeoutMs`, or at once where this process has no
 * permission to connect; `cause` is why the last attempt came to nothing), `ERR_LOG_UNSUPPORTED`, `ERR_LOG_ABORTED`; with `MisuseError` (`ERR_ENDPOINT`, `ERR_OPTION`, `ERR_CLOSED`). Nothing
 * is left behind then.
 *
 * ```ts
 * import { connectLog, startBroker } from "hawser/log";
 *
 * await using broker = await startBroker({ listen: ["tcp://127.0.0.1:0"] });
 * await using log = await connectLog(broker.endpoints);
 * console.log(await log.publisher("orders").publish("one pair of socks"));
 * ```
 */
export async function connectLog(
  endpoints: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Log> {
  const { context = sharedContext(), signal, ...rest } = checkObject(options);
  const filled = fillDefaults(CONNECT_FIELDS, checkGiven("a log", CONNECT_FIELDS, rest));
  const settings = filled as Readonly<Record<string, number>>;
  const list = checkEndpoints(context, endpoints);
  const refused = refusedWait({ signal });
  if (refused !== undefined) throw refused;
  const { retryMs, retryMaxMs } = settings;
  const client = new LogClient({
    context,
    at: list,
    requestTimeoutMs: settings["requestTimeoutMs"]!,
    closeTimeoutMs: settings["closeTimeoutMs"]!,
    link: (events) =>
      new EndpointsLink({ context, endpoints: list, events, retryMs: retryMs!, retryMaxMs: retryMaxMs! }),
    closed: () => Promise.resolve(),
  });
  try {
    await client.connected(settings["connectTimeoutMs"]!, { signal });
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

/**
 * A log of this process: a broker without network. With `dir` its topics are files, with `stores` what the caller made, without
 * either they are memory. See {@link EmbeddedOptions}; `openStores` is the runtime's way to files.
 *
 * Rejects with `LogError`: `ERR_LOG_LOCKED`, `ERR_LOG_STORE_FAILED`; with `MisuseError` (`ERR_OPTION`, `ERR_CLOSED`).
 */
export async function openEmbeddedLog(options: EmbeddedOptions, openStores: OpenStores): Promise<Log> {
  const { context = sharedContext(), notice, requestTimeoutMs, closeTimeoutMs, stores: own, ...broker } =
    checkObject(options);
  const times = { requestTimeoutMs, closeTimeoutMs };
  const stores = await makeStores(own, broker, openStores, () => {
    const served = ["listen", "http"].find((name) => Object.hasOwn(broker, name));
    if (served !== undefined) refuseUnknown(served, "a log of this process", EMBEDDED_NAMES);
    checkGiven("a log", LOG_FIELDS, times);
  });
  const settings = fillDefaults(LOG_FIELDS, times) as Readonly<Record<string, number>>;
  const { runtime } = context;
  const machine = new Broker({ host: runtime.host, stores, options: broker, notice });
  const closed = (): Promise<void> => new Promise((resolve) => machine.close(resolve));
  try {
    const client = new LogClient({
      context,
      requestTimeoutMs: settings["requestTimeoutMs"]!,
      closeTimeoutMs: settings["closeTimeoutMs"]!,
      link: (events) => new EmbeddedLink(runtime, machine, events),
      // Bytes from a disk, or from a store of somebody else's, are checked; those that were never away are not.
      inMemory: stores instanceof MemoryStores,
      closed,
    });
    await client.connected(undefined);
    return client;
  } catch (error) {
    // The context was closed meanwhile.
    await closed();
    throw error;
  }
}

/**
 * The stores of a broker: the caller's own, those of its folder, or memory. Options are judged first, so that no folder is made and
 * locked for nothing; where they are refused, the caller's own stores are closed.
 */
export async function makeStores(
  own: StoreFactory | undefined,
  broker: BrokerInput,
  openStores: OpenStores,
  alsoCheck: () => void = () => {},
): Promise<StoreFactory> {
  checkStores(own);
  try {
    alsoCheck();
    const { dir } = checkBrokerOptions(broker, { durability: own?.durability });
    if (own !== undefined && dir !== undefined) {
      refuseValue("dir", dir, "nothing beside stores, which are where topics are kept");
    }
    return own ?? (dir === undefined ? new MemoryStores() : await openStores(dir));
  } catch (error) {
    await new Promise<void>((resolve) => own === undefined ? resolve() : own.close(resolve));
    throw error;
  }
}

/** Answers `options` if they can be options at all. */
export function checkObject<T extends object>(options: T): T {
  if (!isPlainObject(options)) refuseValue("options", options, "an object");
  return options as T;
}

const DURABILITIES: readonly unknown[] = ["none", "process", "machine"];

function checkStores(stores: unknown): void {
  if (stores === undefined) return;
  const { durability, list, open, close } = (stores ?? {}) as Partial<StoreFactory>;
  const methods = [list, open, close];
  if (DURABILITIES.includes(durability) && methods.every((method) => typeof method === "function")) return;
  refuseValue("stores", stores, "a StoreFactory: an object with durability, list, open and close");
}

/** Whatever could be told later only, from inside a timer, is told now. */
function checkEndpoints(context: Context, endpoints: unknown): readonly string[] {
  const list: unknown[] = Array.isArray(endpoints) ? [...endpoints] : [endpoints];
  if (list.length === 0) throw new MisuseError("ERR_ENDPOINT", "Cannot connect a log: there is no endpoint");
  for (const endpoint of list) {
    if (typeof endpoint !== "string") {
      throw new MisuseError("ERR_ENDPOINT", `Cannot connect a log to ${show(endpoint)}: that is no endpoint`);
    }
    const scheme = context.schemeOf(endpoint, "connect");
    if (scheme === "inproc") continue;
    const transport = context.transport(scheme);
    if (transport instanceof Promise) transport.catch(() => {});
    else transport.dial(endpoint, {});
  }
  return list as string[];
}
