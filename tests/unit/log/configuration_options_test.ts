import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MisuseError } from "../../../src/errors.ts";
import {
  BROKER_FIELDS,
  checkBrokerOptions,
  durabilityOf,
  topicOptionsFor,
} from "../../../src/log/configuration/broker.ts";
import { checkSubscribeOptions, SUBSCRIBE_FIELDS } from "../../../src/log/configuration/client.ts";
import {
  checkLease,
  checkPublisherForTopic,
  checkPublisherOptions,
  PUBLISHER_FIELDS,
} from "../../../src/log/configuration/publisher.ts";
import { type Fields, show } from "../../../src/log/configuration/fields.ts";
import {
  checkTopicName,
  checkTopicOptions,
  checkTopicRequest,
  TOPIC_FIELDS,
} from "../../../src/log/configuration/topic.ts";
import { nest, VALUES } from "./configuration_values.ts";

const MIB = 1_048_576;

/** The message of the misuse that `run` is, which must have the code of options. */
function refusal(run: () => unknown): string {
  const error = assertThrows(run, MisuseError);
  assertEquals(error.code, "ERR_OPTION");
  return error.message;
}

interface Checked {
  readonly prefix: string;
  readonly fields: Fields;
  readonly check: (input: unknown) => unknown;
}

const SETS: readonly Checked[] = [
  { prefix: "", fields: BROKER_FIELDS, check: (input) => checkBrokerOptions(input) },
  {
    prefix: "topics.*.",
    fields: TOPIC_FIELDS,
    check: (input) => (checkBrokerOptions({ topics: { a: input } }), checkLeaseIn(input)),
  },
  { prefix: "publisher.", fields: PUBLISHER_FIELDS, check: (input) => checkPublisherOptions(input) },
  { prefix: "subscribe.", fields: SUBSCRIBE_FIELDS, check: (input) => checkSubscribeOptions(input) },
];

/** Against a publisher with defaults, as the configuration as a whole does. */
function checkLeaseIn(input: unknown): void {
  checkPublisherOptions({ onTopic: input });
}

for (const { prefix, fields, check } of SETS) {
  test(`every option takes what its range says: ${prefix || "broker"}`, () => {
    for (const [path, field] of Object.entries(fields)) {
      const { good } = VALUES[prefix + path]!;
      for (const value of good) check(nest(path, value));
      if (field.value !== undefined) check(nest(path, field.value));
      check(nest(path, undefined));
    }
  });

  test(`a wrong value is refused with field, value and range: ${prefix || "broker"}`, () => {
    for (const path of Object.keys(fields)) {
      const { bad } = VALUES[prefix + path]!;
      assert(bad.length > 3, path);
      for (const value of bad) {
        const message = refusal(() => check(nest(path, value)));
        // A size that does not fit to another one may be reported as that one's.
        const named = message.includes(`${path}" to ${show(value)}: allowed is `) ||
          message.includes(`${path} (${show(value)})`);
        assert(named, `${path} ${show(value)}: ${message}`);
      }
    }
  });

  test(`an unknown option is refused, and the known ones are named: ${prefix || "broker"}`, () => {
    for (const name of ["nope", "constructor", "__proto__x", "retention.bytesMax", "topics.a"]) {
      const message = refusal(() => check({ [name]: 1 }));
      assertStringIncludes(message, `${name}"`);
      assertStringIncludes(message, Object.keys(fields).at(0)!);
    }
  });

  test(`what is no object is refused: ${prefix || "broker"}`, () => {
    for (const input of [null, 5, "x", [], new Uint8Array(2)]) {
      assertStringIncludes(refusal(() => check(input)), "an object with ");
    }
  });
}

test("a range's message is one sentence with all of it", () => {
  assertEquals(
    refusal(() => checkBrokerOptions({ stagingBuffers: 0 })),
    'Cannot set option "stagingBuffers" to 0: allowed is buffers: a whole number, 1 to 65536',
  );
  assertEquals(
    refusal(() => checkBrokerOptions({ topics: { orders: { retention: { ageMsMax: "7d" } } } })),
    'Cannot set option "topics.orders.retention.ageMsMax" to "7d": allowed is milliseconds: a whole number, ' +
      "0 to 315360000000 (3650d)",
  );
});

