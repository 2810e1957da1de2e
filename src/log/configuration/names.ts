/**
 * The whole configuration as one table by path, and what its options are called elsewhere: `stagingBuffers` in a file is
 * `HAWSER_STAGING_BUFFERS` in the environment and `--staging-buffers` among arguments.
 *
 * @module
 */

import { BROKER_FIELDS, DEFAULT_ENDPOINT, isEndpoint } from "./broker.ts";
import { SUBSCRIBE_FIELDS } from "./client.ts";
import { PUBLISHER_FIELDS } from "./publisher.ts";
import { type Field, type Fields, textsField } from "./fields.ts";
import { TOPIC_FIELDS } from "./topic.ts";
import { TLS_FIELDS, WEB_SOCKET_FIELDS } from "./transports.ts";
import { formatDuration, formatSize } from "./units.ts";

/** What every variable's name begins with. */
export const VARIABLE_PREFIX = "HAWSER_";
/** Variables that are no options: the file's path, and the seeds of the project's own tests. */
export const OTHER_VARIABLES: readonly string[] = ["HAWSER_CONFIG", "HAWSER_SEED", "HAWSER_SEEDS"];
/** Variables that Kubernetes gives every container of a namespace in which a service is called `hawser`, or `hawser-…`. */
const SERVICE_VARIABLE =
  /^HAWSER(?:_[A-Z0-9_]+)?_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const SERVICE_PORT = /^HAWSER(?:_[A-Z0-9_]+)?_PORT$/;
const SERVICE_URL = /^(?:tcp|udp|sctp):\/\//;

/** Whether nobody has set this variable for us: another one of the same beginning that is no mistake. */
export function isForeignVariable(name: string, text: string): boolean {
  return OTHER_VARIABLES.includes(name) || SERVICE_VARIABLE.test(name) ||
    (SERVICE_PORT.test(name) && SERVICE_URL.test(text));
}

/** Where the defaults of all topics stand. */
export const ANY_TOPIC_PATH = "topics.*";

/** Every option that a file, a variable or an argument can set. A file can set those of a topic by name as well. */
export const CONFIGURATION_FIELDS: Fields = {
  connect: textsField(
    "endpoints of the broker that clients use",
    "one or more different endpoints such as tcp://127.0.0.1:7780",
    isEndpoint,
    [DEFAULT_ENDPOINT],
    1,
  ),
  ...BROKER_FIELDS,
  ...below(ANY_TOPIC_PATH, TOPIC_FIELDS),
  ...below("tls", TLS_FIELDS),
  ...below("webSocket", WEB_SOCKET_FIELDS),
  ...below("publisher", PUBLISHER_FIELDS),
  ...below("subscribe", SUBSCRIBE_FIELDS),
};

function below(prefix: string, fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([path, field]) => [`${prefix}.${path}`, field]));
}

/** The words of a path, in small letters; `*` has none. */
function wordsOf(path: string): string[] {
  return path.split(".").filter((part) => part !== "*").flatMap((part) =>
    part.split(/(?=[A-Z])/).map((word) => word.toLowerCase())
  );
}

/** `topics.*.retention.bytesMax` → `HAWSER_TOPICS_RETENTION_BYTES_MAX`. */
export function variableOf(path: string): string {
  return VARIABLE_PREFIX + wordsOf(path).join("_").toUpperCase();
}

/** `topics.*.retention.bytesMax` → `topics-retention-bytes-max`. The dashes in front are not part of it. */
export function argumentOf(path: string): string {
  return wordsOf(path).join("-");
}

/** A value as people read it. `undefined` is shown as `none`. */
export function valueText(kind: Field["kind"], value: unknown): string {
  if (value === undefined) return "none";
  if (kind === "bytes" && typeof value === "number") return formatSize(value);
  if (kind === "ms" && typeof value === "number") return formatDuration(value);
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(", ");
  return String(value);
}

/** A field's default as people read it. */
export function defaultText(field: Field): string {
  return field.valueText ?? valueText(field.kind, field.value);
}

/** The table of all options, in Markdown. */
export function configurationTable(): string {
  const rows = Object.entries(CONFIGURATION_FIELDS).map(([path, field]) => [
    code(path),
    code(variableOf(path)),
    code(`--${argumentOf(path)}`),
    defaultText(field),
    field.allowed,
    field.about,
  ]);
  const head = ["in a file", "variable", "argument", "default", "allowed", "meaning"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.map(cell).join(" | ")} |\n`).join(
    "",
  );
}

function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
