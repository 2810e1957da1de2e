/**
 * What a command is, and how its arguments are read: options of its own, and those of the configuration that concern it.
 *
 * @module
 */

import { parseArgs, type ParseArgsConfig } from "node:util";
import { CONFIGURATION_FIELDS } from "../src/log/configuration/names.ts";
import { argumentOf, defaultText } from "../src/log/configuration/names.ts";
import { nearest } from "../src/nearest.ts";
import type { ArgumentInput } from "../src/log/configuration/resolve.ts";
import { type Terminal, UsageError } from "./terminal.ts";

/** An option of a command that is no part of the configuration. */
export interface CommandOption {
  /** What its value is called in the help; `undefined`: it has none. */
  readonly value?: string;
  readonly about: string;
}

/** One command. */
export interface Command {
  readonly name: string;
  /** `<topic> [files…|-]` */
  readonly operands: string;
  /** One line. */
  readonly summary: string;
  /** More, for its own help. */
  readonly about: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Options of the configuration: the name behind `--`, and the path. */
  readonly configuration: readonly (readonly [name: string, path: string])[];
  /** Answers the exit code. */
  run(input: CommandInput): Promise<number>;
}

/** What a command was given. */
export interface CommandInput {
  readonly terminal: Terminal;
  readonly operands: readonly string[];
  /** Values of its own options; `true` for one without a value. */
  readonly values: Readonly<Record<string, string | true | undefined>>;
  /** Options of the configuration that were typed. */
  readonly configuration: readonly ArgumentInput[];
}

/** Options that every command has. */
export const COMMON_OPTIONS: Readonly<Record<string, CommandOption>> = {
  config: { value: "file", about: "YAML configuration file (or HAWSER_CONFIG)" },
  help: { about: "print this help" },
};

/** The options of the configuration below `prefix`, by their names without it; all of it where `prefix` is "". */
export function configurationOptions(
  prefix: string,
  without: readonly string[] = [],
): (readonly [string, string])[] {
  return Object.keys(CONFIGURATION_FIELDS)
    .filter((path) => path.startsWith(prefix) && !without.some((other) => path.startsWith(other)))
    .map((path) => [argumentOf(path.slice(prefix.length)), path] as const);
}

/** The options of a command that connects to a broker: where it is, and whom to trust there. */
export function connectionOptions(): (readonly [string, string])[] {
  const ofBroker = ["tls.clientCertificates"];
  return ["connect", ...Object.keys(CONFIGURATION_FIELDS).filter((path) => path.startsWith("tls."))]
    .filter((path) => !ofBroker.includes(path))
    .map((path) => [argumentOf(path), path] as const);
}

/**
 * Reads what stands behind the command's name.
 *
 * @throws {UsageError}
 */
export function readArguments(
  command: Command,
  args: readonly string[],
): Omit<CommandInput, "terminal"> {
  const own = { ...command.options, ...COMMON_OPTIONS };
  const options: NonNullable<ParseArgsConfig["options"]> = {};
  for (const [name, { value }] of Object.entries(own)) {
    options[name] = value === undefined ? { type: "boolean" } : { type: "string" };
  }
  for (const [name] of command.configuration) options[name] = { type: "string", multiple: true };
  options["help"] = { type: "boolean", short: "h" };
  const { values, positionals } = parse(command, {
    args: spellFlags(command, args),
    options,
    allowPositionals: true,
  });
  const configuration = command.configuration.flatMap(([name, path]): ArgumentInput[] => {
    const text = values[name];
    return Array.isArray(text) ? [{ path, name: `--${name}`, text: text.map(String) }] : [];
  });
  const rest = Object.keys(own).map((name) => [name, values[name] as string | true | undefined] as const);
  return { operands: positionals, values: Object.fromEntries(rest), configuration };
}

