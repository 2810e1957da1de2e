/**
 * The configuration file as a schema, made of the table of options: for `hawser config --schema`, so that an
 * editor knows what may stand in it. What a file really may hold is decided by the table's own checks.
 *
 * @module
 */

import type { z as Zod } from "zod";
import { ANY_TOPIC_PATH, CONFIGURATION_FIELDS, defaultText } from "../src/log/configuration/names.ts";
import type { Field } from "../src/log/configuration/fields.ts";

type Z = typeof Zod;
type Shape = Record<string, Zod.ZodType>;

/** What stands before the options of one topic. */
const TOPIC_PREFIX = `${ANY_TOPIC_PATH}.`;
/** `16MiB`, `1.5 GB`. */
const SIZE = /^\d+(?:\.\d+)?[ \t]*(?:B|kB|KB|MB|GB|KiB|MiB|GiB|TiB)?$/;
/** `30s`, `7d`, `250ms`. */
const DURATION = /^\d+(?:\.\d+)?[ \t]*(?:ms|s|min|m|h|d)?$/;

/** Makes the schema of a whole file. */
export function configurationSchema(z: Z): Zod.ZodType {
  const paths = Object.keys(CONFIGURATION_FIELDS);
  const ofTopics = paths.filter((path) => path.startsWith(TOPIC_PREFIX));
  const topic = shapeOf(z, ofTopics.map((path) => [path.substring(TOPIC_PREFIX.length), fieldAt(path)]));
  const rest = shapeOf(
    z,
    paths.filter((path) => !ofTopics.includes(path)).map((path) => [path, fieldAt(path)]),
  );
  const topics = z.record(z.string(), topic.nullable())
    .describe("options of topics by their names; * is for all others");
  return rest.extend({ topics: topics.optional() }).describe("The configuration of hawser");
}

/** The same as JSON Schema (draft 2020-12). */
export async function configurationJsonSchema(): Promise<unknown> {
  const { z } = await import("zod");
  return z.toJSONSchema(configurationSchema(z), { io: "input" });
}

function fieldAt(path: string): Field {
  return CONFIGURATION_FIELDS[path]!;
}

/** Nests fields by their dotted paths. No path has more than one dot. */
function shapeOf(z: Z, fields: readonly (readonly [path: string, field: Field])[]): Zod.ZodObject {
  const shape: Shape = {};
  const groups = new Map<string, [string, Field][]>();
  for (const [path, field] of fields) {
    const dot = path.indexOf(".");
    if (dot < 0) {
      shape[path] = valueOf(z, field);
      continue;
    }
    const group = path.substring(0, dot);
    groups.set(group, [...groups.get(group) ?? [], [path.substring(dot + 1), field]]);
  }
  for (const [group, inner] of groups) shape[group] = shapeOf(z, inner).optional();
  return z.strictObject(shape);
}

function valueOf(z: Z, field: Field): Zod.ZodType {
  const about = `${field.about} (${field.allowed}; default: ${defaultText(field)})`;
  return kindOf(z, field).describe(about).optional();
}

function kindOf(z: Z, { kind, numeric, allows }: Field): Zod.ZodType {
  switch (kind) {
    case "bytes":
      return z.union([z.int().refine(allows), z.string().regex(SIZE)]);
    case "ms":
      return z.union([z.int().refine(allows), z.string().regex(DURATION)]);
    case "count":
    case "choice":
      return z.int().refine(allows);
    case "flag":
      return z.boolean();
    case "text":
      return numeric === true ? z.union([z.string().refine(allows), z.int()]) : z.string().refine(allows);
    case "texts":
      return z.union([z.array(z.string()).refine(allows), z.string()]);
  }
}
