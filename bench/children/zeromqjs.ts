/** The npm package `zeromq` (libzmq behind a native addon), one awaited call per message: all that it offers. Node only. */

import { Dealer, Pair, Publisher, Pull, Push, Router, Subscriber } from "zeromq";
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

type Sender = Push | Pair | Publisher | Dealer | Router;
type Receiver = Pull | Pair | Subscriber | Dealer | Router;

const parameters = readParameters();
const RECEIVER_ID = "receiver";

function openSender(): Sender {
  const options = { sendHighWaterMark: parameters.highWaterMark, linger: 0 };
  switch (parameters.pattern) {
    case "push-pull":
      return new Push(options);
    case "pair":
      return new Pair(options);
    case "pub-sub":
      return new Publisher({ ...options, noDrop: true });
    case "dealer-dealer":
    case "dealer-router":
      return new Dealer(options);
    default:
      return new Router({ ...options, mandatory: true, routingId: "sender" });
  }
}

function openReceiver(): Receiver {
  const options = { receiveHighWaterMark: parameters.highWaterMark, linger: 0 };
  switch (parameters.pattern) {
    case "push-pull":
      return new Pull(options);
    case "pair":
      return new Pair(options);
    case "pub-sub": {
      const subscriber = new Subscriber(options);
      subscriber.subscribe();
      return subscriber;
    }
    case "dealer-dealer":
      return new Dealer(options);
    default:
      return new Router({ ...options, routingId: RECEIVER_ID });
  }
}

async function receive(socket: Receiver, meter: Meter): Promise<void> {
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

async function send(socket: Sender, running: () => boolean): Promise<void> {
  const body = Buffer.alloc(parameters.bytes, "h");
  const routed = socket instanceof Router;
  while (running()) {
    try {
      if (routed) await (socket as Router).send([RECEIVER_ID, body]);
      else await (socket as Push).send(body);
    } catch (cause) {
      const code = (cause as { code?: string }).code;
      // A publisher that may not drop refuses instead of waiting. The other: the receiver's identity is known only
      // once the handshake is over.
      if (code === "EAGAIN") await turn();
      else if (code === "EHOSTUNREACH") await new Promise((resolve) => setTimeout(resolve, 1));
      else throw cause;
    }
  }
}

async function runReceiver(): Promise<void> {
  const meter = new Meter();
  const socket = openReceiver();
  await socket.bind(parameters.endpoint);
  follow({ start: (warmupMs, windowMs) => meter.start(warmupMs, windowMs), stop: () => meter.stop() });
  sayReady(socket.lastEndpoint ?? "");
  await receive(socket, meter);
}

function runSender(): void {
  const socket = openSender();
  socket.connect(parameters.endpoint);
  let running = false;
  async function run(): Promise<void> {
    running = true;
    await send(socket, () => running);
    say("STOPPED");
  }
  follow({ start: () => void run().catch(fail), stop: () => void (running = false) });
  sayReady();
}

async function runBoth(): Promise<void> {
  const meter = new Meter();
  const receiver = openReceiver();
  const sender = openSender();
  await receiver.bind(parameters.endpoint);
  sender.connect(parameters.endpoint);
  let running = false;
  follow({
    start: (warmupMs, windowMs) => {
      running = true;
      meter.start(warmupMs, windowMs);
      send(sender, () => running).catch(fail);
    },
    stop: () => {
      running = false;
      meter.stop();
    },
  });
  sayReady();
  await receive(receiver, meter);
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
  const body = Buffer.alloc(parameters.bytes, "h");
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
