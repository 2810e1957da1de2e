import { test } from "node:test";
import process from "node:process";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parseFrom } from "../../cli/subscribe.ts";
import { UsageError } from "../../cli/terminal.ts";
import { connectLog, type Log, startBroker } from "../../log.ts";
import { begin, hawser } from "./in_process.ts";

const ANY_PORT = "tcp://127.0.0.1:0";

// Not the one that times without a zone are read in.
process.env["TZ"] = "America/New_York";

/** Until a command beside this log has reached the broker, and the broker has read what it asked for. */
async function connected(log: Log): Promise<void> {
  while ((await log.status()).connections < 2);
  await log.status();
}

test("a position that is not there yet is told as that, not as a crash", async () => {
  await using broker = await startBroker({ listen: [ANY_PORT] });
  const to = ["--connect", broker.endpoints[0]!];
  await hawser(["publish", "orders", ...to], { stdin: "one\ntwo\n" });
  const { code, stdout, stderr } = await hawser(["subscribe", "orders", "--from", "99", ...to]);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(stderr, "hawser: Position 99 is not there yet: the log ends at 2 (ERR_LOG_CUT)\n");
});

test("with a consumer's name, too, a topic that is not there is waited for", async () => {
  await using broker = await startBroker({ listen: [ANY_PORT] });
  const to = ["--connect", broker.endpoints[0]!];
  for (const from of ["earliest", "latest"]) {
    const reading = begin(
      ["subscribe", from, "--consumer", "billing", "--from", from, "--count", "2", ...to],
    );
    await using log = await connectLog(broker.endpoints);
    await connected(log);
    assertEquals((await log.status()).topics.map(({ name }) => name).includes(from), false);
    await hawser(["publish", from, ...to], { stdin: "one\ntwo\nthree\n" });
    const { code, stdout, stderr } = await reading.ending;
    assertEquals([code, stdout, stderr], [0, "one\ntwo\n", ""]);
    const { consumers } = (await log.status()).topics.find(({ name }) => name === from)!;
    assertEquals(consumers.map(({ name, position }) => [name, position]), [["billing", "2"]]);
  }
});

test("a wait for a topic can be interrupted", async () => {
  await using broker = await startBroker({ listen: [ANY_PORT] });
  await using log = await connectLog(broker.endpoints);
  const reading = begin(
    ["subscribe", "nowhere", "--consumer", "billing", "--connect", broker.endpoints[0]!],
  );
  await connected(log);
  reading.signal("SIGHUP");
  const { code, stdout, stderr } = await reading.ending;
  assertEquals([code, stdout, stderr], [129, "", ""]);
});

test("times without a zone are UTC in every form, and days that there are not are refused", () => {
  const midnight = Date.UTC(2027, 0, 31);
  const times: readonly (readonly [string, number])[] = [
    ["2027-01-31", midnight],
    ["2027-01-31T00:00", midnight],
    ["2027-01-31 00:00:00", midnight],
    ["2027-01-31T12:30", midnight + 45_000_000],
    ["2027-01-31T12:30:00.250", midnight + 45_000_250],
    ["2027-01-31T12:30Z", midnight + 45_000_000],
    ["2027-01-31T12:30+02:00", midnight + 37_800_000],
    ["2027-01-31 12:30-0100", midnight + 48_600_000],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
  ];
  for (const [text, timestampMs] of times) assertEquals(parseFrom(text), { timestampMs }, text);
  for (
    const text of [
      "2026-02-30",
      "2026-02-29",
      "2026-04-31T00:00:00Z",
      "2026-13-01",
      "2026-00-10",
      "2026-01-00",
      "2026-01-01T25:00",
      "2026-01-01T12:61",
      "2026-1-1",
    ]
  ) {
    const error = assertThrows(() => parseFrom(text), UsageError);
    assertMatch(error.message, /^--from is earliest, latest, a position or a time/);
  }
});
