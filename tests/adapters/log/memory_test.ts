import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { openLog } from "../../../log.ts";

const MIB = 1_048_576;

test("a log in memory goes round in its memory, however many batches one turn brings: what is old goes, nothing waits", async () => {
  await using log = await openLog({
    memoryBytesMax: 4 * MIB,
    stagingBufferBytes: MIB / 4,
    topics: { "*": { segmentBytes: MIB } },
  });
  let full = 0;
  log.on("storeFull", () => full++);
  const publisher = log.publisher("round", { batchBytes: 64 * 1_024 });
  const value = new Uint8Array(1_000).fill(7);
  const records = 20_000;
  for (let number = 0; number < records;) {
    if (publisher.tryPublish(value)) number++;
    else await publisher.waitWritable();
  }
  await publisher.flush();
  assertEquals(full, 0);

  const { topics } = await log.status();
  const topic = topics[0]!;
  assertEquals(topic.tail, String(records));
  assert(BigInt(topic.earliest) > BigInt(records) / 2n, `kept from ${topic.earliest}`);
  assert(topic.store.bytes <= 4 * MIB, `${topic.store.bytes} bytes are kept`);

  // What is kept can be read, from its first position to its last.
  let next = BigInt(topic.earliest);
  for await (const record of log.subscribe("round", { from: "earliest" })) {
    assertEquals(record.position, next++);
    assertEquals(record.value, value);
    if (next === BigInt(records)) break;
  }
});
