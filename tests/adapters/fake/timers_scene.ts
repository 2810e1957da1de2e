/**
 * What tests of fake timers do with sockets of the default context, each time with new ones.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Pull, Push } from "../../../mod.ts";

/** More than a socket hands over in one turn, so that turns are waited for. */
const MESSAGES = 5_000;

/** Sends and receives over tcp and inproc. */
export async function exchange(): Promise<void> {
  for (const endpoint of ["tcp://127.0.0.1:*", "inproc://fake-timers"]) {
    const [pull, push] = [new Pull(), new Push()];
    await pull.bind(endpoint);
    push.connect(pull.lastEndpoint!);
    const sent = (async () => {
      for (let i = 0; i < MESSAGES; i++) await push.send(`${i}`);
    })();
    for (let i = 0; i < MESSAGES; i++) await pull.receive();
    await sent;
    await Promise.all([push[Symbol.asyncDispose](), pull[Symbol.asyncDispose]()]);
  }
}

/** Needs timers: a time-out that runs out, and a connection that is tried until somebody is there. */
export async function waitForTimers(): Promise<void> {
  const pull = new Pull({ receiveTimeout: 10 });
  await pull.bind("tcp://127.0.0.1:*");
  const endpoint = pull.lastEndpoint!;
  const code = await pull.receive().catch((error) => (error as { code: string }).code);
  assertEquals(code, "ERR_AGAIN");
  await pull.unbind(endpoint);
  const push = new Push({ reconnectInterval: 1 });
  const retried = new Promise<void>((resolve) => void push.events.on("connect:retry", () => resolve()));
  push.connect(endpoint);
  await retried;
  await pull.bind(endpoint);
  pull.receiveTimeout = -1;
  await push.send("at last");
  await pull.receive();
  await Promise.all([push[Symbol.asyncDispose](), pull[Symbol.asyncDispose]()]);
}
