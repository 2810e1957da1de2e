/**
 * One run of the command line: finds the command, runs it, and makes an exit code of what comes out.
 *
 * @module
 */

import { MisuseError } from "../src/errors.ts";
import { LogError } from "../src/log/errors.ts";
import { brokerCommand } from "./broker.ts";
import { certificatesCommand } from "./certificates.ts";
import { type Command, helpOf, readArguments } from "./command.ts";
import { configCommand } from "./config.ts";
import { makeHelpCommand, overview, unknownCommand } from "./help.ts";
import { publishCommand } from "./publish.ts";
import { segmentCommand } from "./segment.ts";
import { statusCommand } from "./status.ts";
import { subscribeCommand } from "./subscribe.ts";
import {
  CommandError,
  EXIT_FAILED,
  EXIT_USAGE,
  line,
  OutputClosedError,
  type Terminal,
  UsageError,
  write,
} from "./terminal.ts";
import { versionCommand } from "./version.ts";

/** In the order in which help lists them. */
const COMMANDS: readonly Command[] = [
  brokerCommand,
  publishCommand,
  subscribeCommand,
  statusCommand,
  configCommand,
  segmentCommand,
  certificatesCommand,
  makeHelpCommand(() => COMMANDS),
  versionCommand,
];

/** Runs `args`, which begin behind the program's name, and answers the exit code. Says on `stderr` what went wrong. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await runCommand(args, terminal);
  } catch (error) {
    return exitCodeOf(error, terminal);
  }
}

async function runCommand([name, ...args]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === undefined) {
    await write(terminal.stderr, overview(COMMANDS));
    return EXIT_USAGE;
  }
  if (name === "--help" || name === "-h") return await runCommand(["help"], terminal);
  if (name === "--version" || name === "-v" || name === "-V") return await runCommand(["version"], terminal);
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) throw unknownCommand(name, COMMANDS);
  const input = readArguments(command, args);
  if (input.values["help"] === true) {
    await write(terminal.stdout, helpOf(command));
    return 0;
  }
  return await command.run({ terminal, ...input });
}

/** What a person can mend is told in a line; anything else is a mistake of the program, and keeps its stack. */
function exitCodeOf(error: unknown, { stderr }: Terminal): number {
  if (error instanceof OutputClosedError) return 0;
  const say = (text: string): void => {
    line(stderr, `hawser: ${text}`);
  };
  if (error instanceof UsageError) {
    say(error.message);
    return EXIT_USAGE;
  }
  if (error instanceof MisuseError) {
    say(error.message);
    // Options and endpoints were typed, or stand in a file; the others are what the system said.
    return error.code === "ERR_OPTION" || error.code === "ERR_ENDPOINT" ? EXIT_USAGE : EXIT_FAILED;
  }
  if (error instanceof LogError) say(`${error.message} (${error.code})`);
  else if (error instanceof CommandError) say(error.message);
  else say(error instanceof Error ? error.stack ?? error.message : String(error));
  return EXIT_FAILED;
}
