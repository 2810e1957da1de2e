import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { LogEvents } from "../../../src/log/client/log_events.ts";
import type { Host } from "../../../src/ports.ts";

/** A host whose callbacks run when the test says so. */
function queueingHost(): { readonly host: Host; readonly queue: (() => void)[] } {
  const queue: (() => void)[] = [];
  return { queue, host: { microtask: (run: () => void) => void queue.push(run) } as unknown as Host };
}

test("what a listener throws stops no other listener, and is an unhandled error of its own", () => {
  const { host, queue } = queueingHost();
  const events = new LogEvents(host);
  const heard: string[] = [];
  events.on("connected", () => {
    throw new Error("a listener's own");
  });
  events.on("connected", () => heard.push("second"));
  events.emit({ type: "connected" });
  queue.shift()!();
  assertEquals([heard, queue.length], [["second"], 1]);
  assertThrows(() => queue.shift()!(), Error, "a listener's own");
});
