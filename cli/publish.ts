/**
 * `hawser publish`: lines or files become records of a topic.
 *
 * @module
 */

import { type Log, LogError, type LogPublisher, type Published } from "../log.ts";
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
import {
  findSources,
  type InputRecords,
  placeOf,
  readRecords,
  type Source,
  STDIN,
  totalBytes,
} from "./input.ts";
import { Interruption, unlessAborted } from "./interruption.ts";
import { Progress } from "./progress.ts";
import { CommandError, countOf, line, type Terminal, write } from "./terminal.ts";

/** Milliseconds after a signal at which the command says what it waits for. */
const NOTICE_MS = 1_000;

/** See the module. */
export const publishCommand: Command = {
  name: "publish",
  operands: "<topic> [files…|-]",
  summary: "publish the lines of files, or of standard input, as records",
  about:
    `Publishes each line of the files, in order, as a record. "-", or no file at all, means standard input. The line ending
(\\n) is not part of the record. Prints the first and the last position once every record is acknowledged.

With --name the log remembers how much of the input this publisher has published. If the command is interrupted, run it
again with the same input, or with one that has grown: it continues after the last record that was published, and nothing
is published twice. If two commands use the same name, the newer one continues and the older one ends.

If a record is too large for the broker, the command fails: the records before it are published, none after it is.`,
  options: { "whole-file": { about: "make each file one record, instead of each line" } },
  configuration: [...connectionOptions(), ...configurationOptions("publisher.")],
  async run(input: CommandInput): Promise<number> {
    expectOperands(publishCommand, input.operands, 1, Infinity);
    const [topic = "", ...names] = input.operands;
    const { terminal } = input;
    const configuration = readConfiguration(input);
    checkTopicName(topic);
    const sources = findSources(names.length === 0 ? [STDIN] : names);
    const interruption = new Interruption(terminal);
    let log: Log | undefined;
    try {
      log = await openClient(configuration, terminal, interruption);
      const publisher = log.publisher(topic, givenOptions(configuration, "publisher."));
      const named = configuration.publisher.name !== undefined;
      const run = new PublishRun(publisher, named, sources, input.values["whole-file"] === true);
      const end = new PublishEnd(log, publisher);
      const cancelNotice = noticeOfWait(terminal, interruption.signal);
      await run.publish(terminal, AbortSignal.any([interruption.signal, end.signal])).catch(
        (error: unknown) => {
          throw end.refusal ?? error;
        },
      ).finally(cancelNotice);
      // A flush has nothing to complain of where nothing was left to be published; this tells why.
      if (end.signal.aborted) await publisher.opened();
      await write(terminal.stdout, `${await run.report()}\n`);
      return interruption.exitCode ?? 0;
    } catch (error) {
      // Before there was a broker nothing was lost.
      if (interruption.exitCode !== undefined && log === undefined) return interruption.exitCode;
      throw error;
    } finally {
      interruption.stop();
      // Nobody reads the rest, and an open one would keep the process.
      terminal.stdin.destroy();
      await log?.close();
    }
  },
};

/** When nothing can be published any more. Input may not come for hours, and there is no point in waiting for it. */
class PublishEnd {
  readonly #controller: AbortController = new AbortController();
  #refusal: CommandError | undefined;

