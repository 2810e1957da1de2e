import { test } from "node:test";
import { assert, assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MisuseError } from "../../../src/errors.ts";
import type { Field } from "../../../src/log/configuration/fields.ts";
import {
  argumentOf,
  CONFIGURATION_FIELDS,
  configurationTable,
  OTHER_VARIABLES,
  variableOf,
} from "../../../src/log/configuration/names.ts";
import {
  type Configuration,
  type ConfigurationInput,
  resolveConfiguration,
  type Setting,
} from "../../../src/log/configuration/resolve.ts";
import { nest, VALUES } from "./configuration_values.ts";

const FIELDS: readonly (readonly [string, Field])[] = Object.entries(CONFIGURATION_FIELDS);
const FILE = "hawser.yaml";

function settingOf(configuration: Configuration, path: string): Setting {
  const found = configuration.settings.filter((setting) => setting.path === path);
  assertEquals(found.length, 1, path);
  return found[0]!;
}

/** What an option's value is as text. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

function refusal(input: ConfigurationInput): string {
  const error = assertThrows(() => resolveConfiguration(input), MisuseError);
  assertEquals(error.code, "ERR_OPTION");
  return error.message;
}

test("there are values for every option", () => {
  assertEquals(Object.keys(VALUES), FIELDS.map(([path]) => path));
});

test("every option: argument before environment before file before default", () => {
  for (const [path] of FIELDS) {
    // Empty lists cannot be said as text.
    const good = VALUES[path]!.good.filter((value) => !Array.isArray(value) || value.length > 0);
    const [argument, environment, file] = [good[0], good[1], good[2] ?? good[0]];
    const name = `--${argumentOf(path)}`;
    const sources = [
      { source: "argument", from: name, value: argument },
      { source: "environment", from: variableOf(path), value: environment },
      { source: "file", from: FILE, value: file },
    ];
    const byDefault = settingOf(resolveConfiguration({}), path);
    for (let present = 0; present < 8; present++) {
      const has = (bit: number): boolean => (present & (1 << bit)) !== 0;
      const configuration = resolveConfiguration({
        arguments: has(0) ? [{ path, name, text: textOf(argument) }] : [],
        environment: has(1) ? { [variableOf(path)]: textOf(environment) } : {},
        yaml: has(2) ? { file: FILE, document: nest(path, file) } : undefined,
      });
      const first = sources.find((_, bit) => has(bit));
      const expected: Setting = first === undefined ? byDefault : { path, ...first } as Setting;
      assertEquals(settingOf(configuration, path), expected);
      assertEquals(valueIn(configuration, path), expected.value, path);
    }
    assertEquals(byDefault.source, "default");
  }
});

/** What the options that brokers and clients get say. */
function valueIn(configuration: Configuration, path: string): unknown {
  const { connect, broker, publisher, subscribe, tls, webSocket, settings } = configuration;
  const values: Record<string, unknown> = { ...broker, connect, publisher, subscribe, tls, webSocket };
  const inner = path.split(".").reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | undefined)?.[key],
    values,
  );
  // A topic's options that nobody gave are filled in when the topic is made.
  return inner === undefined ? settings.find((setting) => setting.path === path)?.value : inner;
}

test("options do not disturb each other: each from another source", () => {
  const { broker, publisher } = resolveConfiguration({
    arguments: [{ path: "stagingBuffers", name: "--staging-buffers", text: "3" }],
    environment: {
      HAWSER_STAGING_BUFFER_BYTES: "2MiB",
      HAWSER_TOPICS_RETENTION_AGE_MS_MAX: "7d",
      PATH: "/bin",
    },
    yaml: {
      file: FILE,
      document: { topics: { "*": { retention: { bytesMax: "1GiB" } } }, publisher: { lingerMs: "5ms" } },
    },
  });
  assertEquals([broker.stagingBuffers, broker.stagingBufferBytes, broker.batchBytesMax], [
    3,
    2 ** 21,
    2 ** 21,
  ]);
  assertEquals(broker.topics["*"], { retention: { bytesMax: 2 ** 30, ageMsMax: 604_800_000 } });
  assertEquals(publisher.lingerMs, 5);
});

test("topics by name, dots and all, come from the file", () => {
  const document = {
    topics: {
      "a.b": { order: 4, retention: { keepFor: ["x", "y"], bytesMax: "1KiB" } },
      "a.retention": { retention: { bytesMax: 5 } },
      empty: null,
    },
  };
  const { broker, settings } = resolveConfiguration({ yaml: { file: FILE, document } });
  assertEquals(broker.topics, {
    "a.b": { order: 4, retention: { keepFor: ["x", "y"], bytesMax: 1_024 } },
    "a.retention": { retention: { bytesMax: 5 } },
  });
  assertEquals(settings.slice(-4).map(({ path, value }) => [path, value]), [
    ["topics.a.b.order", 4],
    ["topics.a.b.retention.keepFor", ["x", "y"]],
    ["topics.a.b.retention.bytesMax", 1_024],
    ["topics.a.retention.retention.bytesMax", 5],
  ]);
});

