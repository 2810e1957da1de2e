/**
 * The ordered log: publishers, a broker that gives every record of a topic its position, and subscriptions that all see
 * the same order. Embedded in one process, or over hawser's own sockets. A topic's bytes are in memory, in files, or in a store of
 * your own: see {@link StoreFactory}.
 *
 * ```ts
 * import { openLog } from "hawser/log";
 *
 * await using log = await openLog();
 * const orders = log.publisher("orders");
 * const { position } = await orders.publish("one pair of socks");
 * console.log(position);
 * await using subscription = log.subscribe("orders", { from: "earliest" });
 * for await (const record of subscription) {
 *   console.log(record.position, new TextDecoder().decode(record.value));
 *   break;
 * }
 * ```
 *
 * @module
 */

import { logFeatures, openPlatformFiles } from "#files";
import type { FileStoresInit } from "./adapters/store/file_store.ts";
import { connectLogWith, type ConnectOptions } from "./src/log/client/connect.ts";
import { checkObject } from "./src/log/client/log_options.ts";
import { type EmbeddedOptions, makeStores, openEmbeddedLog } from "./src/log/client/open.ts";
import type { Log } from "./src/log/client/log_client.ts";
import type { BrokerInput } from "./src/log/configuration/broker.ts";
import type { LogError } from "./src/log/errors.ts";
import { BrokerServer } from "./src/log/server/broker_server.ts";
import type { StoreFactory } from "./src/log/store/store.ts";
import type { TlsOptions, WebSocketOptions } from "./src/transport_options.ts";
import { Context } from "./src/socket/context.ts";

/**
 * A log of this process, without network. With `dir` its topics are files in that folder, which nobody else may use; with `stores`
 * they are wherever those keep them; without either they are memory and end with the log. Resolves when topics can be
 * opened; each is recovered when it is used first. The log is open until {@link Log.close}.
 *
 * What an acknowledgement survives, with `dir`: ack 1 the death of the process, ack 2 that of the machine. In memory:
 * nothing survives, and ack 2 is refused.
 *
 * Rejects with `LogError`: `ERR_LOG_LOCKED` (another process has the folder), `ERR_LOG_STORE_FAILED` (it cannot be made or
 * locked); with `MisuseError`: `ERR_OPTION`, whose message names the option, the value and what is allowed, `ERR_CLOSED` (the
 * context). Nothing is left behind then, and `stores` are closed.
 *
 * ```ts
 * import { openLog } from "hawser/log";
 *
 * await using log = await openLog({ topics: { orders: { order: 5, retention: { bytesMax: 1_000_000_000 } } } });
 * const orders = log.publisher("orders");
 * console.log((await orders.publish("one pair of socks")).position); // 0n
 * ```
 */
