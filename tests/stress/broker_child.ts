/**
 * The broker's process.
 *
 * @module
 */

import { rm } from "node:fs/promises";
import process from "node:process";
import { startBroker } from "../../log.ts";
import type { BrokerJob } from "./messages.ts";
import { type Orders, say } from "./parent.ts";

/** Runs a broker until nobody wants it any more. */
export async function runBroker({ options }: BrokerJob, orders: Orders): Promise<void> {
  const broker = await startBroker({
    ...options,
    notice: (text, error) =>
      say({ type: "notice", text: error === undefined ? text : `${text}: ${error.message}` }),
  });
  say({ type: "ready", endpoint: broker.endpoints[0]! });
  while (await orders.next() === "report") {
    say({
      type: "status",
      status: broker.status(),
      rssBytesMax: process.resourceUsage().maxRSS * 1_024,
    });
  }
  await broker.close();
  // The main program does this too, unless it was killed.
  if (options.dir !== undefined) await rm(options.dir, { recursive: true, force: true });
}
