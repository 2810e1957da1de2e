/**
 * `hawser help`: all commands, one of them, or the table of all options.
 *
 * @module
 */

import { nearest } from "../src/nearest.ts";
import { configurationTable } from "../src/log/configuration/names.ts";
import { type Command, type CommandInput, expectOperands, helpOf } from "./command.ts";
import { UsageError, write } from "./terminal.ts";

/** Names all commands where one was expected. */
export function unknownCommand(name: string, commands: readonly Command[]): UsageError {
  const names = commands.map((command) => command.name);
  const near = nearest(name, names);
  const meant = near === undefined ? `; there are ${names.join(", ")}.` : `; did you mean ${near}?`;
  return new UsageError(`Unknown command ${JSON.stringify(name)}${meant} See: hawser help`);
}

/** What `hawser` alone prints. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
  return `Usage: hawser <command> [options]

Runs hawser's ordered log, and publishes and reads its records.

${rows}
"hawser help <command>" explains a command; "hawser help options" lists every configuration option.
Exit codes: 0 done; 1 failed; 2 wrong usage, nothing was done; 129, 130 or 143 ended by SIGHUP, SIGINT or SIGTERM.
`;
}

/** See the module. `commands` has itself in it, so it is asked for late. */
export function makeHelpCommand(commands: () => readonly Command[]): Command {
  const command: Command = {
    name: "help",
    operands: "[command|options]",
    summary: "explain a command, or list every configuration option",
    about: `Explains a command. "hawser help options" prints every configuration option as a Markdown table.`,
    options: {},
    configuration: [],
    async run({ terminal, operands }: CommandInput): Promise<number> {
      expectOperands(command, operands, 0, 1);
      await write(terminal.stdout, textFor(operands[0], commands()));
      return 0;
    },
  };
  return command;
}

function textFor(name: string | undefined, commands: readonly Command[]): string {
  if (name === undefined) return overview(commands);
  if (name === "options") return configurationTable();
  const command = commands.find((one) => one.name === name);
  if (command === undefined) throw unknownCommand(name, commands);
  return helpOf(command);
}