test("orders 1 and 3 are refused: the legal ones are named, and why", () => {
  for (const order of [1, 3]) {
    const message = refusal(() => checkTopicOptions({ order }));
    assertStringIncludes(message, `Cannot set option "order" to ${order}: allowed is 0, 2, 4 or 5`);
    assertStringIncludes(message, "other systems");
  }
});

test("ack 2 needs a store that syncs", () => {
  for (const durability of ["none", "process"] as const) {
    const message = refusal(() => checkTopicOptions({ ack: 2 }, { durability }));
    assertStringIncludes(message, `"ack" to 2: allowed is 0 or 1`);
    assertStringIncludes(message, `"${durability}"`);
  }
  assertEquals(checkTopicOptions({ ack: 2 }, { durability: "machine" }).ack, 2);
  assertEquals(checkTopicOptions({ ack: 2 }).ack, 2);
  refusal(() => checkBrokerOptions({ topics: { "*": { ack: 2 } } }));
  assertEquals(checkBrokerOptions({ dir: "x", topics: { "*": { ack: 2 } } }).topics["*"], { ack: 2 });
});

test("defaults of a topic, in memory and in files", () => {
  const files = {
    order: 5,
    ack: 1,
    retention: { bytesMax: 0, ageMsMax: 0, keepFor: [] },
    segmentBytes: 64 * MIB,
    leaseMs: 30_000,
    syncIntervalMs: 1_000,
  } as const;
  assertEquals(checkTopicOptions({}, { durability: "machine" }), files);
  assertEquals(checkTopicOptions({}, { durability: "none" }), { ...files, segmentBytes: 16 * MIB });
  assertEquals(
    checkTopicOptions({ retention: { keepFor: ["a"] } }).retention,
    { bytesMax: 0, ageMsMax: 0, keepFor: ["a"] },
  );
});

test("defaults of a broker", () => {
  const options = checkBrokerOptions();
  assertEquals([options.stagingBuffers, options.stagingBufferBytes, options.batchBytesMax], [32, MIB, MIB]);
  assertEquals([options.ringSlots, options.sessionsMax, options.sessionIdleMs], [
    1_024,
    100_000,
    604_800_000,
  ]);
  assertEquals([options.memoryBytesMax, options.dir, options.http], [256 * MIB, undefined, undefined]);
  assertEquals(checkBrokerOptions({ stagingBufferBytes: 1_000 }).batchBytesMax, 1_000);
  const held = checkBrokerOptions({ holdBatchesMax: 7, holdBytesMax: 2 * MIB });
  assertEquals([held.grantBatchesMax, held.grantBytesMax], [7, 2 * MIB]);
  assertEquals(checkBrokerOptions({ memoryBytesMax: 64 * MIB }).holdBytesMax, 32 * MIB);
  assertEquals(checkBrokerOptions({ memoryBytesMax: 64 * MIB, dir: "x" }).holdBytesMax, 128 * MIB);
  assertEquals([durabilityOf({ dir: "x" }), durabilityOf({ dir: undefined })], ["machine", "none"]);
});

