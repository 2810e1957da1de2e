/**
 * `hawser publish`: lines or files become records of a topic.
 *
 * @module
 */

import type { Log, LogPublisher, Published } from "../log.ts";
import { givenOptions, openClient } from "./client.ts";
import { type Command, type CommandInput, configurationOptions, expectOperands } from "./command.ts";
import { readConfiguration } from "./configuration.ts";
import { findSources, readRecords, type Source, STDIN, totalBytes } from "./input.ts";
import { Interruption, unlessAborted } from "./interruption.ts";
import { Progress } from "./progress.ts";
import { line, type Terminal, write } from "./terminal.ts";

/** Milliseconds after a signal at which the command says what it waits for. */
const NOTICE_MS = 1_000;

/** See the module. */
export const publishCommand: Command = {
  name: "publish",
  operands: "<topic> [files…|-]",
  summary: "publish lines of files or of the standard input",
  about:
    `Publishes every line of the files, in order, as a record; "-" or no file: of the standard input. A line's end (\\n) is no
part of the record. Prints the positions of the first and the last record when all are acknowledged.

With --name the log knows the publisher by that name, and the n-th record of the input has sequence n: a command that was
interrupted is typed again, with the same input or one that has grown, and goes on behind the last record that was taken.
Nothing is published twice. Of two commands with the same name the newer one goes on, the older one ends.`,
  options: { "whole-file": { about: "one record from each file instead of one from each line" } },
  configuration: [["connect", "connect"], ...configurationOptions("publisher.")],
  async run(input: CommandInput): Promise<number> {
    expectOperands(publishCommand, input.operands, 1, Infinity);
    const [topic = "", ...names] = input.operands;
    const { terminal } = input;
    const configuration = readConfiguration(input);
    const sources = findSources(names.length === 0 ? [STDIN] : names);
    const interruption = new Interruption(terminal);
    let log: Log | undefined;
    try {
      log = await openClient(configuration, terminal, interruption);
      const publisher = log.publisher(topic, givenOptions(configuration, "publisher."));
      const named = configuration.publisher.name !== undefined;
      const run = new PublishRun(publisher, named, sources, input.values["whole-file"] === true);
      const end = endOf(log, publisher);
      const cancelNotice = noticeOfWait(terminal, interruption.signal);
      await run.publish(terminal, AbortSignal.any([interruption.signal, end])).finally(cancelNotice);
      // A flush has nothing to complain of where nothing was left to be published; this tells why.
      if (end.aborted) await publisher.opened();
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

/**
 * Aborted when nothing can be published any more. Input may not come for hours, and there is no point in waiting for it.
 */
function endOf(log: Log, publisher: LogPublisher): AbortSignal {
  const controller = new AbortController();
  publisher.opened().catch(() => controller.abort());
  log.on("superseded", () => controller.abort());
  return controller.signal;
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
  #first: Promise<Published> | undefined;
  #last: Promise<Published> | undefined;

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
      text: `${this.#read} records read, ${this.#publisher.progress().text}`,
    }));
    try {
      await this.#publishAll(terminal, signal);
      await this.#publisher.flush();
    } finally {
      progress.stop();
    }
  }

  async #publishAll(terminal: Terminal, signal: AbortSignal): Promise<void> {
    const opened = this.#named ? await unlessAborted(this.#publisher.opened(), signal) : undefined;
    const known = Number(opened?.lastSequence ?? 0n);
    const read = (bytes: number): void => void (this.#readBytes += bytes);
    const options = { stdin: terminal.stdin, wholeFile: this.#wholeFile, read, signal };
    // The last record is published by a promise, which tells its position, and which one is the last is known only then.
    let held: Uint8Array | undefined;
    for await (const records of readRecords(this.#sources, options)) {
      for (const record of records) {
        if (signal.aborted) break;
        if (held !== undefined) {
          await this.#publishOne(held, this.#read);
          held = undefined;
        }
        this.#read++;
        if (!this.#named || this.#read > known) held = record;
      }
      if (signal.aborted) break;
    }
    if (held === undefined) return;
    this.#last = this.#promised(held, this.#read);
    this.#first ??= this.#last;
  }

  /** Waits while the window is full. */
  async #publishOne(record: Uint8Array, ordinal: number): Promise<void> {
    if (this.#first === undefined) {
      this.#first = this.#promised(record, ordinal);
      return;
    }
    const options = this.#optionsOf(ordinal);
    while (!this.#publisher.tryPublish(record, options)) await this.#publisher.waitWritable();
    this.#published++;
  }

  #promised(record: Uint8Array, ordinal: number): Promise<Published> {
    const published = this.#publisher.publish(record, this.#optionsOf(ordinal));
    // Whoever flushes hears of it; until then nobody waits here.
    published.catch(() => {});
    this.#published++;
    return published;
  }

  #optionsOf(ordinal: number): { readonly sequence: bigint } | undefined {
    return this.#named ? { sequence: BigInt(ordinal) } : undefined;
  }

  /** `published 3 records to orders, positions 0 to 2` */
  async report(): Promise<string> {
    const { topic } = this.#publisher;
    const skipped = this.#read - this.#published;
    const before = skipped === 0 ? "" : `; the first ${skipped} of the input were published before`;
    const [first, last] = [(await this.#first)?.position, (await this.#last)?.position];
    const where = first === undefined || last === undefined ? "" : `, positions ${first} to ${last}`;
    return `published ${this.#published} records to ${topic}${where}${before}`;
  }
}
