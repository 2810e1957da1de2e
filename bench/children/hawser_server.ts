/**
 * hawser as a server of many peers, on any of the runtimes; the peers are the load generator's (`bench/load/`).
 * `api=sync` uses the try-calls and waits only when they refuse; `api=await` awaits each call.
 *
 * @module
 */

import { Publisher, Router } from "../../mod.ts";
import { fail, follow, readParameters, say, sayReady, turn } from "./control.ts";

const parameters = readParameters();
/** A loop that is never refused still lets the event loop turn, or nothing would leave and STOP not be heard. */
const SENDS_PER_TURN = 1048576;
/** A publisher that drops is never refused: it publishes half of what its queues hold, and lets it leave. */
const SENDS_PER_TURN_DROPPING = Math.max(1, parameters.highWaterMark / 2);

function openRouter(): Router {
  const { highWaterMark } = parameters;
  return new Router({
    sendHighWaterMark: highWaterMark,
    receiveHighWaterMark: highWaterMark,
    linger: 0,
    mandatory: true,
  });
}

async function echoAwait(router: Router): Promise<void> {
  for await (const frames of router) await router.send(frames);
}

async function echoSync(router: Router): Promise<void> {
  for (;;) {
    let frames: Uint8Array[] | undefined;
    while ((frames = router.tryReceive()) !== undefined) {
      while (!router.trySend(frames)) await router.waitWritable();
    }
    await router.waitReadable();
  }
}

async function runEcho(): Promise<void> {
  const router = openRouter();
  await router.bind(parameters.endpoint);
  follow({ start: () => {} });
  sayReady(router.lastEndpoint ?? "");
  await (parameters.api === "sync" ? echoSync(router) : echoAwait(router));
}

/** A server whose peers come and go without a word. */
async function runAccept(): Promise<void> {
  const router = openRouter();
  await router.bind(parameters.endpoint);
  follow({ start: () => {} });
  sayReady(router.lastEndpoint ?? "");
  for await (const frames of router) fail(`a message of ${frames.length} frames`);
}

async function runPublish(): Promise<void> {
  const noDrop = parameters.pattern === "pub-lossless";
  const sendsPerTurn = noDrop ? SENDS_PER_TURN : SENDS_PER_TURN_DROPPING;
  const publisher = new Publisher({ sendHighWaterMark: parameters.highWaterMark, linger: 0, noDrop });
  await publisher.bind(parameters.endpoint);
  let running = false;
  let sent = 0;
  async function run(): Promise<void> {
    const body = new Uint8Array(parameters.bytes).fill(104);
    running = true;
    while (running) {
      const end = sent + sendsPerTurn;
      while (sent < end && publisher.trySend(body)) sent++;
      if (sent === end) await turn();
      else await publisher.waitWritable();
    }
    say(`STOPPED ${sent}`);
  }
  follow({ start: () => void run().catch(fail), stop: () => void (running = false) });
  sayReady(publisher.lastEndpoint ?? "");
}

const roles: Record<string, () => Promise<void>> = { echo: runEcho, accept: runAccept, publish: runPublish };
(roles[parameters.role] ?? (() => fail(`unknown role ${parameters.role}`)))().catch(fail);
