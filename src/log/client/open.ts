/**
 * How a program comes to a log of its own process. See connect.ts for one at a broker elsewhere.
 *
 * @module
 */

import { sharedContext } from "../../socket/context.ts";
import { Broker } from "../broker/broker.ts";
import { BROKER_FIELDS, type BrokerInput, checkBrokerOptions } from "../configuration/broker.ts";
import { checkGiven, fillDefaults, refuseUnknown, refuseValue } from "../configuration/fields.ts";
import type { LogError } from "../errors.ts";
import { MemoryStores } from "../store/memory_store.ts";
import type { StoreFactory } from "../store/store.ts";
import { EmbeddedLink } from "./embedded_link.ts";
import type { LogFeatures } from "./log_features.ts";
import { type Log, LogClient } from "./log_client.ts";
import { checkObject, LOG_FIELDS, type LogOptions } from "./log_options.ts";

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

/** What an embedded log may be given. */
const EMBEDDED_NAMES: readonly string[] = [
  "context",
  "features",
  "notice",
  "stores",
  ...Object.keys(LOG_FIELDS),
  ...Object.keys(BROKER_FIELDS).filter((name) => name !== "listen" && name !== "http"),
  "topics",
];

/** Opens stores for the folder of a log. */
export type OpenStores = (dir: string) => Promise<StoreFactory>;

/**
 * A log of this process: a broker without network. With `dir` its topics are files, with `stores` what the caller made, without
 * either they are memory. See {@link EmbeddedOptions}; `openStores` is the runtime's way to files.
 *
 * Rejects with `LogError`: `ERR_LOG_LOCKED`, `ERR_LOG_STORE_FAILED`; with `MisuseError` (`ERR_OPTION`, `ERR_CLOSED`).
 */
export async function openEmbeddedLog(
  options: EmbeddedOptions,
  openStores: OpenStores,
  defaults: LogFeatures,
): Promise<Log> {
  const {
    context = sharedContext(),
    notice,
    requestTimeoutMs,
    closeTimeoutMs,
    stores: own,
    features,
    ...broker
  } = checkObject(options);
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
      features: { ...defaults, ...features },
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

const DURABILITIES: readonly unknown[] = ["none", "process", "machine"];

function checkStores(stores: unknown): void {
  if (stores === undefined) return;
  const { durability, list, open, close } = (stores ?? {}) as Partial<StoreFactory>;
  const methods = [list, open, close];
  if (DURABILITIES.includes(durability) && methods.every((method) => typeof method === "function")) return;
  refuseValue("stores", stores, "a StoreFactory: an object with durability, list, open and close");
}