test("batch, staging buffer and segment must fit into each other", () => {
  const cases: readonly (readonly [Record<string, unknown>, string])[] = [
    [
      { batchBytesMax: 1_001, stagingBufferBytes: 1_000 },
      '"batchBytesMax" to 1001: allowed is at most stagingBufferBytes (1000)',
    ],
    [
      { batchBytesMax: 64, topics: { a: { segmentBytes: MIB - 1 } } },
      `"topics.a.segmentBytes" to ${MIB - 1}: allowed is stagingBufferBytes (${MIB}) or more`,
    ],
    [
      { topics: { a: { segmentBytes: MIB + 4_095 } } },
      `"topics.a.segmentBytes" to ${MIB + 4_095}: allowed is ${MIB + 4_096} or more: batchBytesMax (${MIB})`,
    ],
    [
      { memoryBytesMax: 16 * MIB, topics: { "*": { segmentBytes: 16 * MIB } } },
      `"topics.*.segmentBytes" to ${16 * MIB}: allowed is at most half of memoryBytesMax (${16 * MIB})`,
    ],
    [
      { holdBytesMax: 200 * MIB },
      `"holdBytesMax" to ${200 * MIB}: allowed is at most half of memoryBytesMax (${256 * MIB})`,
    ],
    [
      { grantBatchesMax: 3, holdBatchesMax: 2 },
      '"grantBatchesMax" to 3: allowed is at most holdBatchesMax (2)',
    ],
    [
      { grantBytesMax: 3 * MIB, holdBytesMax: 2 * MIB },
      `"grantBytesMax" to ${3 * MIB}: allowed is at most holdBytesMax (${2 * MIB})`,
    ],
    [
      { grantBytesMax: MIB - 1, batchBytesMax: MIB },
      `"batchBytesMax" to ${MIB}: allowed is at most grantBytesMax (${MIB - 1})`,
    ],
  ];
  for (const [input, said] of cases) assertStringIncludes(refusal(() => checkBrokerOptions(input)), said);
  const exact = { batchBytesMax: MIB - 4_096, topics: { a: { segmentBytes: MIB } } };
  assertEquals(checkBrokerOptions(exact).batchBytesMax, MIB - 4_096);
  assertEquals(checkBrokerOptions({ dir: "x", holdBytesMax: 200 * MIB }).holdBytesMax, 200 * MIB);
});

test("what does not fit is refused by the name of the option that was set", () => {
  const cases: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ grantBytesMax: MIB - 1 }, `"grantBytesMax" to ${MIB - 1}: allowed is batchBytesMax (${MIB}) or more`],
    [{ holdBytesMax: MIB - 1 }, `"holdBytesMax" to ${MIB - 1}: allowed is batchBytesMax (${MIB}) or more`],
    [{ stagingBufferBytes: 200 * MIB }, `"stagingBufferBytes" to ${200 * MIB}: allowed is one that`],
    [{ batchBytesMax: 130 * MIB }, `"batchBytesMax" to ${130 * MIB}: allowed is`],
    [
      { batchBytesMax: 130 * MIB, stagingBufferBytes: 130 * MIB },
      `"batchBytesMax" to ${130 * MIB}: allowed is`,
    ],
    [{ memoryBytesMax: MIB }, `"memoryBytesMax" to ${MIB}: allowed is one that holdBytesMax can follow`],
    [
      { memoryBytesMax: 2 * MIB + 4_096 },
      `"memoryBytesMax" to ${2 * MIB + 4_096}: allowed is ${2 * MIB + 8_192} or more`,
    ],
    [
      { dir: "x", stagingBufferBytes: 4 * MIB, holdBytesMax: 2 * MIB },
      `"stagingBufferBytes" to ${4 * MIB}: allowed is one that batchBytesMax can follow`,
    ],
  ];
  for (const [input, said] of cases) assertStringIncludes(refusal(() => checkBrokerOptions(input)), said);
});

