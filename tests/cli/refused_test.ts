import { after, test } from "node:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { openLog, startBroker } from "../../log.ts";
import type { BrokerInput } from "../../src/log/configuration/broker.ts";
import { MisuseError } from "../../src/errors.ts";
import { LogError } from "../../src/log/errors.ts";
import { hawser } from "./in_process.ts";

// What is refused before anything is opened: by programs, arguments, variables and files alike, each time with the option, its value
// and what is allowed.

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-refused-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const dir: string = join(folder, "data");
let files = 0;

/** The same mistake in every place where it can be made. */
interface Mistake {
  /** In a program. */
  readonly options: object;
  /** In a file. */
  readonly yaml: string;
  /** On the command line. Missing: it cannot be made there. */
  readonly args?: readonly string[];
  /** In the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is said of it: the option, its value, what is allowed. */
  readonly said: readonly string[];
}

async function assertRefused({ options, yaml, args, env, said }: Mistake): Promise<void> {
  const check = (message: string, place: string): void => {
    for (const part of said) assertStringIncludes(message, part, place);
  };
  for (const start of [() => openLog(options as BrokerInput), () => startBroker(options as BrokerInput)]) {
    const error = await assertRejects(start);
    assert(error instanceof MisuseError && error.code === "ERR_OPTION", String(error));
    check(error.message, "a program");
  }
  const file = join(folder, `${files++}.yaml`);
  writeFileSync(file, yaml);
  const places = [
    { place: "a file", given: ["--config", file], env: {} },
    ...args === undefined ? [] : [{ place: "arguments", given: args, env: {} }],
    ...env === undefined ? [] : [{ place: "variables", given: [], env }],
  ];
  for (const { place, given, env } of places) {
    for (const command of ["broker", "config"]) {
      const { code, stdout, stderr } = await hawser([command, ...given], { env });
      assertEquals([code, stdout], [2, ""], `${command} with ${place}: ${stderr}`);
      check(stderr, place);
    }
  }
  assert(!existsSync(dir), "a folder was made");
}

test("refused at configuration time: ack 2 on a store that cannot sync", async () => {
  for (const topic of ["*", "orders"]) {
    await assertRefused({
      options: { topics: { [topic]: { ack: 2 } } },
      yaml: `topics: { "${topic}": { ack: 2 } }\n`,
      ...topic === "*" ? { args: ["--topics-ack", "2"], env: { HAWSER_TOPICS_ACK: "2" } } : {},
      said: [`Cannot set option "topics.${topic}.ack" to 2: allowed is 0 or 1`, "in memory"],
    });
  }
  const log = await openLog();
  const error = await assertRejects(() => log.openTopic("orders", { ack: 2 }));
  assert(error instanceof LogError && error.code === "ERR_LOG_TOPIC", String(error));
  assertStringIncludes(error.message, '"ack" to 2: allowed is 0 or 1');
  await log.close();
});

test("refused at configuration time: orders 1 and 3", async () => {
  for (const order of [1, 3]) {
    await assertRefused({
      options: { dir, topics: { orders: { order } } },
      yaml: `dir: ${dir}\ntopics: { orders: { order: ${order} } }\n`,
      said: [`Cannot set option "topics.orders.order" to ${order}: allowed is 0, 2, 4 or 5`],
    });
    await assertRefused({
      options: { topics: { "*": { order } } },
      yaml: `topics: { "*": { order: ${order} } }\n`,
      args: ["--dir", dir, "--topics-order", String(order)],
      env: { HAWSER_TOPICS_ORDER: String(order) },
      said: ['Cannot set option "topics.*.order" to ', `${order}`, ": allowed is 0, 2, 4 or 5"],
    });
    const log = await openLog();
    await assertRejects(() => log.openTopic("orders", { order: order as 2 }), MisuseError, "0, 2, 4 or 5");
    await log.close();
  }
});

test("refused at configuration time: a batch larger than a staging buffer", async () => {
  await assertRefused({
    options: { dir, stagingBufferBytes: 1_000, batchBytesMax: 1_001 },
    yaml: `dir: ${dir}\nstagingBufferBytes: 1000\nbatchBytesMax: 1001B\n`,
    args: ["--dir", dir, "--staging-buffer-bytes", "1000", "--batch-bytes-max", "1001"],
    env: { HAWSER_STAGING_BUFFER_BYTES: "1000", HAWSER_BATCH_BYTES_MAX: "1001" },
    said: ['Cannot set option "batchBytesMax" to 1001: allowed is at most stagingBufferBytes (1000)'],
  });
  // A publisher's, too.
  const { code, stderr } = await hawser(["publish", "orders", "--batch-bytes", "1001"], {
    env: { HAWSER_BATCH_BYTES_MAX: "1000" },
  });
  assertEquals(code, 2);
  assertStringIncludes(
    stderr,
    `Cannot set option "publisher.batchBytes" to 1001: allowed is at most the broker's batchBytesMax (1000)`,
  );
});

