import { test } from "node:test";
import { rmSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { connectLog, startBroker } from "../../../log.ts";
import { freshFolder, takeTexts } from "./client_places.ts";
import { freshPath, startProgram } from "../support.ts";

/** What a program prints that ends by itself. */
function outputOf(way: string, where = ""): Promise<string> {
  return startProgram("log/client_program", way, where).output;
}

test("a program that has closed its log ends by itself", async () => {
  const dir = freshFolder();
  try {
    const outputs = [outputOf("memory"), outputOf("files", dir), outputOf("broker", `ipc://${freshPath()}`)];
    assertEquals(await Promise.all(outputs), ["closed\n", "closed\n", "closed\n"]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a client that waits for nothing ends by itself, behind what it has published", async () => {
  await using broker = await startBroker({ listen: [`ipc://${freshPath()}`] });
  const [endpoint] = broker.endpoints;
  assertEquals(await outputOf("idle", endpoint), "idle\n");
  assertEquals(await outputOf("published", endpoint), "published\n");
  await using log = await connectLog(broker.endpoints);
  assertEquals(await takeTexts(log.subscribe("published", { from: "earliest" }), 1), ["x"]);
});

test("a program whose only work is a subscription stays", async () => {
  await using broker = await startBroker({ listen: [`ipc://${freshPath()}`] });
  assertEquals(await outputOf("subscribed"), "still here\nclosed\n");
  assertEquals(await outputOf("subscribed", broker.endpoints[0]), "still here\nclosed\n");
});
