// A program for `lifetime_test.ts`: what it does is its first argument. None of these ends by `process.exit`.
import process from "node:process";
import { Dealer, Publisher, Pull, Push, Request, Subscriber } from "../../mod.ts";
import { freshAddress, type Scheme } from "../interop/support/addresses.ts";

const [role = "", argument = ""] = process.argv.slice(2);

function textOf(message: readonly Uint8Array[]): string {
  return message.map((frame) => new TextDecoder().decode(frame)).join(" ");
}

/** Its only work is the loop. */
async function work(): Promise<void> {
  const pull = new Pull({ reconnectInterval: 10 });
  pull.events.on("handshake", () => console.log("connected"));
  pull.connect(argument);
  console.log("started");
  for await (const message of pull) {
    console.log(textOf(message));
    if (textOf(message) === "stop") pull.close();
  }
}

/** Waits for one thing by promise, the way of callers who do not iterate. */
async function waitOnce(): Promise<void> {
  const dealer = new Dealer();
  dealer.connect(argument);
  await dealer.ready();
  console.log("connected");
  console.log(textOf(await dealer.receive()));
  dealer.close();
}

/** Listens, and does nothing else. */
async function listen(): Promise<void> {
  const pull = new Pull();
  pull.events.on("disconnect", () => pull.close());
  await pull.bind("tcp://127.0.0.1:*");
  console.log(pull.lastEndpoint);
}

/** Is connected, and waits for nothing. */
async function idle(): Promise<void> {
  const dealer = new Dealer({ reconnectInterval: 10, heartbeatInterval: 10 });
  dealer.connect(argument);
  await dealer.ready();
  console.log("connected");
}

/** Connects to where nobody is, and waits for nothing. */
function lonely(): void {
  const dealer = new Dealer({ reconnectInterval: 10 });
  dealer.connect(argument);
  console.log("started");
}

/** Uses several types over one transport, closes them, and is done. */
async function use(): Promise<void> {
  const pull = new Pull();
  const push = new Push();
  await pull.bind(freshAddress(argument as Scheme));
  push.connect(pull.lastEndpoint!);
  for (let i = 0; i < 100; i++) await push.send(`message ${i}`);
  for (let i = 0; i < 100; i++) await pull.receive();

  const publisher = new Publisher();
  const subscriber = new Subscriber();
  subscriber.subscribe();
  await publisher.bind(freshAddress(argument as Scheme));
  subscriber.connect(publisher.lastEndpoint!);
  await publisher.subscribed("");
  await publisher.send("news");
  await subscriber.receive();

  const request = new Request({ heartbeatInterval: 100 });
  request.connect(pull.lastEndpoint!.replace(/\d+$/, "1"));
  for (const socket of [pull, push, publisher, subscriber, request]) socket.close();
  console.log("closed");
}

/** What was sent must leave although the socket is closed at once. */
async function sendAndLeave(): Promise<void> {
  const push = new Push({ linger: 20_000 });
  push.connect(argument);
  for (let i = 0; i < 1_000; i++) await push.send(`message ${i}`);
  push.close();
  console.log("closed");
}

const ROLES: Readonly<Record<string, () => Promise<void> | void>> = {
  work,
  waitOnce,
  listen,
  idle,
  lonely,
  use,
  sendAndLeave,
};
await ROLES[role]!();
