import { after, test } from "node:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import { connectLog, type Log, LogError, openLog, type RecordSource, startBroker } from "../../../log.ts";
import { ANY_PORT, freshFolder } from "./client_places.ts";

const dir = freshFolder();
after(() => rmSync(dir, { recursive: true }));

const VALUES = ["one pair of socks", "two pairs of socks", "three pairs of socks"];

/** Small segments: of more than one only the last is looked through when a topic is opened. */
const OPTIONS = { dir, stagingBufferBytes: 1_024, topics: { orders: { segmentBytes: 8_192 } } };

/** A topic in files, with one bit of the second of its values flipped where nobody looks at opening. */
async function damagedTopic(): Promise<void> {
  const log = await openLog(OPTIONS);
  const publisher = log.publisher("orders");
  // A batch each.
  for (const value of VALUES) await publisher.publish(value);
  for (let count = 0; count < 20; count++) await publisher.publish(new Uint8Array(900));
  await log.close();
  const folder = join(dir, "orders");
  const [first, ...rest] = readdirSync(folder).sort();
  assert(rest.length >= 2);
  const file = join(folder, first!);
  const bytes = readFileSync(file);
  const at = bytes.indexOf(VALUES[1]!);
  bytes[at]! ^= 1;
  writeFileSync(file, bytes);
}

/** The values that come, and the code of the error behind them. */
async function readAll(source: RecordSource): Promise<string[]> {
  const seen: string[] = [];
  try {
    for await (const { value } of source) {
      seen.push(new TextDecoder().decode(value));
      if (seen.length === VALUES.length) break;
    }
  } catch (error) {
    seen.push(error instanceof LogError ? error.code : String(error));
  }
  return seen;
}

/** What a subscription and a consumer read. */
async function readBoth(log: Log): Promise<string[][]> {
  const subscribed = await readAll(log.subscribe("orders", { from: "earliest" }));
  return [subscribed, await readAll(log.consumer("orders", "billing"))];
}

test("a value that was damaged on the disk is read by nobody, embedded or connected, and what stands before it is", async () => {
  await damagedTopic();
  const expected = [[VALUES[0]!, "ERR_LOG_CORRUPT"], [VALUES[0]!, "ERR_LOG_CORRUPT"]];
  // Twice: also after it was opened again.
  for (let run = 0; run < 2; run++) {
    await using log = await openLog(OPTIONS);
    assertEquals(await readBoth(log), expected);
  }
  await using broker = await startBroker({ ...OPTIONS, listen: [ANY_PORT] });
  await using log = await connectLog(broker.endpoints);
  assertEquals(await readBoth(log), expected);
});
