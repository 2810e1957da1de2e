/**
 * What a log's publishers, subscriptions and consumers share.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import type { Scheduler } from "../../engine/scheduler.ts";
import type { Host } from "../../ports.ts";
import type { LogError } from "../errors.ts";
import type { Connection } from "./connection.ts";
import type { LogEvents } from "./log_events.ts";
import type { Holds } from "./waits.ts";

/** Something that ends with its log. */
export interface Closable {
  close(options?: { readonly signal?: undefined }): Promise<void>;
  /** At once. Whoever waits is told `error`, unless that is no more than that the log was closed. */
  abandon(error: LogError): void;
}

/** What a log shows of what it holds. */
export type ClosableKind = "publishers" | "subscriptions" | "consumers";

/** See the module. */
export interface ClientCore {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly holds: Holds;
  readonly crc32: Crc32;
  /** Checks bodies that are read; `undefined`: they have never left the memory of this process. */
  readonly bodyCrc32: Crc32 | undefined;
  readonly connection: Connection;
  readonly events: LogEvents;
  /** Of the broker that was there last. */
  readonly batchBytesMax: number;
  /** Memory with any content. */
  readonly memory: (bytes: number) => Uint8Array;
  /** A random u64, not 0. */
  readonly newSession: () => bigint;
  /** It is to end with its log. */
  remember(closable: Closable, kind: ClosableKind): void;
  /** It has ended. */
  forget(closable: Closable): void;
}
