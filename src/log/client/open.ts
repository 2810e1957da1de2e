/**
 * How a program comes to a log: embedded, or over the network.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { AbortSignalLike } from "../../ports.ts";
import { type Context, sharedContext } from "../../socket/context.ts";
import { Broker } from "../broker/broker.ts";
import { type BrokerInput, checkBrokerOptions, isEndpoint } from "../configuration/broker.ts";
import {
  checkGiven,
  type Fields,
  fillDefaults,
  isPlainObject,
  msField,
  refuseValue,
} from "../configuration/fields.ts";
import type { LogError } from "../errors.ts";
import type { StoreFactory } from "../store/store.ts";
import { MemoryStores } from "../store/memory_store.ts";
import { EmbeddedLink } from "./embedded_link.ts";
import { EndpointsLink } from "./endpoints_link.ts";
import { type Log, LogClient } from "./log_client.ts";

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

/** Opens stores for the folder of a log. */
export type OpenStores = (dir: string, options: BrokerInput) => Promise<StoreFactory>;

/**
 * A log at a broker elsewhere. `endpoints` are all of the same broker: they are tried in turn. Resolves when the broker has
 * answered for the first time.
 *
 * Rejects with `LogError`: `ERR_LOG_DISCONNECTED`, `ERR_LOG_UNSUPPORTED`, `ERR_LOG_ABORTED`; with `MisuseError`
 * (`ERR_ENDPOINT`, `ERR_OPTION`). Nothing is left behind then.
 */
export async function connectLog(
  endpoints: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Log> {
  const { context = sharedContext(), signal, ...rest } = checkObject(options);
  const filled = fillDefaults(CONNECT_FIELDS, checkGiven("a log", CONNECT_FIELDS, rest));
  const settings = filled as Readonly<Record<string, number>>;
  const list = typeof endpoints === "string" ? [endpoints] : [...endpoints];
  if (list.length === 0) throw new MisuseError("ERR_ENDPOINT", "Cannot connect a log: there is no endpoint");
  const wrong = list.find((endpoint) => typeof endpoint !== "string" || !isEndpoint(endpoint));
  if (wrong !== undefined) {
    throw new MisuseError(
      "ERR_ENDPOINT",
      `Cannot connect a log to ${JSON.stringify(wrong)}: that is no endpoint`,
    );
  }
  const { retryMs, retryMaxMs } = settings;
  const client = new LogClient({
    context,
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
 * A log of this process: a broker without network. With `dir` its topics are files, without they are memory. See
 * {@link EmbeddedOptions}; `openStores` is the runtime's way to files.
 *
 * Rejects with `LogError`: `ERR_LOG_LOCKED`, `ERR_LOG_STORE_FAILED`; with `MisuseError` (`ERR_OPTION`).
 */
export async function openEmbeddedLog(options: EmbeddedOptions, openStores: OpenStores): Promise<Log> {
  const { context = sharedContext(), notice, requestTimeoutMs, closeTimeoutMs, ...broker } = checkObject(
    options,
  );
  const settings = fillDefaults(
    LOG_FIELDS,
    checkGiven("a log", LOG_FIELDS, { requestTimeoutMs, closeTimeoutMs }),
  ) as Readonly<Record<string, number>>;
  // Before a folder is made and locked.
  const checked = checkBrokerOptions(broker);
  const { runtime } = context;
  const stores = checked.dir === undefined ? new MemoryStores() : await openStores(checked.dir, broker);
  const machine = new Broker({ host: runtime.host, stores, options: broker, notice });
  const client = new LogClient({
    context,
    requestTimeoutMs: settings["requestTimeoutMs"]!,
    closeTimeoutMs: settings["closeTimeoutMs"]!,
    link: (events) => new EmbeddedLink(runtime, machine, events),
    closed: () => new Promise((resolve) => machine.close(resolve)),
  });
  await client.connected(Infinity);
  return client;
}

function checkObject<T extends object>(options: T): T {
  if (!isPlainObject(options)) refuseValue("options", options, "an object");
  return options as T;
}
