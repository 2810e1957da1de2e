/**
 * Reads the configuration file, and resolves everything: argument before environment before file before default.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { parseDocument } from "yaml";
import { type Configuration, resolveConfiguration } from "../src/log/configuration/resolve.ts";
import type { CommandInput } from "./command.ts";
import { UsageError } from "./terminal.ts";

/** The variable that names the file. */
const FILE_VARIABLE = "HAWSER_CONFIG";

/**
 * What holds for a command.
 *
 * @throws {UsageError} The file cannot be read, or is no YAML.
 * @throws {MisuseError} `ERR_OPTION`: see {@link resolveConfiguration}.
 */
export function readConfiguration(
  { terminal, values, configuration }: CommandInput,
): Configuration {
  const { environment } = terminal;
  const file = values["config"] ?? environment[FILE_VARIABLE] ?? "";
  const yaml = typeof file === "string" && file !== "" ? { file, document: readYaml(file) } : undefined;
  return atHome(resolveConfiguration({ arguments: configuration, environment, yaml }), environment);
}

/**
 * `~` at the beginning of a path is the home folder, as in a shell, which does not see what stands in a file
 * or after a `=`.
 */
function atHome(
  resolved: Configuration,
  environment: CommandInput["terminal"]["environment"],
): Configuration {
  const home = (value: unknown): unknown =>
    typeof value === "string" && /^~(?:\/|$)/.test(value)
      ? (environment["HOME"] || homedir()) + value.slice(1)
      : value;
  const isPath = (path: string): boolean => path === "dir" || /^tls\..*File$/.test(path);
  const { broker, tls, settings } = resolved;
  const files = Object.entries(tls ?? {}).map(([name, value]) =>
    [name, isPath(`tls.${name}`) ? home(value) : value] as const
  );
  return {
    ...resolved,
    broker: { ...broker, dir: home(broker.dir) as string | undefined },
    tls: tls === undefined ? undefined : Object.fromEntries(files),
    settings: settings.map((one) => isPath(one.path) ? { ...one, value: home(one.value) } : one),
  };
}

function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`Cannot read the configuration file ${file}: ${(error as Error).message}`);
  }
  const document = parseDocument(text);
  const [mistake] = document.errors;
  if (mistake !== undefined) throw new UsageError(`${file} is not YAML: ${mistake.message.trim()}`);
  return document.toJS();
}
