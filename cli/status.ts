/**
 * `hawser status`: what a broker is doing.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import type { BrokerStatus, Log } from "../log.ts";
import { TIMER_MS_MAX } from "../src/log/configuration/fields.ts";
import { parseDuration } from "../src/log/configuration/units.ts";
import { openClient } from "./client.ts";
import { type Command, type CommandInput, connectionOptions, expectOperands } from "./command.ts";
import { readConfiguration } from "./configuration.ts";
import { Interruption } from "./interruption.ts";
import { statusText } from "./status_text.ts";
import { type Terminal, UsageError, write } from "./terminal.ts";

/** A shorter pause tells nothing more. */
const EVERY_MS_MIN = 100;

/** See the module. */
export const statusCommand: Command = {
  name: "status",
  operands: "",
  summary: "print what a broker is doing: topics, metrics, consumers",
  about:
    `Prints what a broker is doing: staging memory, topics, storage, and how far each consumer is behind. With --every it
prints that again and again until it is interrupted. Rates are those since the previous print; the first time, those since
the broker started.`,
  options: {
    json: { about: "print everything as JSON, with positions as decimal strings" },
    every: { value: "time", about: "print again at this interval, such as 2s" },
  },
  configuration: connectionOptions(),
  async run(input: CommandInput): Promise<number> {
    expectOperands(statusCommand, input.operands, 0, 0);
    const { terminal, values } = input;
    const everyMs = parseEvery(values["every"]);
    const configuration = readConfiguration(input);
    const interruption = new Interruption(terminal);
    let log: Log | undefined;
    try {
      log = await openClient(configuration, terminal, interruption);
      await print(log, { everyMs, json: values["json"] === true }, terminal, interruption.signal);
      return 0;
    } catch (error) {
      if (interruption.exitCode !== undefined) return interruption.exitCode;
      throw error;
    } finally {
      interruption.stop();
      await log?.close();
    }
  },
};

interface PrintOptions {
  readonly everyMs: number | undefined;
  readonly json: boolean;
}

async function print(
  log: Log,
  { everyMs, json }: PrintOptions,
  { stdout }: Terminal,
  signal: AbortSignal,
): Promise<void> {
  let before: BrokerStatus | undefined;
  while (true) {
    const status = await log.status({ signal });
    // Of a broker that was started again, nothing goes on.
    if (before !== undefined && before.uptimeMs > status.uptimeMs) before = undefined;
    // Whoever reads several of them reads lines.
    if (json) await write(stdout, `${JSON.stringify(status, null, everyMs === undefined ? 2 : 0)}\n`);
    else await write(stdout, `${before === undefined ? "" : "\n"}${statusText(status, before)}`);
    if (everyMs === undefined) return;
    before = status;
    await setTimeout(everyMs, undefined, { signal });
  }
}

/** @throws {UsageError} */
function parseEvery(text: string | true | undefined): number | undefined {
  if (typeof text !== "string") return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= EVERY_MS_MIN && ms <= TIMER_MS_MAX) return ms;
  throw new UsageError(
    `--every is a time of ${EVERY_MS_MIN} to ${TIMER_MS_MAX} ms, such as 2s, not ${JSON.stringify(text)}`,
  );
}
