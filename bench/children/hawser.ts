/**
 * hawser as the harness measures it, on any of the three runtimes. `api=sync` uses the try-calls and waits only when
 * they refuse; `api=await` awaits one call per message on both sides.
 *
 * @module
 */

import process from "node:process";
import { parentPort, Worker } from "node:worker_threads";
import { Pair, type Push } from "../../mod.ts";
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
  openBoundSender,
  openReceiver,
  openSender,
  type Receiver,
  RECEIVER_ID,
  type Sender,
  tlsOptions,
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

async function runReceiver(connects = false): Promise<void> {
  const meter = new Meter();
  const socket = openReceiver(parameters);
  if (connects) socket.connect(parameters.endpoint);
  else await socket.bind(parameters.endpoint);
  follow({ start: (warmupMs, windowMs) => meter.start(warmupMs, windowMs), stop: () => meter.stop() });
  sayReady(socket.lastEndpoint ?? "");
  await receiveLoop()(socket, meter);
}

async function runSender(binds = false): Promise<void> {
  const { endpoint } = parameters;
  const socket = await (binds ? openBoundSender(parameters, endpoint) : openSender(parameters, endpoint));
  const loop = sendLoop();
  let running = false;
  async function run(): Promise<void> {
    running = true;
    await loop(socket, () => running);
    say("STOPPED");
  }
  follow({ start: () => void run().catch(fail), stop: () => void (running = false) });
  sayReady(binds ? (socket as Push).lastEndpoint ?? "" : "");
}

/** Sender and receiver in one event loop: the only way there is over inproc. */
async function runBoth(): Promise<void> {
  const meter = new Meter();
  const receiver = openReceiver(parameters);
  await receiver.bind(parameters.endpoint);
  const sender = await openSender(parameters, parameters.endpoint);
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

/** What the main thread tells the thread of the receiver. */
type WorkerOrder = { readonly warmupMs: number; readonly windowMs: number } | "stop";

/** The receiver in a worker thread, the sender here. */
async function runWorker(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  worker.on("error", fail);
  await new Promise<void>((resolve) => worker.once("message", () => resolve()));
  const sender = await openSender(parameters, parameters.endpoint);
  const loop = sendLoop();
  let running = false;
  const order = (what: WorkerOrder): void => worker.postMessage(what);
  follow({
    start: (warmupMs, windowMs) => {
      running = true;
      order({ warmupMs, windowMs });
      loop(sender, () => running).catch(fail);
    },
    stop: () => {
      running = false;
      order("stop");
    },
  });
  sayReady();
}

async function runInWorker(port: NonNullable<typeof parentPort>): Promise<void> {
  const meter = new Meter();
  const receiver = openReceiver(parameters);
  await receiver.bind(parameters.endpoint);
  port.on("message", (order: WorkerOrder) => {
    if (order === "stop") meter.stop();
    else meter.start(order.warmupMs, order.windowMs);
  });
  port.postMessage("bound");
  await receiveLoop()(receiver, meter);
}

async function runEcho(): Promise<void> {
  const socket = new Pair({ linger: 0, ...tlsOptions(parameters.certificates) });
  await socket.bind(parameters.endpoint);
  follow({ start: () => {} });
  sayReady(socket.lastEndpoint ?? "");
  for await (const frames of socket) await socket.send(frames);
}

function runPing(): void {
  const socket = new Pair({ linger: 0, ...tlsOptions(parameters.certificates) });
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
  receive: () => runReceiver(),
  "receive-connected": () => runReceiver(true),
  send: () => runSender(),
  "send-bound": () => runSender(true),
  worker: () => parentPort === null ? runWorker() : runInWorker(parentPort),
  both: runBoth,
  echo: runEcho,
  ping: runPing,
};
Promise.resolve((roles[parameters.role] ?? (() => fail(`unknown role ${parameters.role}`)))()).catch(fail);
