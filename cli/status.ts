/**
 * `hawser status`: what a broker is doing.
 *
 * @module
 */

import type { Log } from "../log.ts";
import { openClient } from "./client.ts";
import { type Command, type CommandInput, expectOperands } from "./command.ts";
import { readConfiguration } from "./configuration.ts";
import { Interruption } from "./interruption.ts";
import { statusText } from "./status_text.ts";
import { write } from "./terminal.ts";

/** See the module. */
export const statusCommand: Command = {
  name: "status",
  operands: "",
  summary: "print a broker's topics, metrics and consumers",
  about:
    "Prints what a broker is doing: staging memory, topics, stores, and how far each consumer is behind.",
  options: { json: { about: "everything, as JSON; positions are decimal text" } },
  configuration: [["connect", "connect"]],
  async run(input: CommandInput): Promise<number> {
    expectOperands(statusCommand, input.operands, 0, 0);
    const { terminal, values } = input;
    const configuration = readConfiguration(input);
    const interruption = new Interruption(terminal);
    let log: Log | undefined;
    try {
      log = await openClient(configuration, terminal, interruption);
      const status = await log.status({ signal: interruption.signal });
      await write(
        terminal.stdout,
        values["json"] === true ? `${JSON.stringify(status, null, 2)}\n` : statusText(status),
      );
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