test("a wrong value is refused wherever it comes from, with source, field, value and range", () => {
  for (const [path, field] of FIELDS) {
    const name = `--${argumentOf(path)}`;
    const bad = field.kind === "text" || field.kind === "texts" ? "\x00" : "x";
    const said = `Cannot set option "${path}" to `;
    const asArgument = refusal({ arguments: [{ path, name, text: bad }] });
    const asVariable = refusal({ environment: { [variableOf(path)]: bad } });
    assert(asArgument.startsWith(`${name}: ${said}`), asArgument);
    assert(asVariable.startsWith(`${variableOf(path)}: ${said}`), asVariable);
    for (const message of [asArgument, asVariable]) assertStringIncludes(message, field.allowed);
    const inFile = refusal({ yaml: { file: FILE, document: nest(path, { no: 1 }) } });
    assert(inFile.startsWith(`${FILE}: ${said}an object: allowed is ${field.allowed}`), inFile);
  }
});

test("a wrong value is refused also where a stronger source overrides it", () => {
  const message = refusal({
    arguments: [{ path: "stagingBuffers", name: "--staging-buffers", text: "3" }],
    environment: { HAWSER_STAGING_BUFFERS: "none" },
  });
  assertStringIncludes(message, "HAWSER_STAGING_BUFFERS: ");
});

test("what nobody knows is refused: variables, options, groups, topics", () => {
  assertStringIncludes(
    refusal({ environment: { HAWSER_STAGING_BUFERS: "4" } }),
    'Unknown environment variable HAWSER_STAGING_BUFERS, set to "4"; did you mean HAWSER_STAGING_BUFFERS?',
  );
  const documents: readonly (readonly [unknown, string])[] = [
    [{ nope: 1 }, 'Unknown option "nope" of the configuration; it has connect, '],
    [{ publisher: { nope: 1 } }, 'Unknown option "publisher.nope" of "publisher"; it has name, '],
    [{ "publisher.ack": 1 }, 'Unknown option "publisher.ack" of the configuration'],
    [{ topics: { a: { nope: 1 } } }, 'Unknown option "topics.a.nope" of "topics.a"; it has order, '],
    [{ topics: { a: { "retention.bytesMax": 1 } } }, 'Unknown option "topics.a.retention.bytesMax"'],
    [
      { topics: { a: { retention: { order: 1 } } } },
      '"topics.a.retention.order" of "topics.a.retention"; it has bytesMax',
    ],
    [{ topics: { "/": {} } }, 'Cannot set option "topics./" to an object: allowed is a topic by its name'],
    [{ topics: [] }, 'Cannot set option "topics" to []: allowed is a mapping with topics by their names'],
    [{ topics: { a: 5 } }, 'Cannot set option "topics.a" to 5: allowed is a mapping with order, '],
    [{ publisher: "x" }, 'Cannot set option "publisher" to "x": allowed is a mapping with name, '],
    [{ dir: null }, 'Cannot set option "dir" to null'],
    ["text", "allowed is a mapping with connect, "],
  ];
  for (const [document, said] of documents) {
    const message = refusal({ yaml: { file: FILE, document } });
    assert(message.startsWith(`${FILE}: `), message);
    assertStringIncludes(message, said);
  }
});

test("variables that are set to nothing, or belong to something else, are none of ours", () => {
  const environment: Record<string, string | undefined> = {
    HAWSER_DIR: "",
    HAWSER_HTTP: undefined,
    PATH: "x",
  };
  for (const name of OTHER_VARIABLES) environment[name] = "anything";
  assert(resolveConfiguration({ environment }).settings.every(({ source }) => source === "default"));
});

