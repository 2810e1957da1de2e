import { test } from "node:test";
import { request } from "node:http";
import { readFileSync } from "node:fs";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { detectHost } from "../../adapters/detect.ts";
import { serveHttp } from "../../cli/http.ts";
import { formatMetrics, METRICS, metricsTable } from "../../cli/metrics.ts";
import { statusText } from "../../cli/status_text.ts";
import { CommandError } from "../../cli/terminal.ts";
import { openLog } from "../../log.ts";
import { Broker } from "../../src/log/broker/broker.ts";
import type { BrokerStatus } from "../../src/log/broker/status.ts";
import { MemoryStores } from "../../src/log/store/memory_store.ts";

/** What a broker with two topics says, changed where a test needs it. */
async function statusOf(
  change: (topic: BrokerStatus["topics"][number]) => object = () => ({}),
): Promise<BrokerStatus> {
  const broker = new Broker({ host: detectHost(), stores: new MemoryStores() });
  for (const name of ["orders", "bills"]) {
    await new Promise((resolve) => broker.topics.open(name, {}, resolve));
  }
  const status = broker.status();
  await new Promise<void>((resolve) => broker.close(resolve));
  // As it goes over the wire.
  const told = JSON.parse(JSON.stringify(status)) as BrokerStatus;
  return { ...told, topics: told.topics.map((topic) => ({ ...topic, ...change(topic) })) };
}

interface Answer {
  readonly code: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

function ask(url: string, method = "GET", host?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = host === undefined ? {} : { host };
    const call = request(url, { method, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => body += text);
      response.on(
        "end",
        () => resolve({ code: response.statusCode, type: response.headers["content-type"], body }),
      );
    });
    call.on("error", reject).end();
  });
}

