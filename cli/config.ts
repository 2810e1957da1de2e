/**
 * `hawser config`: the effective configuration, and where each value came from.
 *
 * @module
 */

import { CONFIGURATION_FIELDS, valueText } from "../src/log/configuration/names.ts";
import type { Setting, Source } from "../src/log/configuration/resolve.ts";
import { configurationJsonSchema } from "./configuration_schema.ts";
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
  summary: "print the configuration in effect, and where each value comes from",
  about:
    `Prints every option with its value and where the value comes from. A command-line argument overrides an environment
variable, which overrides the configuration file, which overrides the default. This lists the options of all commands;
publish and subscribe take theirs without the prefix "publisher-" or "subscribe-".`,
  options: {
    json: { about: "print JSON, with sizes in bytes and times in milliseconds" },
    schema: { about: "print the JSON Schema of a configuration file, for editors, and nothing else" },
  },
  configuration: configurationOptions(""),
  async run(input: CommandInput): Promise<number> {
    expectOperands(configCommand, input.operands, 0, 0);
    if (input.values["schema"] === true) {
      await write(input.terminal.stdout, `${JSON.stringify(await configurationJsonSchema(), null, 2)}\n`);
      return 0;
    }
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