export function openLog(options: EmbeddedOptions = {}): Promise<Log> {
  return openEmbeddedLog(options, (dir) => openFileStores({ dir }), logFeatures);
}

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
export function connectLog(
  endpoints: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Log> {
  return connectLogWith(endpoints, options, logFeatures);
}

/** Options of {@link startBroker}: the broker's, and where it runs. `http` is for the command `hawser broker` alone. */
export interface BrokerServerOptions extends BrokerInput {
  /** Default: one of its own. */
  readonly context?: Context | undefined;
  /** Certificates of `tls://` and `wss://` endpoints. */
  readonly tls?: TlsOptions | undefined;
  /** Who may connect to `ws://` and `wss://` endpoints. */
  readonly webSocket?: WebSocketOptions | undefined;
  /** Where topics are kept, in place of `dir`: a store of your own. It belongs to the broker from here on, which closes it. */
  readonly stores?: StoreFactory | undefined;
  /** Told of topics that were cut, stopped or reopened, for people. */
  readonly notice?: ((text: string, error?: LogError) => void) | undefined;
}

/**
 * A broker that listens on `listen`, in this process, for `connectLog`. `hawser broker` is the same as a command. It runs, and keeps
 * the process alive, until {@link BrokerServer.close}.
 *
 * Rejects with `LogError`: `ERR_LOG_LOCKED`, `ERR_LOG_STORE_FAILED`; with `MisuseError` (`ERR_OPTION`, `ERR_ENDPOINT`,
 * `ERR_ADDRESS_IN_USE`, `ERR_ADDRESS`, `ERR_PERMISSION`, `ERR_CLOSED`). Nothing listens then, and the folder or `stores` are closed.
 *
 * ```ts
 * import { connectLog, startBroker } from "hawser/log";
 *
 * await using broker = await startBroker({ listen: ["tcp://127.0.0.1:0"] });
 * await using log = await connectLog(broker.endpoints);
 * await log.openTopic("orders", { order: 2 });
 * console.log((await log.status()).topics.length); // 1
 * ```
 */
export async function startBroker(options: BrokerServerOptions = {}): Promise<BrokerServer> {
  const { context = new Context(), notice, stores: own, tls, webSocket, ...broker } = checkObject(options);
  const stores = await makeStores(own, broker, (dir) => openFileStores({ dir }));
  const { host } = context.runtime;
  return await BrokerServer.start({ context, host, stores, options: broker, tls, webSocket, notice });
}

/** Options of {@link openFileStores}: a folder, and what a `DiskStores` takes besides. */
export type FileStoresOptions = Omit<FileStoresInit, "host"> & Partial<Pick<FileStoresInit, "host">>;

/**
 * Opens `dir` for this process alone and answers stores of files in it, one folder for each topic, as `openLog({ dir })` does: for
 * those who want other write sizes, no syncs (`durability: "process"`), or to wrap it. The folder is locked until the
 * answer's `close`, which the log or broker calls that it is given to.
 *
 * Rejects with `LogError`: `ERR_LOG_LOCKED`, `ERR_LOG_STORE_FAILED`.
 *
 * ```ts
 * import { openFileStores, openLog } from "hawser/log";
 *
 * const stores = await openFileStores({ dir: "./data", durability: "process" });
 * await using log = await openLog({ stores });
 * console.log((await log.openTopic("orders")).durability); // process
 * ```
 */
export function openFileStores(options: FileStoresOptions): Promise<StoreFactory> {
  return openPlatformFiles(options);
}

export type { FileStoresInit };
export type { ConnectOptions };
export {
  type Consuming,
  consuming,
  type LogFeatures,
  type Publishing,
  publishing,
} from "./src/log/client/log_features.ts";
export type { EmbeddedOptions } from "./src/log/client/open.ts";
export type { LogOptions } from "./src/log/client/log_options.ts";
export type { Log, LogStatus, TopicInfo } from "./src/log/client/log_client.ts";
export {
  LogPublisher,
  type ProgressReport,
  type Published,
  type PublisherInput as PublisherOptions,
  type PublisherOpened,
  type PublishOptions,
} from "./src/log/client/publisher.ts";
export type { BrokerProgress, PublisherProgress } from "./src/log/publisher/progress.ts";
export type { PublishedRecordOptions } from "./src/log/publisher/sealer.ts";
export type { RecordHeaders, RecordOptions } from "./src/log/wire/batch_builder.ts";
export {
  RecordSource,
  type SubscribeInput as SubscribeOptions,
  Subscription,
} from "./src/log/client/subscription.ts";
export { Consumer, type ConsumerInput as ConsumerOptions } from "./src/log/client/consumer.ts";
export type { JsonBytes, LogRecord, RecordCopy, RecordJson } from "./src/log/wire/record.ts";
export type {
  LogEvent,
  LogEventMap,
  LogEventType,
  LogListener,
  TopicErrorEvent,
  TopicEvent,
} from "./src/log/client/log_events.ts";
export type { LogWaitOptions } from "./src/log/client/waits.ts";
export type { PublisherOptions as PublisherSettings } from "./src/log/configuration/publisher.ts";
export type { From, SubscribeOptions as SubscribeSettings } from "./src/log/configuration/client.ts";
export type {
  BrokerInput as BrokerOptions,
  BrokerOptions as BrokerSettings,
} from "./src/log/configuration/broker.ts";
export type { TopicInput } from "./src/log/configuration/topic.ts";
export type { BrokerServer } from "./src/log/server/broker_server.ts";
export type { BrokerStatus, ConsumerStatus, TopicStatus } from "./src/log/broker/status.ts";
export type { Admission, SequencerCounters } from "./src/log/order/sequencer_types.ts";
export type { IngestRefusal } from "./src/log/ingest/states.ts";
export type {
  Disk,
  DiskFailure,
  DiskFile,
  Durability,
  SegmentInfo,
  StoreEvents,
  StoreFactory,
  StoreFailure,
  StoreFailureKind,
  StoreOptions,
  StoreRead,
  TopicStore,
} from "./src/log/store/store.ts";
export { MemoryStores } from "./src/log/store/memory_store.ts";
export { type DiskFolders, DiskStores, type DiskStoresInit } from "./src/log/store/disk_stores.ts";
export { SegmentPool, type SegmentPoolInit } from "./src/log/store/segment_pool.ts";
export type { StoreHost } from "./src/log/store/writer.ts";
export type { Ack, Order, Retention, TopicOptions } from "./src/log/topic_options.ts";
export { LogError, type LogErrorCode, type LogErrorDetails } from "./src/log/errors.ts";
export { BugError, MisuseError } from "./src/errors.ts";
