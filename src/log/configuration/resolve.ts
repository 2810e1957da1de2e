/**
 * Which value holds: argument before environment before file before default. Pure: whoever calls it has read the
 * arguments, the environment and the file.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import { isPlainObject } from "../../arguments.ts";
import { ANY_TOPIC, type BrokerOptions, checkBrokerOptions, topicOptionsFor } from "./broker.ts";
import { checkSubscribeOptions, type SubscribeOptions } from "./client.ts";
import { checkLease, checkPublisherOptions, type PublisherOptions } from "./publisher.ts";
import {
  checkField,
  type Field,
  fillDefaults,
  mergeGiven,
  refuseUnknown,
  refuseValue,
  show,
} from "./fields.ts";
import {
  ANY_TOPIC_PATH,
  CONFIGURATION_FIELDS,
  isForeignVariable,
  VARIABLE_PREFIX,
  variableOf,
} from "./names.ts";
import { nearest } from "../../nearest.ts";
import type { TlsOptions, WebSocketOptions } from "../../transport_options.ts";
import { checkTls, checkWebSocket, TLS_FIELDS, WEB_SOCKET_FIELDS } from "./transports.ts";
import { isTopicName, TOPIC_NAME_ALLOWED } from "./topic.ts";
import { parseDuration, parseSize } from "./units.ts";

/** Where a value came from. */
export type Source = "argument" | "environment" | "file" | "default";

/** One effective value. */
export interface Setting {
  /** Its place in a file: `topics.*.ack`. */
  readonly path: string;
  readonly value: unknown;
  readonly source: Source;
  /** What the source calls it: `--staging-buffers`, `HAWSER_STAGING_BUFFERS`, the file's name; "" for a default. */
  readonly from: string;
}

/** One argument of the command line that sets an option. */
export interface ArgumentInput {
  readonly path: string;
  /** As it was typed: `--staging-buffers`. */
  readonly name: string;
  /** Several, where it was given several times. */
  readonly text: string | readonly string[];
}

/** Everything that may set an option. */
export interface ConfigurationInput {
  readonly arguments?: readonly ArgumentInput[] | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** A YAML file's name, and what is in it, parsed. */
  readonly yaml?: { readonly file: string; readonly document: unknown } | undefined;
}

/** What holds. */
export interface Configuration {
  /** Endpoints that clients use. */
  readonly connect: readonly string[];
  readonly broker: BrokerOptions;
  readonly publisher: PublisherOptions;
  readonly subscribe: SubscribeOptions;
  /** `undefined`: nothing of it was given. */
  readonly tls: TlsOptions | undefined;
  readonly webSocket: WebSocketOptions | undefined;
  /** Every option by itself, in the order of the table of options; named topics last. */
  readonly settings: readonly Setting[];
}

/** A setting, and the keys that lead to it: a topic's name holds dots, so its path alone cannot be taken apart. */
interface GivenSetting extends Setting {
  readonly keys: Keys;
}

type Keys = readonly string[];
/** By path. */
type Given = Map<string, GivenSetting>;

/**
 * Resolves the configuration.
 *
 * @throws {MisuseError} `ERR_OPTION`: an unknown option or variable, or a value that is not allowed, also where a
 * stronger source overrides it; the message begins with the source.
 */
export function resolveConfiguration(input: ConfigurationInput): Configuration {
  const given: Given = new Map();
  // From the weakest source to the strongest.
  if (input.yaml !== undefined) readFile(input.yaml.document, input.yaml.file, given);
  readEnvironment(input.environment ?? {}, given);
  for (const { path, name, text } of input.arguments ?? []) {
    const keys = path.split(".");
    at(name, () => set(given, keys, fromText(fieldOf(keys), path, text), "argument", name));
  }
  const tree = treeOf(given);
  const { connect, publisher, subscribe, tls, webSocket, ...broker } = tree;
  const brokerOptions = checkBrokerOptions(broker);
  const publisherOptions = checkPublisherOptions(
    publisher,
    { batchBytesMax: given.get("batchBytesMax")?.value as number | undefined },
    "publisher.",
  );
  checkLeases(given, publisherOptions);
  const effective = {
    connect: (connect ?? CONFIGURATION_FIELDS["connect"]?.value) as readonly string[],
    broker: brokerOptions,
    publisher: publisherOptions,
    subscribe: checkSubscribeOptions(subscribe),
    tls: checkTls(tls),
    webSocket: checkWebSocket(webSocket),
  };
  return { ...effective, settings: settingsOf(given, effective) };
}