test("a size alone is taken, and what nobody has set follows it", () => {
  for (const stagingBufferBytes of [64, 1_000, 20 * MIB, 100 * MIB]) {
    const broker = checkBrokerOptions({ stagingBufferBytes });
    assertEquals(broker.batchBytesMax, stagingBufferBytes);
    const { segmentBytes } = topicOptionsFor(broker, "orders", {});
    assertEquals(segmentBytes, Math.max(16 * MIB, stagingBufferBytes + 4_096));
  }
  const large = checkBrokerOptions({ dir: "x", stagingBufferBytes: 200 * MIB });
  assertEquals([large.batchBytesMax, large.holdBytesMax, large.grantBytesMax], [
    200 * MIB,
    200 * MIB,
    200 * MIB,
  ]);
  assertEquals(topicOptionsFor(large, "orders", {}).segmentBytes, 200 * MIB + 4_096);
  const batches = checkBrokerOptions({ batchBytesMax: 8 * MIB });
  assertEquals([batches.stagingBufferBytes, batches.grantBytesMax], [8 * MIB, 128 * MIB]);
  const largest = checkBrokerOptions({ dir: "x", stagingBufferBytes: 1_024 * MIB });
  assertEquals(largest.batchBytesMax, 1_024 * MIB - 4_096);
  assertEquals(topicOptionsFor(largest, "orders", {}).segmentBytes, 1_024 * MIB);
  const small = checkBrokerOptions({ memoryBytesMax: 4 * MIB });
  assertEquals(topicOptionsFor(small, "orders", {}).segmentBytes, 2 * MIB);
});

test("a topic takes its own entry, then what was asked for, then the entry of all", () => {
  const broker = checkBrokerOptions({
    topics: {
      "*": { order: 2, leaseMs: 40_000, retention: { bytesMax: 7, keepFor: ["all"] } },
      orders: { order: 4, retention: { bytesMax: 8 } },
    },
  });
  const request = checkTopicRequest({ order: 0, leaseMs: 50_000, retention: { ageMsMax: 9 } });
  const orders = topicOptionsFor(broker, "orders", request);
  assertEquals([orders.order, orders.leaseMs, orders.ack], [4, 50_000, 1]);
  assertEquals(orders.retention, { bytesMax: 8, ageMsMax: 9, keepFor: ["all"] });
  assertEquals(topicOptionsFor(broker, "other", request).order, 0);
  assertEquals(topicOptionsFor(broker, "other", {}).order, 2);
  // Names of objects' own things are names as any other.
  assertEquals(topicOptionsFor(broker, "constructor", {}).order, 2);
  refusal(() => topicOptionsFor(broker, "other", { ack: 2 }));
});

test("names of topics are names of folders as well", () => {
  for (const name of ["a", "A-b_c.d", "0", "x".repeat(200), "constructor"]) {
    assertEquals(checkTopicName(name), name);
    checkBrokerOptions({ topics: { [name]: {} } });
  }
  for (
    const name of ["", ".", "..", ".a", "-a", "_a", "a/b", "a b", "ü", "x".repeat(201), "*", "a\n", 5, null]
  ) {
    assertStringIncludes(refusal(() => checkTopicName(name)), show(name));
    if (typeof name === "string" && name !== "*") {
      assertStringIncludes(refusal(() => checkBrokerOptions({ topics: { [name]: {} } })), `topics.${name}`);
    }
  }
});

test("checked options cannot be changed any more", () => {
  const broker = checkBrokerOptions({ topics: { a: { retention: { keepFor: ["x"] } } } });
  const topic = checkTopicOptions({});
  for (
    const one of [
      broker,
      broker.topics,
      topic,
      topic.retention,
      checkPublisherOptions(),
      checkSubscribeOptions(),
    ]
  ) {
    assert(Object.isFrozen(one));
  }
  const listen = ["tcp://a:1"];
  const kept = checkBrokerOptions({ listen });
  listen.push("tcp://b:1");
  assertEquals(kept.listen, ["tcp://a:1"]);
});