test("what Kubernetes says of services called hawser is none of ours, and what somebody typed is", () => {
  const environment = {
    HAWSER_SERVICE_HOST: "10.0.0.7",
    HAWSER_SERVICE_PORT: "7780",
    HAWSER_SERVICE_PORT_LOG: "7780",
    HAWSER_PORT: "tcp://10.0.0.7:7780",
    HAWSER_PORT_7780_TCP: "tcp://10.0.0.7:7780",
    HAWSER_PORT_7780_TCP_PROTO: "tcp",
    HAWSER_PORT_7780_TCP_PORT: "7780",
    HAWSER_PORT_7780_TCP_ADDR: "10.0.0.7",
    HAWSER_HTTP_SERVICE_HOST: "10.0.0.8",
    HAWSER_HTTP_PORT: "tcp://10.0.0.8:7781",
    HAWSER_HTTP_PORT_53_UDP: "udp://10.0.0.8:53",
  };
  const { settings } = resolveConfiguration({ environment: { ...environment, HAWSER_RING_SLOTS: "7" } });
  const given = settings.filter(({ source }) => source !== "default");
  assertEquals(given.map(({ path, value }) => [path, value]), [["ringSlots", 7]]);
  const mistakes = [
    { HAWSER_PORT: "7780" },
    { HAWSER_PORTS: "tcp://10.0.0.7:7780" },
    { HAWSER_HOST: "10.0.0.7" },
    { HAWSER_SERVICE: "10.0.0.7" },
    { HAWSER_HTTP_PORT: "7781" },
  ];
  for (const mistake of mistakes) {
    assertThrows(() => resolveConfiguration({ environment: mistake }), MisuseError, Object.keys(mistake)[0]);
  }
});

test("an empty file is a file", () => {
  for (const document of [null, undefined, {}]) {
    const { settings } = resolveConfiguration({ yaml: { file: FILE, document } });
    assert(settings.every(({ source }) => source === "default"));
  }
});

test("of an argument that is given several times, lists take all and others the last", () => {
  const configuration = resolveConfiguration({
    arguments: [
      { path: "listen", name: "--listen", text: ["tcp://a:1", "tcp://b:1, tcp://c:1"] },
      { path: "stagingBuffers", name: "--staging-buffers", text: ["1", "2"] },
    ],
  });
  assertEquals(configuration.broker.listen, ["tcp://a:1", "tcp://b:1", "tcp://c:1"]);
  assertEquals(configuration.broker.stagingBuffers, 2);
});

test("what all variables begin with makes none like another", () => {
  const message = refusal({ environment: { HAWSER_PORT: "7780" } });
  assertStringIncludes(message, "Unknown environment variable HAWSER_PORT");
  assert(!message.includes("did you mean"), message);
});

test("what does not fit together is refused, from whatever sources", () => {
  assertStringIncludes(
    refusal({
      environment: { HAWSER_BATCH_BYTES_MAX: "2MiB" },
      yaml: { file: FILE, document: { stagingBufferBytes: "1MiB" } },
    }),
    '"batchBytesMax" to 2097152: allowed is at most stagingBufferBytes (1048576)',
  );
  assertStringIncludes(
    refusal({ yaml: { file: FILE, document: { batchBytesMax: 1_000, publisher: { batchBytes: 1_001 } } } }),
    '"publisher.batchBytes" to 1001: allowed is at most the broker\'s batchBytesMax (1000)',
  );
  assertStringIncludes(
    refusal({
      environment: { HAWSER_PUBLISHER_RESEND_TIMEOUT_MS: "10s" },
      yaml: { file: FILE, document: { topics: { a: { leaseMs: "30s" } } } },
    }),
    '"topics.a.leaseMs" to 30000: allowed is more than 30000 milliseconds',
  );
  assertStringIncludes(refusal({ environment: { HAWSER_TOPICS_ACK: "2" } }), '"topics.*.ack" to 2');
  assertEquals(
    resolveConfiguration({ environment: { HAWSER_TOPICS_ACK: "2", HAWSER_DIR: "data" } }).broker.topics["*"],
    { ack: 2 },
  );
});

test("names are made of paths, and no two are the same", () => {
  assertEquals(variableOf("stagingBuffers"), "HAWSER_STAGING_BUFFERS");
  assertEquals(variableOf("topics.*.retention.ageMsMax"), "HAWSER_TOPICS_RETENTION_AGE_MS_MAX");
  assertEquals(argumentOf("publisher.batchBytes"), "publisher-batch-bytes");
  for (const name of [variableOf, argumentOf]) {
    assertEquals(new Set(FIELDS.map(([path]) => name(path))).size, FIELDS.length);
  }
  for (const name of OTHER_VARIABLES) assert(!FIELDS.some(([path]) => variableOf(path) === name), name);
});

test("the table of options has a row for each", () => {
  const lines = configurationTable().trimEnd().split("\n");
  assertEquals(lines.length, FIELDS.length + 2);
  for (const [index, [path, { about }]] of FIELDS.entries()) {
    const line = lines[index + 2]!;
    for (const part of [`\`${path}\``, `\`${variableOf(path)}\``, about]) assertStringIncludes(line, part);
    assertEquals(line.match(/(?<!\\)\|/g)?.length, 7);
  }
  assertNotEquals(lines.length, 0);
});
