import { test } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertRejects } from "@std/assert";
import { LogError, openLog } from "../../../log.ts";

test("a consumer's lag counts from its commit, also when it is asked before the name is there", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-lag-"));
  try {
    // With ack 2 a consumer's name is synced before it is told: later than any question about the topic.
    await using log = await openLog({ dir, topics: { "*": { ack: 2 } } });
    const publisher = log.publisher("orders");
    for (const value of ["one", "two", "three"]) publisher.publish(value);
    await publisher.flush();
    const before = log.consumer("orders", "billing");
    assertEquals(await before.lag(), 3n);
    await before.commit(2n);
    await before.close();
    assertEquals(await log.consumer("orders", "billing").lag(), 1n);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a consumer that has ended has no lag, and asking makes no topic", async () => {
  await using log = await openLog();
  const error = await assertRejects(() => log.consumer("nowhere", "billing").lag(), LogError);
  assertEquals(error.code, "ERR_LOG_TOPIC");
  assertEquals((await log.status()).topics, []);

  await log.openTopic("orders");
  const closed = log.consumer("orders", "billing");
  const asked = closed.lag();
  await closed.close();
  for (const lag of [asked, closed.lag()]) {
    assertEquals((await assertRejects(() => lag, LogError)).code, "ERR_LOG_CLOSED");
  }
});
