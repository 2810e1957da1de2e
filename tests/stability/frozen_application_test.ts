import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Push } from "../../mod.ts";
import { freshAddress } from "../interop/support/addresses.ts";
import { within } from "../interop/support/deadline.ts";
import { collectEvents } from "../interop/support/events.ts";
import {
  moduleCommand,
  OWN_RUNTIME,
  RUNTIME_NAMES,
  type RuntimeName,
  whyNot,
} from "../interop/support/runtimes.ts";
import { testCertificates } from "../support/certificates.ts";
import { numberedBody, transportOptions } from "./lanes.ts";
import { Program } from "./program.ts";

// A process that stands still, timers, reads and heartbeats included, is no process that is gone: its peer on another
// runtime waits for it, and it finds everything when it goes on.

const FROZEN_MS = 10_000;
const MESSAGES = 3_000;
const PROGRAM = "tests/stability/frozen_program";

/** Sizes that fill the buffers of every layer while nobody reads. */
function bytesOf(index: number): number {
  return [64, 1_000, 20_000][index % 3]!;
}

/** The next runtime, so that on three runtimes there are three couples. */
const other: RuntimeName = RUNTIME_NAMES[(RUNTIME_NAMES.indexOf(OWN_RUNTIME) + 1) % RUNTIME_NAMES.length]!;

async function sendToFrozen(scheme: "tcp" | "tls" | "ws"): Promise<void> {
  const { server } = await testCertificates();
  const pem = scheme === "tls" ? [server.certificate, server.key] : [];
  const args = [freshAddress(scheme), String(MESSAGES), String(FROZEN_MS), ...pem];
  const program = new Program([...moduleCommand(other, PROGRAM), ...args]);
  const { ofSender } = await transportOptions(scheme);
  const push = new Push({
    ...ofSender,
    heartbeatInterval: 500,
    heartbeatTimeout: 60_000,
    sendHighWaterMark: 100,
  });
  const lost = collectEvents(push, "disconnect");
  push.connect(await program.line());
  const sending = async (): Promise<void> => {
    for (let index = 0; index < MESSAGES; index++) await push.send(numberedBody(index, bytesOf(index)));
  };
  await within(sending(), `all to be sent over ${scheme}`, FROZEN_MS + 60_000);
  assertEquals(await program.line(), `${MESSAGES} received, 0 connections lost`);
  // The receiver has left in order, after the last message.
  assertEquals(lost.filter(({ error }) => error !== undefined), []);
  push.close();
  assertEquals(await program.code(), 0);
}

test(
  `a receiver on ${other} that stands still for ten seconds loses nothing that ${OWN_RUNTIME} sends over tcp, tls and ws`,
  { skip: whyNot(other, PROGRAM) },
  async () => {
    await Promise.all((["tcp", "tls", "ws"] as const).map(sendToFrozen));
  },
);
