/**
 * Where the API of the log is tested: embedded and over the network, in memory and in files.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "@std/assert";
import {
  type BrokerServer,
  type BrokerServerOptions,
  connectLog,
  type EmbeddedOptions,
  type Log,
  LogError,
  type LogErrorCode,
  type LogEvent,
  type LogEventType,
  type LogRecord,
  openLog,
  type RecordSource,
  startBroker,
} from "../../../log.ts";
import { freshPath } from "../support.ts";

/** A log for one test; `await using` closes it, its broker and its folder. */
export class Stage implements AsyncDisposable {
  readonly log: Log;
  readonly broker: BrokerServer | undefined;
  readonly #dir: string | undefined;

  constructor(log: Log, broker?: BrokerServer, dir?: string) {
    this.log = log;
    this.broker = broker;
    this.#dir = dir;
  }

  /** Another client of the same broker, where there is one. */
  another(): Promise<Log> {
    assert(this.broker !== undefined, "there is no broker");
    return connectLog(this.broker.endpoints);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    await this.broker?.close();
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true });
  }
}

/** One kind of log. */
export interface Place {
  readonly label: string;
  /** Its topics are files. */
  readonly durable: boolean;
  readonly remote: boolean;
  open(options?: Omit<EmbeddedOptions, "dir">): Promise<Stage>;
}

export function freshFolder(): string {
  return mkdtempSync(join(tmpdir(), "hawser-client-"));
}

/** Where a broker of the tests listens. */
export const ANY_PORT = "tcp://127.0.0.1:0";

async function overNetwork(endpoint: string, options: BrokerServerOptions = {}): Promise<Stage> {
  const broker = await startBroker({ ...options, listen: [endpoint] });
  return new Stage(await connectLog(broker.endpoints), broker, options.dir);
}

/** All of them. */
export const PLACES: readonly Place[] = [
  {
    label: "embedded, memory",
    durable: false,
    remote: false,
    open: async (options) => new Stage(await openLog(options)),
  },
  {
    label: "embedded, files",
    durable: true,
    remote: false,
    open: async (options) => {
      const dir = freshFolder();
      return new Stage(await openLog({ ...options, dir }), undefined, dir);
    },
  },
  {
    label: "tcp, memory",
    durable: false,
    remote: true,
    open: (options) => overNetwork(ANY_PORT, options),
  },
  {
    label: "ipc, files",
    durable: true,
    remote: true,
    open: (options) => overNetwork(`ipc://${freshPath()}`, { ...options, dir: freshFolder() }),
  },
];

/** A record's value as text. */
export function textOf({ value }: LogRecord): string {
  return new TextDecoder().decode(value);
}

/** `count` values that tell their number. */
export function values(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `value ${from + index}`);
}

/** The next `count` records; the source stays open. */
export async function take(source: RecordSource, count: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const iterator = source[Symbol.asyncIterator]();
  while (records.length < count) {
    const { value, done } = await iterator.next();
    assert(done !== true, `it ended behind ${records.length} of ${count} records`);
    records.push(value as LogRecord);
  }
  return records;
}

/** The next `count` values; the source stays open. */
export async function takeTexts(source: RecordSource, count: number): Promise<string[]> {
  return (await take(source, count)).map(textOf);
}

/** The code of the `LogError` with which `promise` rejects. */
export async function logCodeOf(promise: Promise<unknown>): Promise<LogErrorCode> {
  return (await logErrorOf(promise)).code;
}

/** The `LogError` with which `promise` rejects. */
export async function logErrorOf(promise: Promise<unknown>): Promise<LogError> {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof LogError, `not a LogError: ${String(error)}`);
    return error;
  }
  throw new Error("it did not reject");
}

/** The next event of a kind. */
export function nextEvent<Type extends LogEventType>(log: Log, type: Type): Promise<LogEvent<Type>> {
  return new Promise((resolve) => {
    const listener = (event: LogEvent<Type>): void => {
      log.off(type, listener);
      resolve(event);
    };
    log.on(type, listener);
  });
}
