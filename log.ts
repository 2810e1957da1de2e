/**
 * The ordered log: publishers, a broker that gives every record of a topic its position, and subscriptions that all see
 * the same order. Embedded in one process, or over hawser's own sockets.
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

import { openFileStores } from "./adapters/store/file_store.ts";
import { detectHost } from "./adapters/detect.ts";
import { Context } from "./mod.ts";
import { type EmbeddedOptions, openEmbeddedLog } from "./src/log/client/open.ts";
import type { Log } from "./src/log/client/log_client.ts";
import type { BrokerInput } from "./src/log/configuration/broker.ts";
import type { LogError } from "./src/log/errors.ts";
import { BrokerServer } from "./src/log/server/broker_server.ts";
import { MemoryStores } from "./src/log/store/memory_store.ts";
import type { StoreFactory } from "./src/log/store/store.ts";

/**
 * A log of this process, without network. With `dir` its topics are files in that folder, which nobody else may use; without it
 * they are memory and end with the log.
 *
 * Rejects with `LogError`: `ERR_LOG_LOCKED`, `ERR_LOG_STORE_FAILED`; with `MisuseError` (`ERR_OPTION`).
 */
export function openLog(options: EmbeddedOptions = {}): Promise<Log> {
  return openEmbeddedLog(options, (dir) => openStores(dir));
}

/** Options of {@link startBroker}: the broker's, and where it runs. */
export interface BrokerServerOptions extends BrokerInput {
  /** Default: one of its own. */
  readonly context?: Context | undefined;
  /** Told of topics that were cut, stopped or reopened, for people. */
  readonly notice?: ((text: string, error?: LogError) => void) | undefined;
}

/**
 * A broker that listens on `listen`, in this process. `hawser broker` is the same as a command.
 *
 * Rejects with `LogError`: `ERR_LOG_LOCKED`, `ERR_LOG_STORE_FAILED`; with `MisuseError` (`ERR_OPTION`, `ERR_ENDPOINT`,
 * `ERR_ADDRESS_IN_USE`, `ERR_ADDRESS`).
 */
export async function startBroker(options: BrokerServerOptions = {}): Promise<BrokerServer> {
  const { context = new Context(), notice, ...broker } = options;
  const stores = broker.dir === undefined ? new MemoryStores() : await openStores(broker.dir);
  return await BrokerServer.start({ context, host: context.runtime.host, stores, options: broker, notice });
}

function openStores(dir: string): Promise<StoreFactory> {
  return openFileStores({ dir, host: detectHost() });
}

export {
  connectLog,
  type ConnectOptions,
  type EmbeddedOptions,
  type LogOptions,
} from "./src/log/client/open.ts";
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
export type { RecordOptions } from "./src/log/wire/batch_builder.ts";
export {
  RecordSource,
  type SubscribeInput as SubscribeOptions,
  Subscription,
} from "./src/log/client/subscription.ts";
export { Consumer, type ConsumerInput as ConsumerOptions } from "./src/log/client/consumer.ts";
export type { LogRecord } from "./src/log/wire/record.ts";
export type { LogEvent, LogEventType, LogListener } from "./src/log/client/log_events.ts";
export type { LogWaitOptions } from "./src/log/client/waits.ts";
export type { From } from "./src/log/configuration/client.ts";
export type { BrokerInput as BrokerOptions } from "./src/log/configuration/broker.ts";
export type { TopicInput } from "./src/log/configuration/topic.ts";
export type { BrokerServer } from "./src/log/server/broker_server.ts";
export type { BrokerStatus, ConsumerStatus, TopicStatus } from "./src/log/broker/status.ts";
export type { Durability } from "./src/log/store/store.ts";
export type { Ack, Order, Retention, TopicOptions } from "./src/log/topic_options.ts";
export { LogError, type LogErrorCode, type LogErrorDetails } from "./src/log/errors.ts";
export { BugError, MisuseError } from "./src/errors.ts";
