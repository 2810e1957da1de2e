import { after, test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connectLog } from "../../log.ts";
import type { BrokerStatus } from "../../log.ts";
import { hawser, type Running, start } from "./command_line.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-broker-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface RunningBroker extends Running {
  readonly endpoint: string;
  readonly url: string;
  /** Ends it in order. */
  stop(): Promise<void>;
}

/** A broker on ports that the system chooses, ready. */
async function startBroker(...args: readonly string[]): Promise<RunningBroker> {
  const broker = start(["broker", "--listen", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0", ...args]);
  const [, endpoint = "", url = ""] = await broker.see(
    /^hawser broker: ready on (tcp:\S+) (http:\S+), topics in .*\n$/,
  );
  const stop = async (): Promise<void> => {
    broker.signal("SIGTERM");
    const { code, signal, stderr } = await broker.ending;
    assertEquals([code, signal], [0, null], stderr);
    assertEquals(stderr, "hawser broker: stopping; a second signal ends it at once\n");
  };
  return { ...broker, endpoint, url, stop };
}

function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request(url, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => body += text).on("end", () => resolve(body));
    }).on("error", reject).end();
  });
}

/** What a command printed that must have gone well. */
async function output(args: readonly string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await hawser(args, { stdin });
  assertEquals([code, stderr], [0, ""], `${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

function numbers(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => `${from + index}\n`).join("");
}

test("a broker on files: publish, subscribe, status, HTTP, and after a restart everything is there", async () => {
  const dir = join(folder, "data");
  const first = await startBroker("--dir", dir);
  const to = ["--connect", first.endpoint];
  assertEquals(
    await output(["publish", "orders", ...to], numbers(0, 1_000)),
    "published 1000 records to orders, positions 0 to 999\n",
  );
  const file = join(folder, "lines");
  writeFileSync(file, "x\n\ny");
  assertEquals(
    await output(["publish", "orders", file, "-", ...to], "z\n"),
    "published 4 records to orders, positions 1000 to 1003\n",
  );
  assertEquals(
    await output(["publish", "orders", file, "--whole-file", ...to]),
    "published 1 records to orders, positions 1004 to 1004\n",
  );
  const all = `${numbers(0, 1_000)}x\n\ny\nz\nx\n\ny\n`;
  assertEquals(await output(["subscribe", "orders", "--from", "earliest", "--count", "1005", ...to]), all);
  assertEquals(
    await output(["subscribe", "orders", "--from", "998", "--count", "3", ...to]),
    "998\n999\nx\n",
  );
  assertEquals(await output(["subscribe", "orders", "--from", "2020-01-01", "--count", "1", ...to]), "0\n");
  assertEquals(
    await output(["subscribe", "orders", "--from", "1000", "--count", "3", "--format", "raw", ...to]),
    "xy",
  );
  const [json] =
    (await output(["subscribe", "orders", "--from", "7", "--count", "1", "--format", "json", ...to])).split(
      "\n",
    );
  const { timestampMs, ...rest } = JSON.parse(json!) as Record<string, unknown>;
  assertEquals(rest, { position: "7", value: "7" });
  assertEquals(typeof timestampMs, "number");

  const status = JSON.parse(await output(["status", "--json", ...to])) as BrokerStatus;
  assertEquals(status.topics.map(({ name, tail, durability }) => [name, tail, durability]), [[
    "orders",
    "1005",
    "machine",
  ]]);
  assertMatch(await output(["status", ...to]), /^orders +5 +1 +open +0 +1005 /m);
  assertEquals(await get(`${first.url}/healthz`), "ok\n");
  assertStringIncludes(
    await get(`${first.url}/metrics`),
    '\nhawser_topic_tail_position{topic="orders"} 1005\n',
  );
  const told = JSON.parse(await get(`${first.url}/status`)) as BrokerStatus;
  assertEquals(told.topics[0]!.tail, "1005");

  const locked = await hawser(["broker", "--dir", dir, "--listen", "tcp://127.0.0.1:0"]);
  assertEquals([locked.code, locked.stdout], [1, ""]);
  assertMatch(locked.stderr, /^hawser: .*\(ERR_LOG_LOCKED\)\n$/);
  await first.stop();

  assertMatch(await output(["segment", "verify", dir]), /1005 records, positions 0 to 1004, .*\nok\n$/);
  const second = await startBroker("--dir", dir);
  assertEquals(
    await output([
      "subscribe",
      "orders",
      "--from",
      "earliest",
      "--count",
      "1005",
      "--connect",
      second.endpoint,
    ]),
    all,
  );
  await second.stop();
});

test("a named publisher that is run again goes on behind what was taken", async () => {
  const broker = await startBroker();
  const to = ["--connect", broker.endpoint];
  const publish = (until: number): Promise<string> =>
    output(["publish", "numbers", "--name", "counter", ...to], numbers(0, until));
  assertEquals(await publish(10), "published 10 records to numbers, positions 0 to 9\n");
  assertEquals(
    await publish(10),
    "published 0 records to numbers; the first 10 of the input were published before\n",
  );
  assertEquals(
    await publish(12),
    "published 2 records to numbers, positions 10 to 11; the first 10 of the input were published before\n",
  );
  assertEquals(
    await output(["subscribe", "numbers", "--from", "earliest", "--count", "12", ...to]),
    numbers(0, 12),
  );
  await broker.stop();
});

test("a consumer goes on where it committed, and status shows how far it is behind", async () => {
  const broker = await startBroker();
  const to = ["--connect", broker.endpoint];
  await output(["publish", "numbers", ...to], numbers(0, 10));
  const read = (count: number): Promise<string> =>
    output(["subscribe", "numbers", "--consumer", "billing", "--count", String(count), ...to]);
  assertEquals(await read(3), numbers(0, 3));
  assertEquals(await read(4), numbers(3, 7));
  assertMatch(await output(["status", ...to]), /^numbers +billing +7 +3 +\d+$/m);
  // One that is interrupted has committed what it printed.
  const rest = start(["subscribe", "numbers", "--consumer", "billing", ...to]);
  await rest.see(/^7\n8\n9\n$/);
  rest.signal("SIGINT");
  assertEquals((await rest.ending).code, 130);
  assertMatch(await output(["status", ...to]), /^numbers +billing +10 +0 +\d+$/m);
  await broker.stop();
});

test("publish that is interrupted publishes what it has read, and not half a line", async () => {
  const broker = await startBroker();
  const to = ["--connect", broker.endpoint];
  const publishing = start(["publish", "lines", ...to], { stdin: "open" });
  publishing.process.stdin!.write("one\ntwo\nthr");
  // The first line is there, so all of it was read.
  assertEquals(await output(["subscribe", "lines", "--from", "earliest", "--count", "1", ...to]), "one\n");
  publishing.signal("SIGINT");
  const { code, stdout, stderr } = await publishing.ending;
  assertEquals([code, stdout], [130, "published 2 records to lines, positions 0 to 1\n"], stderr);
  assertEquals(
    await output(["subscribe", "lines", "--from", "earliest", "--count", "2", ...to]),
    "one\ntwo\n",
  );
  await broker.stop();
});

test("subscribe ends quietly when its reader is gone", async () => {
  const broker = await startBroker();
  const log = await connectLog(broker.endpoint);
  const publisher = log.publisher("lines");
  await publisher.publish("first");
  const reading = start(["subscribe", "lines", "--from", "earliest", "--connect", broker.endpoint]);
  await reading.see(/first\n/);
  reading.process.stdout!.destroy();
  let ended = false;
  const ending = reading.ending.finally(() => ended = true);
  // The first write fails, and a later one finds out.
  while (!ended) {
    await publisher.publish("more");
    await Promise.race([ending, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
  const { code, stderr } = await ending;
  assertEquals([code, stderr], [0, ""]);
  await log.close();
  await broker.stop();
});

test("what a broker cannot do is told in a line", async () => {
  const broker = await startBroker();
  const to = ["--connect", broker.endpoint];
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["broker", "--listen", broker.endpoint], 1, /in use/],
    [["broker", "--listen", "tcp://127.0.0.1:0", "--http", broker.url.slice(7)], 1, /Cannot listen for HTTP/],
    [["broker", "--listen", "nonsense"], 2, /--listen: Cannot set option "listen" to \["nonsense"\]/],
    [["broker", "--listen", "tcp://127.0.0.1:x"], 2, /tcp:\/\/127\.0\.0\.1:x/],
    [["broker", "--topics-ack", "2"], 2, /"topics\.\*\.ack" to 2: allowed is 0 or 1/],
    [["broker", "--connect", "tcp://a:1"], 2, /Unknown option --connect/],
    [["broker", "--dir", "/dev/null/x", "--listen", "tcp://127.0.0.1:0"], 1, /\/dev\/null\/x/],
    [["publish", ...to], 2, /Usage: hawser publish <topic>/],
    [["publish", "no/topic", ...to], 2, /"no\/topic"/],
    [["publish", "a", join(folder, "none"), ...to], 1, /Cannot read .*none/],
    [
      ["publish", "a", "--batch-bytes", "2MiB", ...to],
      2,
      /"batchBytes" to 2097152: allowed is at most the broker's/,
    ],
    [["subscribe", ...to], 2, /Usage: hawser subscribe <topic>/],
    [["subscribe", "a", "b", ...to], 2, /nothing to do with "b"/],
    [["subscribe", "a", "--from", "yesterday", ...to], 2, /--from is earliest, latest, a position or a time/],
    [["subscribe", "a", "--count", "0", ...to], 2, /--count is a whole number, 1 or more, not "0"/],
    [["subscribe", "a", "--format", "xml", ...to], 2, /--format is line, json, raw, not "xml"/],
    [["subscribe", "a", "--consumer", "c", ...to], 1, /\(ERR_LOG_TOPIC\)/],
    [["status", "--connect", "nonsense"], 2, /"connect" to \["nonsense"\]/],
  ];
  const endings = await Promise.all(cases.map(([args]) => hawser(args, { stdin: "" })));
  endings.forEach(({ code, stdout, stderr }, index) => {
    const [args, expected, said] = cases[index]!;
    assertEquals([code, stdout], [expected, ""], `${args.join(" ")}: ${stderr}`);
    assertMatch(stderr, said);
    assertMatch(stderr, /^hawser: /);
    assert(!stderr.includes("    at "), stderr);
  });
  await broker.stop();
});

test("a command without a broker says that it waits, and can be interrupted", async () => {
  for (const args of [["status"], ["subscribe", "a"], ["publish", "a"]]) {
    const command = start([...args, "--connect", "tcp://127.0.0.1:1"], { stdin: "open" });
    await command.see(/hawser: waiting for a broker at tcp:\/\/127\.0\.0\.1:1\n/);
    command.signal("SIGINT");
    const { code, stdout } = await command.ending;
    assertEquals([code, stdout], [130, ""], args.join(" "));
  }
});

test("publish waits for a broker that starts later, and survives one that is restarted", async () => {
  const dir = join(folder, "restarted");
  const first = await startBroker("--dir", dir);
  const to = ["--connect", first.endpoint];
  const publishing = start(["publish", "lines", ...to], { stdin: "open" });
  publishing.process.stdin!.write("one\ntwo\n");
  assertEquals(await output(["subscribe", "lines", "--from", "earliest", "--count", "1", ...to]), "one\n");
  await first.stop();
  await publishing.see(/the broker is gone/);
  const second = start(["broker", "--dir", dir, "--listen", first.endpoint]);
  await second.see(/ready on/);
  await publishing.see(/the broker is there again/);
  publishing.process.stdin!.end("three\n");
  const { code, stdout, stderr } = await publishing.ending;
  assertEquals([code, stdout], [0, "published 3 records to lines, positions 0 to 2\n"], stderr);
  assertEquals(
    await output(["subscribe", "lines", "--from", "earliest", "--count", "3", ...to]),
    "one\ntwo\nthree\n",
  );
  second.signal("SIGINT");
  assertEquals((await second.ending).code, 0);
});