/** Gives options that are yes or no the value that they have without one: `--name` is true, `--no-name` is false. */
function spellFlags({ configuration }: Command, args: readonly string[]): string[] {
  const flags = configuration.filter(([, path]) => isFlag(path)).map(([name]) => name);
  const end = args.indexOf("--");
  return args.map((arg, at) => {
    if (end >= 0 && at > end) return arg;
    const flag = flags.find((name) => arg === `--${name}` || arg === `--no-${name}`);
    if (flag === undefined) return arg;
    if (arg !== `--${flag}`) return `--${flag}=false`;
    const next = args[at + 1];
    return next === "true" || next === "false" ? arg : `--${flag}=true`;
  });
}

function isFlag(path: string): boolean {
  return CONFIGURATION_FIELDS[path]?.kind === "flag";
}

type Parsed = ReturnType<typeof parseArgs>;

/** The runtimes word the same mistakes differently; here they read the same. */
function parse(command: Command, config: ParseArgsConfig & { readonly args: readonly string[] }): Parsed {
  const { options = {} } = config;
  // `-` stands for the standard input, and is no option.
  for (const token of tokens(config)) {
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) throw unknownOption(command, rawName, Object.keys(options));
    if (option.type === "boolean" && value !== undefined) {
      throw new UsageError(
        `${rawName} takes no value, but was given ${JSON.stringify(value)}. ${seeHelp(command)}`,
      );
    }
    if (option.type === "string" && (value === undefined || (!token.inlineValue && isOptionLike(value)))) {
      throw new UsageError(
        `${rawName} needs a value; write one that begins with "-" as ${rawName}=value. ${seeHelp(command)}`,
      );
    }
  }
  return parseArgs({ ...config, args: [...config.args] });
}

function unknownOption(command: Command, rawName: string, names: readonly string[]): UsageError {
  const flags = command.configuration.filter(([, path]) => isFlag(path)).map(([name]) => `no-${name}`);
  const near = nearest(rawName.replace(/^-+/, ""), [...names, ...flags]);
  const meant = near === undefined ? "." : `; did you mean --${near}?`;
  return new UsageError(`Unknown option ${rawName}${meant} ${seeHelp(command)}`);
}

interface Token {
  readonly kind: string;
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function tokens(config: ParseArgsConfig & { readonly args: readonly string[] }): readonly Token[] {
  const loose = { ...config, args: [...config.args], strict: false, tokens: true };
  return (parseArgs(loose) as unknown as { readonly tokens: readonly Token[] }).tokens;
}

function isOptionLike(text: string): boolean {
  return text.length > 1 && text.startsWith("-");
}

function seeHelp(command: Command): string {
  return `See: hawser help ${command.name}`;
}

/** Says so unless there are so many operands. */
export function expectOperands(
  command: Command,
  operands: readonly string[],
  min: number,
  max: number,
): void {
  if (operands.length >= min && operands.length <= max) return;
  const more = operands.length > max ? `Unexpected argument ${JSON.stringify(operands[max])}. ` : "";
  throw new UsageError(`${more}Usage: hawser ${usageOf(command)}. ${seeHelp(command)}`);
}

/** `broker [options]` */
export function usageOf({ name, operands, options, configuration }: Command): string {
  const some = Object.keys(options).length + configuration.length > 0;
  return [name, operands, some ? "[options]" : ""].filter((part) => part !== "").join(" ");
}

/** What the help calls the values of options of the configuration. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  bytes: "size",
  ms: "time",
  count: "number",
  choice: "number",
  texts: "list",
};

/** Everything about a command. */
export function helpOf(command: Command): string {
  const own = Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(([name, { value, about }]) =>
    [`--${name}${value === undefined ? "" : ` <${value}>`}`, about] as const
  );
  const configured = command.configuration.map(([name, path]) => {
    const field = CONFIGURATION_FIELDS[path]!;
    const shown = field.kind === "flag"
      ? `--[no-]${name}`
      : `--${name} <${PLACEHOLDERS[field.kind] ?? field.kind}>`;
    return [shown, `${field.about} (${defaultText(field)})`] as const;
  });
  const rows = [...own, ...configured];
  const width = Math.max(...rows.map(([name]) => name.length));
  const options = rows.map(([name, about]) => `  ${name.padEnd(width)}  ${about}\n`).join("");
  return `Usage: hawser ${usageOf(command)}\n\n${command.about.trim()}\n\n${options}`;
}