test("a publisher's batch fits into its window and the broker", () => {
  const options = checkPublisherOptions();
  assertEquals([options.batchBytes, options.windowBytes, options.batchRecordsMax], [
    262_144,
    8 * MIB,
    65_536,
  ]);
  assertEquals([options.lingerMs, options.name, options.ack], [0, undefined, undefined]);
  assertEquals(checkPublisherOptions({}, { batchBytesMax: 1_000 }).batchBytes, 1_000);
  assertEquals(checkPublisherOptions({ windowBytes: 500 }).batchBytes, 500);
  assertEquals(checkPublisherOptions({ batchBytes: 16 * MIB }).windowBytes, 16 * MIB);
  assertStringIncludes(
    refusal(() => checkPublisherOptions({ batchBytes: 1_001 }, { batchBytesMax: 1_000 })),
    `"batchBytes" to 1001: allowed is at most the broker's batchBytesMax (1000)`,
  );
  assertStringIncludes(
    refusal(() => checkPublisherOptions({ batchBytes: 1_001, windowBytes: 1_000 })),
    '"windowBytes" to 1000: allowed is batchBytes (1001) or more',
  );
  assertStringIncludes(
    refusal(() => checkPublisherOptions({ onTopic: { order: 3 } })),
    '"onTopic.order" to 3',
  );
  assertStringIncludes(refusal(() => checkPublisherOptions({ onTopic: 3 })), '"onTopic" to 3');
});

test("the lease is longer than two resends", () => {
  checkLease(6_001, 2_000);
  assertStringIncludes(
    refusal(() => checkLease(6_000, 2_000)),
    '"leaseMs" to 6000: allowed is more than 6000 milliseconds',
  );
  refusal(() => checkPublisherOptions({ onTopic: { leaseMs: 29_000 }, resendTimeoutMs: 10_000 }));
  checkPublisherOptions({ onTopic: { leaseMs: 31_000 }, resendTimeoutMs: 10_000 });
});

test("a publisher's ack is the topic's or higher, and 2 only where something is synced", () => {
  const topic = (
    ack: number,
    durability: "none" | "machine",
  ): Parameters<typeof checkPublisherForTopic>[1] => ({
    options: checkTopicOptions({ ack }),
    durability,
  });
  const ask = (ack: number | undefined): ReturnType<typeof checkPublisherOptions> =>
    checkPublisherOptions({ ack });
  assertEquals(checkPublisherForTopic(ask(undefined), topic(0, "none")), 0);
  assertEquals(checkPublisherForTopic(ask(undefined), topic(2, "machine")), 2);
  assertEquals(checkPublisherForTopic(ask(1), topic(0, "none")), 1);
  assertEquals(checkPublisherForTopic(ask(2), topic(1, "machine")), 2);
  assertStringIncludes(
    refusal(() => checkPublisherForTopic(ask(0), topic(1, "none"))),
    '"ack" to 0: allowed is the topic\'s (1) or higher',
  );
  assertStringIncludes(refusal(() => checkPublisherForTopic(ask(2), topic(1, "none"))), '"ack" to 2');
  refusal(() => checkPublisherForTopic(checkPublisherOptions({ resendTimeoutMs: 10_000 }), topic(1, "none")));
});

test("where a subscription begins", () => {
  for (
    const from of ["earliest", "latest", 0n, 5n, 2n ** 64n - 1n, { timestampMs: 0 }, {
      timestampMs: 2 ** 53 - 1,
    }]
  ) {
    assertEquals(checkSubscribeOptions({ from }).from, from);
  }
  const wrong = ["", "first", 5, -1n, 2n ** 64n, null, {}, { timestampMs: -1 }, { timestampMs: 1.5 }, {
    timestampMs: 1,
    x: 1,
  }, []];
  for (const from of wrong) {
    assertStringIncludes(
      refusal(() => checkSubscribeOptions({ from })),
      `"from" to ${show(from)}: allowed is "earliest"`,
    );
  }
  const { signal } = new AbortController();
  assertEquals(checkSubscribeOptions({ signal, onTrimmed: "earliest" }).signal, signal);
  assertEquals(checkSubscribeOptions(), {
    from: "latest",
    creditBytes: 8 * MIB,
    onTrimmed: undefined,
    signal: undefined,
  });
  assertStringIncludes(refusal(() => checkSubscribeOptions({ signal: {} })), '"signal"');
  assertStringIncludes(
    refusal(() => checkSubscribeOptions({ onTrimmed: "latest" })),
    '"onTrimmed" to "latest"',
  );
});
