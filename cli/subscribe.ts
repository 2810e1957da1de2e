/**
 * `hawser subscribe`: prints the records of a topic as they come.
 *
 * @module
 */

import {
  type Consumer,
  type ConsumerOptions,
  type From,
  type Log,
  LogError,
  type LogRecord,
  type Subscription,
} from "../log.ts";
import { checkTopicName } from "../src/log/configuration/topic.ts";
import { givenOptions, openClient } from "./client.ts";
import {
  type Command,
  type CommandInput,
  configurationOptions,
  connectionOptions,
  expectOperands,
} from "./command.ts";
import { readConfiguration } from "./configuration.ts";
import { Interruption, unlessAborted } from "./interruption.ts";
import { Progress } from "./progress.ts";
import { type Format, formatRecords, parseFormat } from "./records.ts";
import { countOf, type Terminal, UsageError, write } from "./terminal.ts";

/** See the module. */
export const subscribeCommand: Command = {
  name: "subscribe",
  operands: "<topic>",
  summary: "print the records of a topic",
  about:
    `Prints records in the topic's order until it is interrupted, or until it has printed --count of them. If the topic does
not exist, it waits for it.

--from is earliest, latest (the default), a position, or a time such as 2027-01-31T12:00:00Z, which means the first
record at or after that time. A date alone, and a time without a zone, are UTC.

With --consumer the log remembers how far the consumer of that name has read: what is printed is committed, and the next
command with that name continues after it. --from then says where a name begins that has committed nothing yet, and is
earliest by default.`,
  options: {
    from: { value: "where", about: "earliest, latest, a position or a time" },
    count: { value: "n", about: "stop after this many records" },
    consumer: { value: "name", about: "continue where this consumer stopped, and commit what is printed" },
    format: {
      value: "line|json|raw",
      about: "each value on a line (default), whole records as JSON, or values with nothing between",
    },
    "skip-trimmed": { about: "where records have been removed, continue with the first one that is left" },
  },
  configuration: [...connectionOptions(), ...configurationOptions("subscribe.")],
  async run(input: CommandInput): Promise<number> {
    expectOperands(subscribeCommand, input.operands, 1, 1);
    const { terminal, values } = input;
    const configuration = readConfiguration(input);
    const request = readRequest(input);
    const interruption = new Interruption(terminal);
    let log: Log | undefined;
    try {
      log = await openClient(configuration, terminal, interruption);
      const options = {
        ...givenOptions(configuration, "subscribe."),
        ...request.from === undefined ? {} : { from: request.from },
        ...values["skip-trimmed"] === true ? { onTrimmed: "earliest" as const } : {},
      };
      const source = request.consumer === undefined
        ? log.subscribe(request.topic, options)
        : await openConsumer(log, request.topic, request.consumer, options, interruption.signal);
      await print(source, request, terminal, interruption.signal);
      return interruption.exitCode ?? 0;
    } catch (error) {
      if (interruption.exitCode !== undefined && log === undefined) return interruption.exitCode;
      throw error;
    } finally {
      interruption.stop();
      await log?.close();
    }
  },
};

/** A consumer of a topic that is there, or that was waited for. Closed when `signal` is aborted before. */
async function openConsumer(
  log: Log,
  topic: string,
  name: string,
  options: ConsumerOptions,
  signal: AbortSignal,
): Promise<Consumer> {
  const consumer = log.consumer(topic, name, options);
  try {
    await unlessAborted(consumer.lag(), signal);
    return consumer;
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "ERR_LOG_TOPIC") throw error;
  }
  // A subscription waits for its topic; until there is a record there is nothing to be printed.
  const waiting = log.subscribe(topic, { from: "earliest", signal });
  await unlessAborted(waiting[Symbol.asyncIterator]().next(), signal);
  await waiting.close();
  // All that is in the topic came after the command was typed.
  return log.consumer(topic, name, options.from === "latest" ? { ...options, from: "earliest" } : options);
}

