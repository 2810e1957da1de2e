/**
 * `hawser config`: the effective configuration, and where each value came from.
 *
 * @module
 */

import { CONFIGURATION_FIELDS, valueText } from "../src/log/configuration/names.ts";
import type { Setting, Source } from "../src/log/configuration/resolve.ts";
import { readConfiguration } from "./configuration.ts";
import { type Command, type CommandInput, configurationOptions, expectOperands } from "./command.ts";
import { formatTable } from "./table.ts";
import { write } from "./terminal.ts";

const SOURCES: Readonly<Record<Source, string>> = {
  argument: "argument",
  environment: "variable",
  file: "file",
  default: "default",
};

/** See the module. */
export const configCommand: Command = {
  name: "config",
  operands: "",
  summary: "print the effective configuration, and where each value came from",
  about:
    `Prints every option with its value and its source. An argument wins over a variable of the environment, that over the
configuration file, and that over the default. The names here are those of all commands; publish and subscribe know
theirs without "publisher-" and "subscribe-" in front.`,
  options: { json: { about: "as JSON: sizes in bytes, times in milliseconds" } },
  configuration: configurationOptions(""),
  async run(input: CommandInput): Promise<number> {
    expectOperands(configCommand, input.operands, 0, 0);
    const { settings } = readConfiguration(input);
    const text = input.values["json"] === true
      ? `${JSON.stringify(settings.map(({ value = null, ...rest }) => ({ ...rest, value })), null, 2)}\n`
      : formatTable(["option", "value", "from"], settings.map(rowOf));
    await write(input.terminal.stdout, text);
    return 0;
  },
};

function rowOf({ path, value, source, from }: Setting): string[] {
  const kind = CONFIGURATION_FIELDS[path]?.kind ?? kindOfName(path);
  return [path, valueText(kind, value), `${SOURCES[source]} ${from}`.trimEnd()];
}

/** Of an option of a topic by name: the ending of its name tells. */
function kindOfName(path: string): "bytes" | "ms" | "text" {
  return /Bytes$|bytesMax$/.test(path) ? "bytes" : /Ms$|MsMax$/.test(path) ? "ms" : "text";
}
