/**
 * hawser as the harness measures it, on any of the three runtimes. `api=sync` uses the try-calls and waits only when
 * they refuse; `api=await` awaits one call per message on both sides.
 *
 * @module
 */

import { Pair } from "../../mod.ts";
import {
  fail,
  follow,
  messagesPerCheck,
  Meter,
  readParameters,
  RoundTrips,
  say,
  sayReady,
  turn,
} from "./control.ts";
import {
  isRouted,
  openReceiver,
  openSender,
  type Receiver,
  RECEIVER_ID,
  type Sender,
} from "./hawser_sockets.ts";

const parameters = readParameters();
/** A loop that is never refused still lets the event loop turn, or it would not hear STOP. */
const SENDS_PER_TURN = 1048576;

async function sendSync(socket: Sender, running: () => boolean): Promise<void> {
  const body = new Uint8Array(parameters.bytes).fill(104);
  while (running()) {
    let sent = 0;
    while (sent < SENDS_PER_TURN && socket.trySend(body)) sent++;
    if (sent === SENDS_PER_TURN) await turn();
    else await socket.waitWritable();
  }
}

async function sendSyncRouted(socket: Sender, running: () => boolean): Promise<void> {
  const body = new Uint8Array(parameters.bytes).fill(104);
  while (running()) {
    let sent = 0;
    while (sent < SENDS_PER_TURN && socket.trySend([RECEIVER_ID, body])) sent++;
    if (sent === SENDS_PER_TURN) await turn();
    else await socket.waitWritable();
  }
}

async function sendAwait(socket: Sender, running: () => boolean): Promise<void> {
  const body = new Uint8Array(parameters.bytes).fill(104);
  while (running()) await socket.send(body);
}

async function sendAwaitRouted(socket: Sender, running: () => boolean): Promise<void> {
  const body = new Uint8Array(parameters.bytes).fill(104);
  while (running()) await socket.send([RECEIVER_ID, body]);
}

function sendLoop(): (socket: Sender, running: () => boolean) => Promise<void> {
  const routed = isRouted(parameters.pattern);
  if (parameters.api === "sync") return routed ? sendSyncRouted : sendSync;
  return routed ? sendAwaitRouted : sendAwait;
}

async function receiveSync(socket: Receiver, meter: Meter): Promise<void> {
  const perCheck = messagesPerCheck(parameters.bytes);
  // Poll style asks first and takes then; the plain loop takes first and asks when there is nothing.
  if (parameters.pattern.endsWith("-poll")) await socket.waitReadable();
  let messages = 0;
  let bytes = 0;
  for (;;) {
    let frames: Uint8Array[] | undefined;
    while ((frames = socket.tryReceive()) !== undefined) {
      messages++;
      bytes += frames[frames.length - 1]!.length;
      if (messages % perCheck === 0) meter.check(messages, bytes);
    }
    meter.check(messages, bytes);
    await socket.waitReadable();
  }
}

async function receiveAwait(socket: Receiver, meter: Meter): Promise<void> {
  const perCheck = messagesPerCheck(parameters.bytes);
  let messages = 0;
  let bytes = 0;
  for await (const frames of socket) {
    messages++;
    bytes += frames[frames.length - 1]!.length;
    if (messages % perCheck === 0) meter.check(messages, bytes);
    else meter.messages = messages;
  }
}

function receiveLoop(): (socket: Receiver, meter: Meter) => Promise<void> {
  return parameters.api === "sync" ? receiveSync : receiveAwait;
}

async function runReceiver(): Promise<void> {
  const meter = new Meter();
  const socket = openReceiver(parameters.pattern, parameters.highWaterMark);
  await socket.bind(parameters.endpoint);
  follow({ start: (warmupMs, windowMs) => meter.start(warmupMs, windowMs), stop: () => meter.stop() });
  sayReady(socket.lastEndpoint ?? "");
  await receiveLoop()(socket, meter);
}

async function runSender(): Promise<void> {
  const socket = await openSender(parameters.pattern, parameters.endpoint, parameters.highWaterMark);
  const loop = sendLoop();
  let running = false;
  async function run(): Promise<void> {
    running = true;
    await loop(socket, () => running);
    say("STOPPED");
  }
  follow({ start: () => void run().catch(fail), stop: () => void (running = false) });
  sayReady();
}

/** Sender and receiver in one event loop: the only way there is over inproc. */
async function runBoth(): Promise<void> {
  const meter = new Meter();
  const receiver = openReceiver(parameters.pattern, parameters.highWaterMark);
  await receiver.bind(parameters.endpoint);
  const sender = await openSender(parameters.pattern, parameters.endpoint, parameters.highWaterMark);
  const loop = sendLoop();
  let running = false;
  follow({
    start: (warmupMs, windowMs) => {
      running = true;
      meter.start(warmupMs, windowMs);
      loop(sender, () => running).catch(fail);
    },
    stop: () => {
      running = false;
      meter.stop();
    },
  });
  sayReady();
  await receiveLoop()(receiver, meter);
}

async function runEcho(): Promise<void> {
  const socket = new Pair({ linger: 0 });
  await socket.bind(parameters.endpoint);
  follow({ start: () => {} });
  sayReady(socket.lastEndpoint ?? "");
  for await (const frames of socket) await socket.send(frames);
}

function runPing(): void {
  const socket = new Pair({ linger: 0 });
  socket.connect(parameters.endpoint);
  const body = new Uint8Array(parameters.bytes).fill(104);
  async function run(trips: RoundTrips): Promise<void> {
    for (;;) {
      const sentMs = performance.now();
      await socket.send(body);
      await socket.receive();
      if (!trips.add(sentMs, performance.now())) return;
    }
  }
  follow({
    start: (warmupMs, windowMs) => void run(new RoundTrips(warmupMs, windowMs, parameters.bytes)).catch(fail),
  });
  sayReady();
}

const roles: Record<string, () => void | Promise<void>> = {
  receive: runReceiver,
  send: runSender,
  both: runBoth,
  echo: runEcho,
  ping: runPing,
};
Promise.resolve((roles[parameters.role] ?? (() => fail(`unknown role ${parameters.role}`)))()).catch(fail);