  constructor(log: Log, publisher: LogPublisher) {
    publisher.opened().catch(() => this.#controller.abort());
    log.on("superseded", () => this.#controller.abort());
    // Of records that were taken here before a broker with narrower limits came. Nothing may go out after them.
    log.on("refused", ({ error }) => {
      const { acknowledged, submitted } = publisher.progress();
      const text = `Cannot publish all that was read: ${error.message} (${error.code}). The log has ` +
        `${acknowledged} of ${countOf(submitted, "record")}, and nothing after them was published.`;
      this.#refusal ??= new CommandError(text, { cause: error });
      this.#controller.abort();
      publisher.close({ signal: AbortSignal.abort() }).catch(() => {});
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why records were refused that had been taken. */
  get refusal(): CommandError | undefined {
    return this.#refusal;
  }
}

/** Says what the command still waits for when a signal has not ended it. */
function noticeOfWait({ stderr }: Terminal, signal: AbortSignal): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const text = "hawser: waiting until what was read is acknowledged; a second signal ends it at once";
  signal.addEventListener("abort", () => timer = setTimeout(() => line(stderr, text), NOTICE_MS));
  return () => clearTimeout(timer);
}

class PublishRun {
  readonly #publisher: LogPublisher;
  readonly #named: boolean;
  readonly #sources: readonly Source[];
  readonly #wholeFile: boolean;
  /** Records of the input so far; its value is the sequence of the last one. */
  #read = 0;
  #readBytes = 0;
  #published = 0;
  /** Records at the beginning of the input that the log has from an earlier command. */
  #skipped = 0;
  #first: Promise<Published> | undefined;
  #last: Promise<Published> | undefined;
  /**
   * The record that was read last. The last one of all is published by a promise, which tells its position, and which
   * one that is is known only at the end.
   */
  #held: Uint8Array | undefined;
  #heldInput: InputRecords | undefined;
  #heldIndex = 0;
  /** Why a record that was published by a promise was not taken. */
  #refusal: unknown;

  constructor(publisher: LogPublisher, named: boolean, sources: readonly Source[], wholeFile: boolean) {
    this.#publisher = publisher;
    this.#named = named;
    this.#sources = sources;
    this.#wholeFile = wholeFile;
  }

  /** Publishes all there is, or what was read when `signal` came, and waits until it is acknowledged. */
  async publish(terminal: Terminal, signal: AbortSignal): Promise<void> {
    const total = totalBytes(this.#sources);
    const progress = new Progress(terminal.stderr, () => ({
      done: this.#readBytes,
      total,
      text: `${countOf(this.#read, "record")} read, ${this.#publisher.progress().text}`,
    }));
    try {
      await this.#publishAll(terminal, signal).catch(async (error: unknown) => {
        // What stands before the record is published all the same.
        if (error instanceof RefusedRecord) await this.#publisher.flush();
        throw error;
      });
      await this.#publisher.flush();
      // Nothing follows the last record, so that only its promise tells whether it was taken.
      await this.#last;
    } catch (error) {
      throw error instanceof RefusedRecord ? this.#refused(error) : error;
    } finally {
      progress.stop();
    }
  }

  #refused({ place, error }: RefusedRecord): CommandError {
    const before = this.#skipped + this.#published;
    const done = before === 0
      ? "Nothing was published"
      : before === 1
      ? "The record before it is in the log, and nothing after it was published"
      : `The ${before} records before it are in the log, and nothing after it was published`;
    const again = this.#named
      ? "run this command again"
      : before === 0
      ? "publish it and what follows it"
      : "publish it and what follows it, without the records before it";
    const text =
      `Cannot publish ${place}: ${error.message}. ${done}. Make the record smaller, or start the broker with a ` +
      `larger --batch-bytes-max; then ${again}.`;
    return new CommandError(text, { cause: error });
  }

  async #publishAll(terminal: Terminal, signal: AbortSignal): Promise<void> {
    const opened = this.#named ? await unlessAborted(this.#publisher.opened(), signal) : undefined;
    const known = Number(opened?.lastSequence ?? 0n);
    const read = (bytes: number): void => void (this.#readBytes += bytes);
    const options = { stdin: terminal.stdin, wholeFile: this.#wholeFile, read, signal };
    for await (const input of readRecords(this.#sources, options)) {
      const { records } = input;
      for (let index = 0; index < records.length; index++) {
        if (signal.aborted) break;
        if (this.#held !== undefined) await this.#publishHeld();
        this.#read++;
        if (this.#named && this.#read <= known) this.#skipped++;
        else this.#hold(records[index], input, index);
      }
      if (signal.aborted) break;
    }
    if (this.#held === undefined) return;
    this.#last = this.#promised(this.#held);
    this.#first ??= this.#last;
  }

  #hold(record: Uint8Array | undefined, input: InputRecords, index: number): void {
    this.#held = record;
    this.#heldInput = input;
    this.#heldIndex = index;
  }

  /** Publishes the record that is held, and returns when it was taken: nothing may follow one that is refused. */
  async #publishHeld(): Promise<void> {
    const record = this.#held!;
    if (this.#first === undefined) {
      this.#first = this.#promised(record);
      // Resolves when the record has left the queue of those that wait for room; a refusal is told before that.
      await this.#publisher.waitWritable();
    } else {
      const options = this.#options();
      while (!this.#tryPublish(record, options)) await this.#publisher.waitWritable();
      this.#published++;
    }
    if (this.#refusal !== undefined) throw this.#refusal;
    this.#held = undefined;
  }

  #tryPublish(record: Uint8Array, options: { readonly sequence: bigint } | undefined): boolean {
    try {
      return this.#publisher.tryPublish(record, options);
    } catch (error) {
      throw refusalOf(this.#place, error);
    }
  }

  #promised(record: Uint8Array): Promise<Published> {
    const place = this.#place;
    const published = this.#publisher.publish(record, this.#options()).catch((error: unknown) => {
      this.#published--;
      throw this.#refusal ??= refusalOf(place, error);
    });
    // Anyone who flushes hears of it; until then nobody waits here.
    published.catch(() => {});
    this.#published++;
    return published;
  }

  #options(): { readonly sequence: bigint } | undefined {
    return this.#named ? { sequence: BigInt(this.#read) } : undefined;
  }

  get #place(): string {
    return placeOf(this.#heldInput!, this.#heldIndex);
  }

  /** `published 3 records to orders, positions 0 to 2` */
  async report(): Promise<string> {
    const { topic } = this.#publisher;
    const skipped = this.#skipped;
    const before = skipped === 0
      ? ""
      : `; the first ${skipped === 1 ? "one" : skipped} of the input ${
        skipped === 1 ? "was" : "were"
      } published before`;
    const [first, last] = [(await this.#first)?.position, (await this.#last)?.position];
    const where = first === undefined || last === undefined
      ? ""
      : first === last
      ? `, position ${first}`
      : `, positions ${first} to ${last}`;
    return `published ${countOf(this.#published, "record")} to ${topic}${where}${before}`;
  }
}

/** A record that cannot be published as it is, and where it stands. */
class RefusedRecord extends Error {
  readonly place: string;
  readonly error: LogError;

  constructor(place: string, error: LogError) {
    super(error.message);
    this.place = place;
    this.error = error;
  }
}

/** What is the matter with the record itself; everything else as it is. */
function refusalOf(place: string, error: unknown): unknown {
  const itself = error instanceof LogError && error.code === "ERR_LOG_BATCH_TOO_LARGE";
  return itself ? new RefusedRecord(place, error) : error;
}
