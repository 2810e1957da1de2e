import { after, test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { connectLog } from "../../log.ts";
import type { BrokerStatus } from "../../log.ts";
import { type Ending, type Running, start, type StartOptions } from "./command_line.ts";
import { hawser } from "./in_process.ts";

// The program as the system sees it: processes, signals, pipes, exit codes. Everything else is in commands_test.ts.

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-broker-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const dir: string = join(folder, "data");

interface RunningBroker extends Running {
  /** What leads commands to it. */
  readonly to: readonly string[];
  readonly endpoint: string;
  readonly url: string;
}

/** A broker on ports that the system chooses, ready. */
async function startBroker(): Promise<RunningBroker> {
  const broker = start(["broker", "--listen", "tcp://127.0.0.1:0", "--http", "0", "--dir", dir]);
  const [, endpoint = "", url = ""] = await broker.see(
    /^hawser broker: ready on (tcp:\S+) (http:\S+), topics in .*data\n$/,
  );
  return { ...broker, endpoint, url, to: ["--connect", endpoint] };
}

/** Ends it in order. */
async function stop(broker: RunningBroker, name: "SIGTERM" | "SIGINT" | "SIGHUP"): Promise<void> {
  broker.signal(name);
  const { code, signal, stderr } = await broker.ending;
  assertEquals([code, signal, stderr], [
    0,
    null,
    "hawser broker: stopping; a second signal ends it at once\n",
  ]);
}

function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request(url, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => body += text).on("end", () => resolve(body));
    }).on("error", reject).end();
  });
}

/** Runs a command to its end, which it must find by itself. */
function ran(args: readonly string[], options?: StartOptions): Promise<Ending> {
  return start(args, options).ending;
}

test("a broker, publishers and readers as processes, and after a restart everything is there", async () => {
  const broker = await startBroker();
  const { to, url } = broker;

  // Interrupted while its input is open: what was read is published, but not half a line.
  const publishing = start(["publish", "lines", ...to], { stdin: "open" });
  publishing.process.stdin!.write("one\ntwo\nthr");
  const reading = start(["subscribe", "lines", "--from", "earliest", ...to]);
  // The first line is there, so all of it was read.
  await reading.see(/^one\n$/);
  publishing.signal("SIGINT");
  const interrupted = await publishing.ending;
  assertEquals(
    [interrupted.code, interrupted.stdout, interrupted.stderr],
    [130, "published 2 records to lines, positions 0 to 1\n", ""],
  );
  await reading.see(/^one\ntwo\n$/);

  const file = join(folder, "lines");
  writeFileSync(file, "x\n\ny");
  const [published, status] = await Promise.all([
    ran(["publish", "lines", file, "-", ...to], { stdin: "z\n" }),
    ran(["status", "--json", ...to]),
  ]);
  assertEquals(
    [published.code, published.stdout, published.stderr],
    [0, "published 4 records to lines, positions 2 to 5\n", ""],
  );
  assertEquals([status.code, status.stderr], [0, ""]);
  assertEquals((JSON.parse(status.stdout) as BrokerStatus).topics.map(({ name }) => name), ["lines"]);
  await reading.see(/^one\ntwo\nx\n\ny\nz\n$/);
  reading.signal("SIGTERM");
  const { code, stderr } = await reading.ending;
  assertEquals([code, stderr], [143, ""]);

  assertEquals(await get(`${url}/healthz`), "ok\n");
  assertStringIncludes(await get(`${url}/metrics`), '\nhawser_topic_tail_position{topic="lines"} 6\n');
  assertEquals((JSON.parse(await get(`${url}/status`)) as BrokerStatus).topics[0]!.tail, "6");
  await stop(broker, "SIGHUP");

  // Everything is synced, and says so.
  const verified = await hawser(["segment", "verify", "--json", dir]);
  const { records, bytes, syncedThrough, findings } = JSON.parse(verified.stdout) as Record<string, unknown>;
  assertEquals([verified.code, records, findings], [0, 6, []]);
  // The last entry says so of everything before it.
  assertEquals(Number(bytes) - Number(syncedThrough), 48);

  const second = await startBroker();
  const again = await ran(["subscribe", "lines", "--from", "earliest", "--count", "6", ...second.to]);
  assertEquals([again.code, again.stdout, again.stderr], [0, "one\ntwo\nx\n\ny\nz\n", ""]);
  await endsQuietlyWithoutReader(second);
  await endsAtSecondSignal(second);
});

/** `hawser subscribe … | head` */
async function endsQuietlyWithoutReader({ to, endpoint }: RunningBroker): Promise<void> {
  const log = await connectLog(endpoint);
  const publisher = log.publisher("pipe");
  await publisher.publish("first");
  const reading = start(["subscribe", "pipe", "--from", "earliest", ...to]);
  await reading.see(/first\n/);
  reading.process.stdout!.destroy();
  let ended = false;
  const ending = reading.ending.finally(() => ended = true);
  // A write to nobody fails; which one it is, is the system's affair.
  while (!ended) {
    await publisher.publish("more");
    await Promise.race([ending, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
  const { code, stderr } = await ending;
  assertEquals([code, stderr], [0, ""]);
  await log.close();
}

/** The first signal waits for a broker that is gone. */
async function endsAtSecondSignal(broker: RunningBroker): Promise<void> {
  const publishing = start(["publish", "later", ...broker.to], { stdin: "open" });
  publishing.process.stdin!.write("one\n\n");
  const log = await connectLog(broker.endpoint);
  // The first line is there, so the second one waits for what follows it.
  for await (const { position } of log.subscribe("later", { from: "earliest" })) if (position === 0n) break;
  await log.close();
  await stop(broker, "SIGINT");
  await publishing.see(/lost the connection to the broker/);
  publishing.signal("SIGINT");
  await publishing.see(/waiting until what was read is acknowledged; a second signal ends it at once\n/);
  publishing.signal("SIGTERM");
  const { code, stdout } = await publishing.ending;
  assertEquals([code, stdout], [143, ""]);
}