/** Runs `check`; an error that it throws gets its source in front. */
function at<T>(from: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof MisuseError)) throw error;
    throw new MisuseError(error.code, `${from}: ${error.message}`, { cause: error });
  }
}

function set(given: Given, keys: Keys, value: unknown, source: Source, from: string): void {
  const path = keys.join(".");
  given.set(path, { path, keys, value, source, from });
}

/** Where the table of options has what `keys` lead to: a topic's name becomes `*`. */
function knownPath(keys: Keys): string {
  const [first, topic, ...rest] = keys;
  return (first === "topics" && topic !== undefined ? [ANY_TOPIC_PATH, ...rest] : keys).join(".");
}

function fieldOf(keys: Keys): Field {
  const known = knownPath(keys);
  // A key with a dot in it, other than a topic's name, would pass for a path.
  const isPath = known.split(".").length === keys.length;
  const field = isPath && Object.hasOwn(CONFIGURATION_FIELDS, known)
    ? CONFIGURATION_FIELDS[known]
    : undefined;
  const what = keys.length === 1 ? "the configuration" : `"${keys.slice(0, -1).join(".")}"`;
  return field ?? refuseUnknown(keys.join("."), what, namesBelow(keys.slice(0, -1)));
}

/** Paths of the options below `keys`, as far as they go on from there. */
function pathsBelow(keys: Keys): string[] {
  const group = keys.length === 0 ? "" : `${knownPath(keys)}.`;
  return Object.keys(CONFIGURATION_FIELDS).filter((path) => path.startsWith(group)).map((path) =>
    path.slice(group.length)
  );
}

function namesBelow(keys: Keys): string[] {
  return [...new Set(pathsBelow(keys).map((path) => path.split(".")[0] ?? ""))];
}

// What is text elsewhere

/** What may be written besides numbers. */
const TEXT_ALLOWED: Readonly<Partial<Record<Field["kind"], string>>> = {
  bytes: ', or text such as "16MiB"',
  ms: ', or text such as "30s"',
};

/** Makes of text what the field holds. */
function fromText(field: Field, path: string, text: string | readonly string[]): unknown {
  if (field.kind === "texts") {
    const list = (typeof text === "string" ? [text] : text).flatMap((part) => part.split(","));
    return checkField(field, path, list.map((part) => part.trim()).filter((part) => part !== ""));
  }
  // Of an argument that was given several times the last one counts.
  const last = typeof text === "string" ? text : text.at(-1) ?? "";
  const value = parseText(field.kind, last);
  const allowed = `${field.allowed}${TEXT_ALLOWED[field.kind] ?? ""}`;
  if (value === undefined || !field.allows(value)) refuseValue(path, last, allowed);
  return value;
}

function parseText(kind: Field["kind"], text: string): unknown {
  switch (kind) {
    case "bytes":
      return parseSize(text);
    case "ms":
      return parseDuration(text);
    case "count":
    case "choice":
      return /^\d+$/.test(text) ? Number(text) : undefined;
    case "flag":
      return text === "true" ? true : text === "false" ? false : undefined;
    default:
      return text;
  }
}

// The environment

const VARIABLES: ReadonlyMap<string, string> = new Map(
  Object.keys(CONFIGURATION_FIELDS).map((path) => [variableOf(path), path]),
);

function readEnvironment(environment: Readonly<Record<string, string | undefined>>, given: Given): void {
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(VARIABLE_PREFIX)) continue;
    const path = VARIABLES.get(name);
    if (path === undefined) {
      if (isForeignVariable(name, text ?? "")) continue;
      throw unknownVariable(name, text);
    }
    // A variable that is set to nothing is how shells say that it is not set.
    if (text === undefined || text === "") continue;
    const keys = path.split(".");
    at(name, () => set(given, keys, fromText(fieldOf(keys), path, text), "environment", name));
  }
}