interface Request {
  readonly topic: string;
  readonly from: From | undefined;
  readonly count: number;
  readonly consumer: string | undefined;
  readonly format: Format;
}

function readRequest({ operands: [topic = ""], values }: CommandInput): Request {
  const text = (name: string): string | undefined =>
    typeof values[name] === "string" ? values[name] : undefined;
  return {
    topic: checkTopicName(topic),
    from: parseFrom(text("from")),
    count: parseCount(text("count")),
    consumer: text("consumer"),
    format: parseFormat(text("format") ?? "line"),
  };
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/;
const POSITION_MAX = 0xffff_ffff_ffff_ffffn;

/** @throws {UsageError} */
export function parseFrom(text: string | undefined): From | undefined {
  if (text === undefined || text === "earliest" || text === "latest") return text;
  if (/^\d{1,20}$/.test(text) && BigInt(text) <= POSITION_MAX) return BigInt(text);
  const timestampMs = parseTime(text);
  if (Number.isSafeInteger(timestampMs) && timestampMs >= 0) return { timestampMs };
  throw new UsageError(
    `--from is earliest, latest, a position or a time such as 2027-01-31T12:00:00Z, not ${
      JSON.stringify(text)
    }`,
  );
}

/**
 * `NaN`: it is no time, or one of a day that there is not. What has no zone is UTC, so that it means the same everywhere.
 */
function parseTime(text: string): number {
  const [, year, month, day, time = "00:00", zone = "Z"] = TIME.exec(text) ?? [];
  if (year === undefined) return NaN;
  // Date.parse takes the 30th of February for the 2nd of March.
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (Number(day) > days) return NaN;
  return Date.parse(`${year}-${month}-${day}T${time}${zone}`);
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return Infinity;
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new UsageError(`--count is a whole number, 1 or more, not ${JSON.stringify(text)}`);
}

/** Until so many are printed, or `signal`. What was printed is committed before the source is closed. */
async function print(
  source: Subscription | Consumer,
  { count, consumer, format }: Request,
  { stdout, stderr }: Terminal,
  signal: AbortSignal,
): Promise<void> {
  let printed = 0;
  // Between records on the same screen a bar is in the way, and in a file of complaints as well.
  const progress = stderr.isTTY === true && stdout.isTTY !== true
    ? new Progress(stderr, () => ({
      done: printed,
      total: count === Infinity ? undefined : count,
      text: `${countOf(printed, "record")} printed`,
    }))
    : undefined;
  const committer = consumer === undefined ? undefined : new Committer(source as Consumer);
  const batches = source.batches();
  try {
    while (printed < count) {
      const next = await unlessAborted(batches.next(), signal);
      if (next === undefined || next.done === true) break;
      const { value: batch } = next;
      const records = batch.length > count - printed ? batch.slice(0, count - printed) : batch;
      await write(stdout, formatRecords(records, format));
      committer?.printed(records.at(-1)!);
      printed += records.length;
    }
    await committer?.done();
  } finally {
    progress?.stop();
    await source.close();
  }
}

/** Commits what was printed, one commit at a time. */
class Committer {
  readonly #consumer: Consumer;
  #printed: bigint | undefined;
  #running: Promise<void> | undefined;
  #error: unknown;

  constructor(consumer: Consumer) {
    this.#consumer = consumer;
  }

  printed(last: LogRecord): void {
    if (this.#error !== undefined) throw this.#error;
    this.#printed = last.position + 1n;
    this.#running ??= this.#run();
  }

  /** Resolves when everything that was printed is committed. */
  async done(): Promise<void> {
    await this.#running;
    if (this.#error !== undefined) throw this.#error;
  }

  async #run(): Promise<void> {
    try {
      while (this.#printed !== undefined) {
        const position = this.#printed;
        this.#printed = undefined;
        await this.#consumer.commit(position);
      }
    } catch (error) {
      this.#error = error;
    } finally {
      this.#running = undefined;
    }
  }
}