test("refused at configuration time: a staging buffer larger than a segment", async () => {
  await assertRefused({
    options: {
      dir,
      stagingBufferBytes: 10_001,
      batchBytesMax: 1_000,
      topics: { a: { segmentBytes: 10_000 } },
    },
    yaml:
      `dir: ${dir}\nstagingBufferBytes: 10001\nbatchBytesMax: 1kB\ntopics: { a: { segmentBytes: 10000 } }\n`,
    said: [
      'Cannot set option "topics.a.segmentBytes" to 10000: allowed is stagingBufferBytes (10001) or more',
    ],
  });
  await assertRefused({
    options: {
      dir,
      stagingBufferBytes: 10_001,
      batchBytesMax: 1_000,
      topics: { "*": { segmentBytes: 10_000 } },
    },
    yaml: `stagingBufferBytes: 10001\nbatchBytesMax: 1kB\ntopics: { "*": { segmentBytes: 10kB } }\n`,
    args: [
      "--dir",
      dir,
      "--staging-buffer-bytes=10001",
      "--batch-bytes-max=1kB",
      "--topics-segment-bytes=10000",
    ],
    env: {
      HAWSER_STAGING_BUFFER_BYTES: "10001",
      HAWSER_BATCH_BYTES_MAX: "1000",
      HAWSER_TOPICS_SEGMENT_BYTES: "10000",
    },
    said: [
      'Cannot set option "topics.*.segmentBytes" to 10000: allowed is stagingBufferBytes (10001) or more',
    ],
  });
});

test("refused at configuration time: an unknown option of a topic", async () => {
  await assertRefused({
    options: { dir, topics: { orders: { odrer: 4 } } },
    yaml: `dir: ${dir}\ntopics: { orders: { odrer: 4 } }\n`,
    said: ['Unknown option "topics.orders.odrer"', "it has order, ack, retention, segmentBytes, leaseMs"],
  });
  await assertRefused({
    options: { topics: { "*": { retention: { size: 4 } } } },
    yaml: `topics: { "*": { retention: { size: 4 } } }\n`,
    said: ['Unknown option "topics.*.retention.size"', "bytesMax, ageMsMax, keepFor"],
  });
  const argument = await hawser(["broker", "--topics-odrer", "4"]);
  assertEquals([argument.code, argument.stdout], [2, ""]);
  assertStringIncludes(argument.stderr, "Unknown option --topics-odrer");
  const variable = await hawser(["broker"], { env: { HAWSER_TOPICS_ODRER: "4" } });
  assertEquals([variable.code, variable.stdout], [2, ""]);
  assertStringIncludes(
    variable.stderr,
    'Unknown environment variable HAWSER_TOPICS_ODRER, set to "4"; did you mean HAWSER_TOPICS_ORDER?',
  );
  const log = await openLog();
  await assertRejects(() => log.openTopic("orders", { odrer: 4 } as object), MisuseError, '"odrer"');
  await log.close();
});

test("hawser config prints the value of each option and where it came from: argument before variable before file before default", async () => {
  const file = join(folder, "all.yaml");
  writeFileSync(file, "ringSlots: 1\nholdBatchesMax: 5000\nsessionsMax: 1\nrunsKept: 7\n");
  const env = { HAWSER_RING_SLOTS: "2", HAWSER_HOLD_BATCHES_MAX: "6000", HAWSER_CONFIG: file };
  const { code, stdout } = await hawser(["config", "--ring-slots", "3"], { env });
  assertEquals(code, 0);
  const row = (name: string): string[] =>
    stdout.split("\n").find((line) => line.startsWith(`${name} `))!.split(/ {2,}/);
  assertEquals(row("ringSlots"), ["ringSlots", "3", "argument --ring-slots"]);
  assertEquals(row("holdBatchesMax"), ["holdBatchesMax", "6000", "variable HAWSER_HOLD_BATCHES_MAX"]);
  assertEquals(row("sessionsMax"), ["sessionsMax", "1", `file ${file}`]);
  assertEquals(row("stagingBuffers"), ["stagingBuffers", "32", "default"]);
  // What follows another option follows its value, and is still a default.
  assertEquals(row("grantBatchesMax"), ["grantBatchesMax", "6000", "default"]);
});
