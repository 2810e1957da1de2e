/**
 * hawser's side of the curves of subscribers and topics: an XPUB that publishes in bursts, each after a
 * subscriber has said (by a subscription) that it has all of the one before. So no message is dropped, and
 * the window holds whole bursts.
 *
 * `role` is `subscribers` or `topics`, `hwm` the number of those to wait for.
 */

import process from "node:process";
import { Context, XPublisher } from "../../mod.ts";
import { fail, follow, readParameters, say, sayReady, turn } from "../children/control.ts";
import { collectedResidentBytes } from "../children/memory_report.ts";
import { burstOf, TOPIC_BYTES, topicWriter } from "./bursts.ts";

const { role, bytes, highWaterMark: count } = readParameters();
const UNBOUNDED = 2 ** 31 - 1;
/** The subscription to everything is told once, though every subscriber has it. */
const expected = role === "topics" ? count : count + 1;
const burst = burstOf(role, count);

const context = new Context({ subscriptionsTotalBytesMax: 2 ** 40 });
const publisher = new XPublisher({
  context,
  linger: 0,
  sendHighWaterMark: UNBOUNDED,
  receiveHighWaterMark: UNBOUNDED,
  subscriptionsMax: UNBOUNDED,
  subscriptionBytesMax: 2 ** 40,
});

/** Publishes a burst, and waits until it has arrived. */
type Burst = () => Promise<void>;

function bursts(): Burst {
  const body = new Uint8Array(role === "topics" ? TOPIC_BYTES : bytes).fill(104);
  const nextTopic = topicWriter(body, count);
  return async () => {
    for (let sent = 0; sent < burst; sent++) {
      if (role === "topics") nextTopic();
      while (!publisher.trySend(body)) await turn();
    }
    await publisher.receive();
  };
}

async function measure(warmupMs: number, windowMs: number, residentBytesBefore: number): Promise<void> {
  for (let seen = 0; seen < expected; seen++) await publisher.receive();
  const residentBytes = await collectedResidentBytes();
  const run = bursts();
  for (const endMs = performance.now() + warmupMs; performance.now() < endMs;) await run();
  const cpuBefore = process.cpuUsage();
  const beganMs = performance.now();
  let messages = 0;
  while (performance.now() - beganMs < windowMs) {
    await run();
    messages += burst;
  }
  const seconds = (performance.now() - beganMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpuSeconds = (user + system) / 1e6;
  say(`RESULT ${JSON.stringify({ messages, seconds, cpuSeconds, residentBytesBefore, residentBytes })}`);
}

async function main(): Promise<void> {
  await publisher.bind("tcp://127.0.0.1:0");
  const residentBytes = await collectedResidentBytes();
  follow({ start: (warmupMs, windowMs) => void measure(warmupMs, windowMs, residentBytes).catch(fail) });
  sayReady(publisher.lastEndpoint ?? "");
}

main().catch(fail);