function unknownVariable(name: string, text: string | undefined): MisuseError {
  const names = [...VARIABLES.keys()];
  // What all begin with would make any two of them alike.
  const short = (variable: string): string => variable.substring(VARIABLE_PREFIX.length);
  const near = nearest(short(name), names.map(short));
  const meant = near === undefined
    ? `; there are ${names.join(", ")}`
    : `; did you mean ${VARIABLE_PREFIX}${near}?`;
  return new MisuseError("ERR_OPTION", `Unknown environment variable ${name}, set to ${show(text)}${meant}`);
}

// The file

function readFile(document: unknown, file: string, given: Given): void {
  // An empty file is an empty document.
  if (document === null || document === undefined) return;
  at(file, () => readGroup(document, [], file, given));
}

function readGroup(document: unknown, keys: Keys, file: string, given: Given): void {
  const isTopics = keys.length === 1 && keys[0] === "topics";
  if (!isPlainObject(document)) {
    const names = isTopics ? "topics by their names" : namesBelow(keys).join(", ");
    refuseValue(keys.join(".") || "configuration", document, `a mapping with ${names}`);
  }
  for (const [key, value] of Object.entries(document)) {
    const inner = [...keys, key];
    const path = inner.join(".");
    if (isTopics && key !== ANY_TOPIC && !isTopicName(key)) {
      refuseValue(path, value, `a topic by its name: ${ANY_TOPIC} for all others or ${TOPIC_NAME_ALLOWED}`);
    }
    // A group with nothing in it is null in YAML.
    if (pathsBelow(inner).length > 0) readGroup(value ?? {}, inner, file, given);
    else set(given, inner, fromDocument(fieldOf(inner), path, value), "file", file);
  }
}

/** YAML has numbers and lists of its own; text is read as elsewhere. */
function fromDocument(field: Field, path: string, value: unknown): unknown {
  if (field.numeric === true && Number.isSafeInteger(value)) return checkField(field, path, String(value));
  const sized = field.kind === "bytes" || field.kind === "ms";
  if (typeof value === "string" && (sized || field.kind === "texts")) return fromText(field, path, value);
  if (sized && !field.allows(value)) {
    refuseValue(path, value, `${field.allowed}${TEXT_ALLOWED[field.kind]}`);
  }
  return checkField(field, path, value);
}

// The result

/** Nested options from those by path. */
function treeOf(given: Given): Record<string, unknown> {
  let tree: Record<string, unknown> = {};
  for (const { keys, value } of given.values()) {
    const branch = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    tree = mergeGiven(tree, branch as Record<string, unknown>);
  }
  return tree;
}

/** The leases that were given are longer than the resends of the publishers of the same configuration take. */
function checkLeases(given: Given, { resendTimeoutMs }: PublisherOptions): void {
  for (const { path, keys, value, from } of given.values()) {
    if (keys[0] === "topics" && keys[2] === "leaseMs") {
      at(from, () => checkLease(value as number, resendTimeoutMs, path));
    }
  }
}

function settingsOf(given: Given, effective: Omit<Configuration, "settings">): Setting[] {
  const { connect, broker, publisher, subscribe } = effective;
  const topic = topicOptionsFor(broker, ANY_TOPIC, {});
  const values = {
    ...broker,
    connect,
    publisher,
    subscribe,
    topics: { [ANY_TOPIC]: topic },
    tls: fillDefaults(TLS_FIELDS, { ...effective.tls }),
    webSocket: fillDefaults(WEB_SOCKET_FIELDS, { ...effective.webSocket }),
  };
  const settings = Object.keys(CONFIGURATION_FIELDS).map((path): Setting => {
    const value = path.split(".").reduce<unknown>(
      (inner, key) => (inner as Readonly<Record<string, unknown>>)[key],
      values,
    );
    const { source = "default", from = "" } = given.get(path) ?? {};
    return { path, value, source, from };
  });
  for (const { path, value, source, from } of given.values()) {
    if (!Object.hasOwn(CONFIGURATION_FIELDS, path)) settings.push({ path, value, source, from });
  }
  return settings;
}