test("metrics are Prometheus's text, every one of them with help and type", async () => {
  const consumers = [{ name: 'a"b\\c', epoch: 2, position: "7", lag: "3" }, {
    name: "new",
    epoch: 1,
    position: null,
    lag: "10",
  }];
  const text = formatMetrics(
    await statusOf((topic) => topic.name === "orders" ? { consumers, state: "full" } : {}),
  );
  const lines = text.trimEnd().split("\n");
  assert(text.endsWith("\n"));
  for (const line of lines) {
    assertMatch(
      line,
      /^(?:# HELP hawser_\w+ \S.*\.|# TYPE hawser_\w+ (?:counter|gauge)|hawser_\w+(?:\{.*\})? -?[\d.e+]+)$/,
    );
  }
  assertEquals(lines.filter((line) => line.startsWith("# TYPE")).length, METRICS.length);
  for (
    const line of [
      'hawser_topic_state{topic="orders",state="full"} 1',
      'hawser_topic_state{topic="orders",state="open"} 0',
      'hawser_topic_state{topic="bills",state="open"} 1',
      'hawser_topic_tail_position{topic="orders"} 0',
      'hawser_consumer_lag_records{topic="orders",consumer="a\\"b\\\\c"} 3',
      'hawser_consumer_lag_records{topic="orders",consumer="new"} 10',
      'hawser_consumer_position{topic="orders",consumer="a\\"b\\\\c"} 7',
      "hawser_ingest_drops_total 0",
      "hawser_staging_buffers 32",
      'hawser_staging_allocations_total{utilisation_percent="100"} 0',
      'hawser_ingest_refused_batches_total{reason="duplicate"} 0',
    ]
  ) assert(lines.includes(line), `${line} is missing in:\n${text}`);
  assert(!text.includes('hawser_consumer_position{topic="orders",consumer="new"}'));
});

test("names of metrics keep Prometheus's rules, and are documented", () => {
  const names = METRICS.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  for (const { name, type } of METRICS) assertEquals(name.endsWith("_total"), type === "counter", name);
  assertStringIncludes(readFileSync("docs/METRICS.md", "utf8"), metricsTable());
});

test("every counter of the status is a metric", async () => {
  // Each number gets a value of its own, which must come out somewhere.
  let next = 1_000;
  const numbered = JSON.parse(JSON.stringify(await statusOf()), (key, value: unknown) => {
    if (["options", "durability", "name", "state", "brokerId"].includes(key)) return value;
    return typeof value === "number" ? next++ : /^\d+$/.test(String(value)) ? String(next++) : value;
  }) as BrokerStatus;
  const text = formatMetrics(numbered);
  const numbers = new Set(text.match(/(?<= )-?[\d.]+$/gm)?.map(Number));
  const { brokerId: _id, topics: _topics, uptimeMs, staging, ...rest } = numbered;
  const { utilisationPercent: _derived, histogram, ...counts } = staging;
  const expected = [uptimeMs / 1_000, ...histogram, ...Object.values(counts), ...numbersIn(rest)];
  for (const { options: _options, store, ...topic } of numbered.topics) {
    expected.push(
      store.segments,
      store.bytes,
      store.tail,
      store.tail - store.written,
      store.written - store.synced,
    );
    expected.push(...numbersIn(topic));
  }
  assertEquals(expected.filter((number) => !numbers.has(number)), []);
});

function numbersIn(value: unknown): number[] {
  if (typeof value === "number") return [value];
  if (typeof value === "string") return /^\d+$/.test(value) ? [Number(value)] : [];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}

test("the server answers metrics, status and health, and nothing else", async () => {
  let status = await statusOf();
  let draining = false;
  const server = await serveHttp("127.0.0.1:0", {
    status: () => status,
    get draining() {
      return draining;
    },
  });
  try {
    const { url } = server;
    assertMatch(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const metrics = await ask(`${url}/metrics`);
    assertEquals([metrics.code, metrics.type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    assertEquals(metrics.body, formatMetrics(status));
    const told = await ask(`${url}/status?x=1`);
    assertEquals([told.code, JSON.parse(told.body)], [200, { draining: false, ...status }]);
    assertEquals(await ask(`${url}/healthz`), { code: 200, type: "text/plain; charset=utf-8", body: "ok\n" });
    assertEquals((await ask(`${url}/status`, "HEAD")).body, "");
    assertEquals((await ask(`${url}/nope`)).code, 404);
    assertEquals((await ask(`${url}/constructor`)).code, 404);
    assertEquals((await ask(`${url}/metrics`, "POST")).code, 405);

    status = await statusOf(() => ({ state: "full" }));
    const full = await ask(`${url}/healthz`);
    assertEquals([full.code, full.body], [200, "ok\nstore full: orders\nstore full: bills\n"]);
    status = await statusOf((topic) => topic.name === "bills" ? { state: "stopped" } : {});
    const stopped = await ask(`${url}/healthz`);
    assertEquals([stopped.code, stopped.body], [503, "store stopped: bills\n"]);
    draining = true;
    assertEquals((await ask(`${url}/healthz`)).code, 503);
    const error = await assertRejects(() =>
      serveHttp(url.slice("http://".length), { status: () => status, draining })
    );
    assert(error instanceof CommandError, String(error));
    assertStringIncludes(error.message, "Cannot listen for HTTP on 127.0.0.1:");
  } finally {
    await server.close();
  }
  await assertRejects(() => ask(`${server.url}/healthz`));
});

test("a port alone is one of this machine", async () => {
  const server = await serveHttp("0", { status: () => ({} as BrokerStatus), draining: false });
  assertMatch(server.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  await server.close();
});

test("a store in memory that may let go of nothing is full, and told so", async () => {
  const log = await openLog({
    memoryBytesMax: 65_536,
    stagingBufferBytes: 8_192,
    topics: { "*": { segmentBytes: 16_384, retention: { keepFor: ["billing"] } } },
    closeTimeoutMs: 0,
  });
  const full = new Promise((resolve) => log.on("storeFull", resolve));
  const publisher = log.publisher("big");
  for (let i = 0; i < 100; i++) assert(publisher.tryPublish(new Uint8Array(1_000)));
  await full;
  const { topics: [topic] } = await log.status();
  assertEquals([topic!.name, topic!.state], ["big", "full"]);
  assert(Number(topic!.tail) > 30 && Number(topic!.tail) < 65, topic!.tail);
  await log.close();
});

test("everything that is asked for is told: as metrics, and by hawser status", async () => {
  // By what the design calls it: the metric, and what `hawser status` says of it.
  const asked: readonly (readonly [string, string, RegExp])[] = [
    ["staging utilisation histogram", "hawser_staging_allocations_total", /^utilised +0 %: 31, 100 %: 2$/m],
    ["slot retries", "hawser_ingest_slot_retries_total", /\b33 slot retries\b/],
    ["partial reads of header", "hawser_ingest_partial_headers_total", /\b34 partial headers\b/],
    ["partial reads of payload", "hawser_ingest_partial_payloads_total", /\b35 partial payloads\b/],
    ["pauses", "hawser_staging_pauses_total", /\b36 pauses\b/],
    ["resumes", "hawser_staging_resumes_total", /\b37 resumes\b/],
    ["ring-full", "hawser_topic_ring_full_total", /^orders +none .* 38$/m],
    ["sequencer batches/s", "hawser_topic_ordered_batches_total", /^orders +4000 +8000 +40 +80 /m],
    [
      "sequencer bytes/s",
      "hawser_topic_ordered_bytes_total",
      /^sequencer of +batches +bytes +batches\/s +bytes\/s /m,
    ],
    ["held", "hawser_topic_held_batches_total", /^orders .* 41 +42 +43 +44 +45 +46$/m],
    ["held now", "hawser_topic_held_batches", / held now +held +dups +fences +discarded +acks$/m],
    ["duplicates", "hawser_topic_duplicates_total", / 43 /],
    ["fenced", "hawser_topic_fences_total", / 44 /],
    ["acks", "hawser_topic_acks_total", / 46$/m],
    ["per broker", "hawser_broker_info", /^broker +0, up 1m 40s, /m],
    ["drops", "hawser_ingest_drops_total", /\b0 drops\b/],
    ["consumers' lag", "hawser_consumer_lag_records", /^orders +billing +7 +3 +2$/m],
  ];
  const consumers = [{ name: "billing", epoch: 2, position: "7", lag: "3" }];
  const { staging, ingest, ...rest } = await statusOf((topic) => ({
    acks: 46,
    ring: { ...topic.ring, full: 38 },
    sequencer: {
      ...topic.sequencer,
      assigned: 4_000,
      assignedBytes: 8_000,
      heldNow: 41,
      held: 42,
      duplicates: 43,
      fences: 44,
      discarded: 45,
    },
    consumers,
  }));
  const histogram = staging.histogram.map((_, index) => index === 0 ? 31 : index === 10 ? 2 : 0);
  const status: BrokerStatus = {
    ...rest,
    uptimeMs: 100_000,
    staging: { ...staging, histogram, pauses: 36, resumes: 37 },
    ingest: { ...ingest, slotRetries: 33, partialHeaders: 34, partialPayloads: 35 },
  };
  const metrics = formatMetrics(status);
  const text = statusText(status);
  for (const [what, name, said] of asked) {
    assertStringIncludes(metrics, `\n# TYPE ${name} `, what);
    assertMatch(metrics, new RegExp(`^${name}(?:\\{| )`, "m"), what);
    assertMatch(text, said, what);
  }
  assertStringIncludes(metrics, '\nhawser_topic_ordered_batches_total{topic="orders"} 4000\n');
});

test("a server of this machine alone is asked for by no other name", async () => {
  const source = { status: () => ({} as BrokerStatus), draining: false };
  const named = await serveHttp("localhost:0", source);
  const local = await serveHttp("0", source);
  const open = await serveHttp("0.0.0.0:0", source);
  try {
    const codes = (url: string, hosts: readonly string[]): Promise<(number | undefined)[]> =>
      Promise.all(hosts.map(async (host) => (await ask(`${url}/status`, "GET", host)).code));
    const ours = ["localhost", "LOCALHOST:7781", "127.0.0.1:80", "127.1.2.3", "[::1]:7781", "[::1]"];
    const others = [
      "rebound.example",
      "localhost.rebound.example:7781",
      "127.0.0.1.rebound.example",
      "10.0.0.7",
    ];
    for (const { url } of [named, local]) {
      assertEquals(await codes(url, ours), ours.map(() => 200));
      assertEquals(await codes(url, others), others.map(() => 421));
    }
    // What is open to the network has whatever name the network gives it.
    const { port } = new URL(open.url);
    const anyName = [...ours, ...others];
    assertEquals(await codes(`http://127.0.0.1:${port}`, anyName), anyName.map(() => 200));
  } finally {
    await Promise.all([named, local, open].map((server) => server.close()));
  }
});

test("rates are those since the last status, or since the start", async () => {
  const of = async (assigned: number, uptimeMs: number): Promise<BrokerStatus> => ({
    ...await statusOf((topic) => ({
      sequencer: { ...topic.sequencer, assigned, assignedBytes: 10 * assigned },
    })),
    uptimeMs,
  });
  const [before, after] = [await of(1_000, 10_000), await of(1_500, 12_000)];
  assertMatch(statusText(before), /^orders +1000 +10000 +100 +1000 /m);
  assertMatch(statusText(after, before), /^orders +1500 +15000 +250 +2500 /m);
  // A topic that was not there before; no time between the two.
  assertMatch(statusText(after, { ...before, topics: [] }), /^orders +1500 +15000 +750 +7500 /m);
  assertMatch(statusText(before, before), /^orders +1000 +10000 +0 +0 /m);
});

test("the status as tables", async () => {
  const consumers = [{ name: "billing", epoch: 2, position: "7", lag: "3" }, {
    name: "new",
    epoch: 1,
    position: null,
    lag: "10",
  }];
  const text = statusText(
    await statusOf((topic) => topic.name === "orders" ? { consumers, tail: "10" } : {}),
  );
  assertMatch(text, /^staging +0 of 32 buffers of 1MiB in use/m);
  assertMatch(text, /^topic +order +ack +state +earliest +tail /m);
  assertMatch(text, /^orders +5 +1 +open +0 +10 /m);
  assertMatch(text, /^orders +billing +7 +3 +2$/m);
  assertMatch(text, /^orders +new +none +10 +1$/m);
  const none = { ...await statusOf(), topics: [] };
  assertStringIncludes(statusText(none), "no topics");
  const ups: readonly (readonly [number, string])[] = [[0, "0s"], [999, "0s"], [61_000, "1m 1s"], [
    273_905_006,
    "3d 4h 5m 5s",
  ]];
  for (const [uptimeMs, up] of ups) {
    assertStringIncludes(statusText({ ...none, uptimeMs }), `broker   0, up ${up}, 0 connections\n`);
  }
});
