import { after, test } from "node:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { configurationSchema } from "../../cli/configuration_schema.ts";
import { CONFIGURATION_FIELDS, variableOf } from "../../src/log/configuration/names.ts";
import { nest, VALUES } from "../unit/log/configuration_values.ts";
import { hawser } from "./in_process.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-config-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Setting {
  readonly path: string;
  readonly value: unknown;
  readonly source: string;
  readonly from: string;
}

function fileWith(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("config prints every option, and where each value came from", async () => {
  const file = fileWith(
    "a.yaml",
    "stagingBuffers: 5\nstagingBufferBytes: 2MiB\nringSlots: 7\ntopics:\n  orders:\n    order: 4\n",
  );
  const args = [
    "config",
    "--config",
    file,
    "--staging-buffers",
    "3",
    "--listen=tcp://a:1",
    "--listen",
    "tcp://b:2",
  ];
  const env = {
    HAWSER_STAGING_BUFFERS: "4",
    HAWSER_STAGING_BUFFER_BYTES: "4MiB",
    HAWSER_SESSION_IDLE_MS: "1d",
  };
  const { code, stdout, stderr } = await hawser([...args, "--json"], { env });
  assertEquals([code, stderr], [0, ""]);
  const settings = JSON.parse(stdout) as Setting[];
  const said = (path: string): unknown[] => {
    const { value, source, from } = settings.find((one) => one.path === path)!;
    return [value, source, from];
  };
  assertEquals(said("stagingBuffers"), [3, "argument", "--staging-buffers"]);
  assertEquals(said("listen"), [["tcp://a:1", "tcp://b:2"], "argument", "--listen"]);
  assertEquals(said("stagingBufferBytes"), [4_194_304, "environment", "HAWSER_STAGING_BUFFER_BYTES"]);
  assertEquals(said("sessionIdleMs"), [86_400_000, "environment", "HAWSER_SESSION_IDLE_MS"]);
  assertEquals(said("ringSlots"), [7, "file", file]);
  assertEquals(said("topics.orders.order"), [4, "file", file]);
  assertEquals(said("dir"), [null, "default", ""]);
  const paths = settings.map(({ path }) => path);
  assertEquals(paths, [...Object.keys(CONFIGURATION_FIELDS), "topics.orders.order"]);

  const table = await hawser(args, { env });
  assertMatch(table.stdout, /^option +value +from\n/);
  assertMatch(table.stdout, /^stagingBufferBytes +4MiB +variable HAWSER_STAGING_BUFFER_BYTES$/m);
  assertMatch(table.stdout, /^stagingBuffers +3 +argument --staging-buffers$/m);
  assertMatch(table.stdout, /^dir +none +default$/m);
});

test("the file may be named by a variable", async () => {
  const file = fileWith("b.yaml", "stagingBuffers: 9\n");
  const { stdout } = await hawser(["config"], { env: { HAWSER_CONFIG: file } });
  assertStringIncludes(stdout, `file ${file}`);
  const other = fileWith("empty.yaml", "# nothing\n");
  const { code, stdout: nothing } = await hawser(["config", "--config", other], {
    env: { HAWSER_CONFIG: file },
  });
  assertEquals(code, 0);
  assert(!nothing.includes("file "), nothing);
});

test("what is not understood is told in a line, and ends with 2", async () => {
  const wrongYaml = fileWith("wrong.yaml", "a: [1\n");
  const twice = fileWith("twice.yaml", "ringSlots: 1\nringSlots: 2\n");
  const unknown = fileWith("unknown.yaml", "topics:\n  a:\n    odrer: 4\n");
  const order = fileWith("order.yaml", "topics:\n  a:\n    order: 3\n");
  const cases: readonly (readonly [readonly string[], RegExp, Record<string, string>?])[] = [
    [["nope"], /Unknown command "nope"; there are .*config/],
    [["help", "nope"], /Unknown command "nope"/],
    [["config", "--nope"], /Unknown option --nope\. See: hawser help config/],
    [["config", "-x"], /Unknown option -x/],
    [["config", "--json=1"], /--json takes no value, but was given "1"/],
    [["config", "--dir"], /--dir needs a value/],
    [["config", "--dir", "--json"], /--dir needs a value/],
    [["config", "more"], /Unexpected argument "more"\. Usage: hawser config/],
    [
      ["config", "--staging-buffers", "x"],
      /--staging-buffers: Cannot set option "stagingBuffers" to "x": allowed is .*1 to 65536/,
    ],
    [["config", "--config", join(folder, "none.yaml")], /Cannot read the configuration file .*none\.yaml/],
    [["config", "--config", wrongYaml], /wrong\.yaml is not YAML: .*line [12]/],
    [["config", "--config", twice], /twice\.yaml is not YAML: .*unique/],
    [
      ["config", "--config", unknown],
      /unknown\.yaml: Unknown option "topics\.a\.odrer" of "topics\.a" \(did you mean "order"\?\); it has order, /,
    ],
    [
      ["config", "--config", order],
      /order\.yaml: Cannot set option "topics\.a\.order" to 3: allowed is 0, 2, 4 or 5/,
    ],
    [["config"], /HAWSER_RING_SLOTS: Cannot set option "ringSlots" to "-1"/, { HAWSER_RING_SLOTS: "-1" }],
    [["config"], /Unknown environment variable HAWSER_RINGSLOTS/, { HAWSER_RINGSLOTS: "1" }],
    [["segment"], /Usage: hawser segment dump\|verify/],
    [["segment", "mend", "x"], /Unknown action "mend"; use dump or verify/],
  ];
  for (const [args, said, env] of cases) {
    const { code, stdout, stderr } = await hawser(args, { env });
    assertEquals([code, stdout], [2, ""], `${args.join(" ")}: ${stderr}`);
    assertMatch(stderr, said);
    assertMatch(stderr, /^hawser: /);
    assert(!stderr.includes("    at "), stderr);
  }
});

test("help lists all commands, version tells the runtime", async () => {
  const overview = await hawser(["help"]);
  assertEquals(overview.code, 0);
  const names = [...overview.stdout.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name!);
  assert(names.includes("config") && names.includes("help"), overview.stdout);
  for (const args of [["--help"], ["-h"]]) assertEquals((await hawser(args)).stdout, overview.stdout);
  const nothing = await hawser([]);
  assertEquals([nothing.code, nothing.stdout, nothing.stderr], [2, "", overview.stdout]);
  for (const name of names) {
    const [help, option] = await Promise.all([hawser(["help", name]), hawser([name, "--help"])]);
    assertEquals([help.code, help.stderr, option.stdout], [0, "", help.stdout]);
    assert(help.stdout.startsWith(`Usage: hawser ${name}`), help.stdout);
  }
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const { stdout } = await hawser(["--version"]);
  assertMatch(
    stdout,
    new RegExp(`^hawser ${version.replaceAll(".", "\\.")} \\((?:node|deno|bun) \\d+\\.\\d+`),
  );
});

test("the documentation's table of options is the program's", async () => {
  const { stdout } = await hawser(["help", "options"]);
  for (const path of Object.keys(CONFIGURATION_FIELDS)) {
    assertStringIncludes(stdout, `\`${variableOf(path)}\``);
  }
  assertStringIncludes(readFileSync("docs/CONFIGURATION.md", "utf8"), stdout);
});

test("the schema of a configuration file takes what the options take, and refuses other values and names", () => {
  const schema = configurationSchema(z);
  const takes = (document: unknown): boolean => schema.safeParse(document).success;
  let refused = 0;
  for (const [path, { allows }] of Object.entries(CONFIGURATION_FIELDS)) {
    for (const value of VALUES[path]!.good) assert(takes(nest(path, value)), `${path}: ${String(value)}`);
    for (const value of VALUES[path]!.bad) {
      // Text may stand for numbers, lists and ports in a file.
      if (allows(value) || typeof value === "string" || typeof value === "number" && path === "http") {
        continue;
      }
      assert(!takes(nest(path, value)), `${path}: ${String(value)}`);
      refused++;
    }
    assert(!takes(nest(`${path}X`, VALUES[path]!.good[0])), path);
  }
  assert(refused > 100, `only ${refused} values were tried`);
  assert(takes({ topics: { "a.b": { order: 4, retention: { bytesMax: "1GiB" } }, empty: null } }));
  assert(!takes({ topics: { a: { orders: 4 } } }));
  assert(takes({}) && !takes([]) && !takes({ stagingBufferBytes: "2 apples" }));
});

test("config --schema prints a JSON Schema with every option and what it means", async () => {
  const { code, stdout, stderr } = await hawser(["config", "--schema"]);
  assertEquals([code, stderr], [0, ""]);
  const schema = JSON.parse(stdout);
  assertMatch(schema.$schema, /2020-12/);
  assertEquals(schema.additionalProperties, false);
  assertStringIncludes(schema.properties.stagingBuffers.description, "buffers that receive batches");
  assertEquals(schema.properties.topics.additionalProperties.anyOf[0].properties.order.type, "integer");
});
