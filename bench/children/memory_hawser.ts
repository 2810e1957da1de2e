/**
 * hawser's side of the memory measurements. `idle` and `stopped`: a PULL that accepts and never receives.
 * `fill`: a PUSH that sends until nothing more is taken.
 */

import { Pull, Push } from "../../mod.ts";
import { fail, follow, readParameters, say, sayReady, turn } from "./control.ts";
import { collectedResidentBytes } from "./memory_report.ts";

const parameters = readParameters();
const REFUSED_MS = 500;

/** Held for good: garbage is collected here on purpose. */
let pull: Pull;

async function hold(): Promise<void> {
  pull = new Pull({ receiveHighWaterMark: parameters.highWaterMark, linger: 0 });
  await pull.bind("tcp://127.0.0.1:0");
  const report = async (): Promise<void> =>
    say(`RESULT ${JSON.stringify({ residentBytes: await collectedResidentBytes() })}`);
  follow({ start: () => void report().catch(fail) });
  sayReady(pull.lastEndpoint ?? "");
}

/** Resolves when the socket has refused for half a second without a break. */
async function fillUp(push: Push): Promise<number> {
  const body = new Uint8Array(parameters.bytes).fill(104);
  let messages = 0;
  let progressMs = performance.now();
  // A socket hands over only so much in one turn: a refusal means little before many turns have passed.
  while (performance.now() - progressMs < REFUSED_MS) {
    const before = messages;
    while (push.trySend(body)) messages++;
    if (messages > before) progressMs = performance.now();
    await turn();
  }
  return messages;
}

function fill(): void {
  const push = new Push({ sendHighWaterMark: parameters.highWaterMark, linger: 0 });
  push.connect(parameters.endpoint);
  const run = async (): Promise<void> => {
    const residentBytesBefore = await collectedResidentBytes();
    const messages = await fillUp(push);
    const residentBytes = await collectedResidentBytes();
    say(
      `RESULT ${
        JSON.stringify({ messages, bytes: messages * parameters.bytes, residentBytesBefore, residentBytes })
      }`,
    );
  };
  follow({ start: () => void run().catch(fail) });
  sayReady();
}

const roles: Record<string, () => void | Promise<void>> = { idle: hold, stopped: hold, fill };
Promise.resolve((roles[parameters.role] ?? (() => fail(`unknown role ${parameters.role}`)))()).catch(fail);
