import { test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  type Context,
  Dealer,
  DuplexSocket,
  type Message,
  type MessageInput,
  Pair,
  type Peer,
  Publisher,
  Pull,
  Push,
  ReceivingSocket,
  Reply,
  Request,
  Router,
  SendingSocket,
  type Socket,
  type SocketEvent,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "../../mod.ts";

// What the compiler says. The functions that are never called are the tests: each line below a `@ts-expect-error` must
// not compile, and each other line must. The build fails otherwise.

/** Whether two types are one and the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles for `true` alone. */
function holds<_T extends true>(): void {}

type SendMethod = "send" | "trySend" | "waitWritable";
type ReceiveMethod =
  | "receive"
  | "tryReceive"
  | "receiveMany"
  | "waitReadable"
  | "batches"
  | typeof Symbol.asyncIterator;

/** Which of these methods a class has. */
type Methods<S, Names extends PropertyKey> = Extract<keyof S, Names>;

export function directions(): void {
  holds<Same<Methods<Push, ReceiveMethod>, never>>();
  holds<Same<Methods<Publisher, ReceiveMethod>, never>>();
  holds<Same<Methods<Pull, SendMethod>, never>>();
  holds<Same<Methods<Subscriber, SendMethod>, never>>();
  holds<Same<Methods<Push, SendMethod>, SendMethod>>();
  holds<Same<Methods<Publisher, SendMethod>, SendMethod>>();
  holds<Same<Methods<Pull, ReceiveMethod>, ReceiveMethod>>();
  holds<Same<Methods<Subscriber, ReceiveMethod>, ReceiveMethod>>();
  type Duplex = Pair | Dealer | Router | Request | Reply | XPublisher | XSubscriber;
  holds<Same<Methods<Duplex, SendMethod | ReceiveMethod>, SendMethod | ReceiveMethod>>();
}

export async function pushAndPull(push: Push, pull: Pull): Promise<void> {
  // @ts-expect-error: a Push has no receive
  await push.receive();
  // @ts-expect-error: nor can it be iterated
  for await (const _message of push);
  // @ts-expect-error: nor has it marks of a receiver
  push.receiveHighWaterMark = 5;
  // @ts-expect-error: a Pull has no send
  await pull.send("x");
  // @ts-expect-error: nor tries to
  pull.trySend("x");
  // @ts-expect-error: nor has it marks of a sender
  pull.sendHighWaterMark = 5;
}

/** Functions that take any socket that sends, or receives, take those that do both. */
export function directionsOfArguments(push: Push, dealer: Dealer, pull: Pull): void {
  const send = (socket: SendingSocket): boolean => socket.trySend("x");
  const receive = (socket: ReceivingSocket): Message | undefined => socket.tryReceive();
  send(push);
  send(dealer);
  receive(dealer);
  receive(pull);
  // @ts-expect-error: a Pull does not send
  send(pull);
  // @ts-expect-error: a Push does not receive
  receive(push);
  const unknown: Socket = dealer;
  if (unknown instanceof SendingSocket) unknown.trySend("x");
  // @ts-expect-error: it is not known to send
  unknown.trySend("x");
}

export function options(context: Context): void {
  new Push({ context, sendHighWaterMark: 10, linger: 0, immediate: true, conflate: false });
  // @ts-expect-error: an option of a receiver
  new Push({ receiveHighWaterMark: 10 });
  // @ts-expect-error: a misspelled option
  new Push({ sendHighWatermark: 10 });
  // @ts-expect-error: text for a number
  new Push({ sendHighWaterMark: "10" });
  // @ts-expect-error: a number for a flag
  new Push({ immediate: 1 });
  // @ts-expect-error: undefined is not "missing"
  new Push({ linger: undefined });
  // @ts-expect-error: an option of a sender
  new Pull({ sendHighWaterMark: 10 });
  // @ts-expect-error: a PAIR has no routing id
  new Pair({ routingId: "me" });
  // @ts-expect-error: a routing id is text or bytes
  new Dealer({ routingId: 5 });
  new Dealer({ routingId: "me", probeRouter: true });
  new Dealer({ routingId: new Uint8Array([1]) });
  new Dealer({ routingId: null });
  new Router({ mandatory: true, handover: true, routingId: "me" });
  // @ts-expect-error: a Dealer routes nothing
  new Dealer({ mandatory: true });
  new XPublisher({ verbosity: "allSubs", manual: true, welcomeMessage: "hello" });
  new XPublisher({ verbosity: null, welcomeMessage: null });
  // @ts-expect-error: not one of the words
  new XPublisher({ verbosity: "all" });
  // @ts-expect-error: a Publisher passes nothing up
  new Publisher({ manual: true });
  // @ts-expect-error: a Publisher receives nothing
  new Publisher({ receiveTimeout: 5 });
  // @ts-expect-error: a Subscriber sends nothing
  new Subscriber({ sendTimeout: 5 });
  new Request({ correlate: true, relaxed: true, routingId: "me" });
  // @ts-expect-error: a Reply asks nothing
  new Reply({ correlate: true });
  // @ts-expect-error: metadata are text or bytes
  new Push({ metadata: { "X-Number": 5 } });
}

export function optionProperties(push: Push, router: Router, publisher: XPublisher): void {
  const mark: number = push.sendHighWaterMark;
  push.sendHighWaterMark = mark + 1;
  // @ts-expect-error: text for a number
  push.linger = "10";
  router.mandatory = true;
  // @ts-expect-error: a number for a flag
  router.mandatory = 1;
  holds<Same<XPublisher["verbosity"], "allSubs" | "allSubsUnsubs" | null>>();
  publisher.verbosity = null;
  // @ts-expect-error: the endpoint is read only
  push.lastEndpoint = "tcp://127.0.0.1:5555";
  // @ts-expect-error: so is whether it is closed
  push.closed = true;
  holds<Same<Socket["lastEndpoint"], string | null>>();
  holds<Same<Socket["peers"], readonly Peer[]>>();
}

export async function endpoints(router: Router, dealer: Dealer, pull: Pull): Promise<void> {
  router.connect("tcp://127.0.0.1:5555");
  router.connect("tcp://127.0.0.1:5555", { routingId: "peer" });
  router.connect("tcp://127.0.0.1:5555", { routingId: new Uint8Array([1]) });
  // @ts-expect-error: a routing id is text or bytes
  router.connect("tcp://127.0.0.1:5555", { routingId: 5 });
  // @ts-expect-error: a misspelled option
  router.connect("tcp://127.0.0.1:5555", { routingID: "peer" });
  // @ts-expect-error: only a Router names its peers
  dealer.connect("tcp://127.0.0.1:5555", { routingId: "peer" });
  // @ts-expect-error: an endpoint is text
  dealer.connect(5555);
  holds<Same<ReturnType<Pull["bind"]>, Promise<string>>>();
  holds<Same<ReturnType<Pull["connect"]>, void>>();
  await pull.ready({ peers: 3, signal: new AbortController().signal });
  // @ts-expect-error: peers are counted
  await pull.ready({ peers: "3" });
  await router.waitWritable({ routingId: new Uint8Array([1]) });
  // @ts-expect-error: only a Router knows them by routing id
  await dealer.waitWritable({ routingId: new Uint8Array([1]) });
}

export async function messages(push: Push, pull: Pull, request: Request): Promise<void> {
  const all: MessageInput[] = [
    "text",
    5,
    null,
    new Uint8Array(3),
    new Float64Array(3),
    new DataView(new ArrayBuffer(3)),
    new ArrayBuffer(3),
    ["several", null, new Uint8Array(3), 5],
  ];
  for (const message of all) await push.send(message);
  // @ts-expect-error: a plain object is no message
  await push.send({ hello: "world" });
  // @ts-expect-error: nor is undefined
  await push.send(undefined);
  // @ts-expect-error: nor true
  push.trySend(true);
  // @ts-expect-error: nor a frame of frames
  push.trySend([["x"]]);
  holds<Same<ReturnType<Push["trySend"]>, boolean>>();
  holds<Same<Awaited<ReturnType<Pull["receive"]>>, Message>>();
  holds<Same<ReturnType<Pull["tryReceive"]>, Message | undefined>>();
  holds<Same<ReturnType<Pull["receiveMany"]>, Message[]>>();
  for await (const message of pull) holds<Same<typeof message, Message>>();
  for await (const batch of pull.batches(10)) holds<Same<typeof batch, Message[]>>();
  const [frame] = await pull.receive();
  // @ts-expect-error: there may be no such frame
  frame.length;
  const reply: Message = await request.request("question", { timeoutMs: 100, retries: 2 });
  // @ts-expect-error: a misspelled option
  await request.request("question", { timeout: 100 });
  void reply;
}

export function events(push: Push): void {
  push.events.on("connect:retry", (event) => event.interval.toFixed());
  push.events.on("handshake", ({ peer }) => holds<Same<typeof peer, Peer>>());
  push.events.on("disconnect", ({ peer, error }) => {
    holds<Same<typeof peer, Peer | undefined>>();
    holds<Same<typeof error, Error | undefined>>();
  });
  push.events.on("drop", ({ count, error }) => {
    holds<Same<typeof count, number>>();
    holds<Same<typeof error, Error>>();
  });
  for (const type of ["accept:error", "handshake:error:auth"] as const) {
    push.events.on(type, ({ error }) => holds<Same<typeof error, Error>>());
  }
  // @ts-expect-error: there is no such event
  push.events.on("connected", () => {});
  // @ts-expect-error: a handshake has no interval
  push.events.on("handshake", ({ interval }) => interval);
  // @ts-expect-error: only what failed has an error
  push.events.on("bind", ({ error }) => error);
  // @ts-expect-error: a listener is a function
  push.events.on("bind", {});
  const both = (event: SocketEvent<"bind" | "close">): void => void event.address;
  push.events.on("bind", both).off("bind", both).on("close", both);
  // @ts-expect-error: this listener knows of binding and closing alone
  push.events.on("drop", both);
}

export async function everyEvent(pull: Pull): Promise<void> {
  for await (const event of pull.events) {
    // @ts-expect-error: not every event has an error
    event.error;
    switch (event.type) {
      case "connect:retry":
        holds<Same<typeof event.interval, number>>();
        break;
      case "handshake":
        holds<Same<typeof event.peer, Peer>>();
        break;
    }
  }
}

export async function waits(push: Push, pull: Pull, publisher: Publisher, request: Request): Promise<void> {
  const { signal } = new AbortController();
  await push.send("x", { signal, timeoutMs: 5 });
  await push.waitWritable({ timeoutMs: 5 });
  await pull.receive({ timeoutMs: 5 });
  await pull.waitReadable({ signal, timeoutMs: 5 });
  await pull.ready({ peers: 2, timeoutMs: 5 });
  await pull.events.receive({ timeoutMs: 5 });
  await publisher.subscribed("topic", { timeoutMs: 5 });
  await request.request("x", { timeoutMs: 5, retries: 1, signal });
  // @ts-expect-error: a misspelled option
  await pull.receive({ timeout: 5 });
  // @ts-expect-error: no signal
  await pull.receive({ signal: {} });
  // @ts-expect-error: text for a number
  await pull.receive({ timeoutMs: "5" });
}

export async function publishing(
  publisher: Publisher,
  subscriber: Subscriber,
  upstream: XSubscriber,
): Promise<void> {
  subscriber.subscribe();
  subscriber.subscribe("news", new Uint8Array(3));
  upstream.subscribe("news");
  // @ts-expect-error: topics are text or bytes
  subscriber.subscribe(5);
  // @ts-expect-error: not as an array
  subscriber.subscribe(["news"]);
  // @ts-expect-error: a Publisher subscribes to nothing
  publisher.subscribe("news");
  await publisher.subscribed("news");
  // @ts-expect-error: a topic is needed
  await publisher.subscribed();
}

/** The sockets that the compiler judged above, as they are at run time. */
const CLASSES: readonly { readonly socket: Socket; readonly sends: boolean; readonly receives: boolean }[] = [
  { socket: new Pair(), sends: true, receives: true },
  { socket: new Push(), sends: true, receives: false },
  { socket: new Pull(), sends: false, receives: true },
  { socket: new Publisher(), sends: true, receives: false },
  { socket: new Subscriber(), sends: false, receives: true },
  { socket: new Request(), sends: true, receives: true },
  { socket: new Reply(), sends: true, receives: true },
  { socket: new Dealer(), sends: true, receives: true },
  { socket: new Router(), sends: true, receives: true },
  { socket: new XPublisher(), sends: true, receives: true },
  { socket: new XSubscriber(), sends: true, receives: true },
];

for (const { socket, sends, receives } of CLASSES) {
  test(`${socket.type} ${sends ? "has" : "lacks"} send and ${receives ? "has" : "lacks"} receive at run time too`, () => {
    for (const name of ["send", "trySend", "waitWritable", "sendHighWaterMark"]) {
      assertEquals(name in socket, sends, name);
    }
    for (
      const name of [
        "receive",
        "tryReceive",
        "receiveMany",
        "batches",
        Symbol.asyncIterator,
        "receiveHighWaterMark",
      ]
    ) {
      assertEquals(name in socket, receives, String(name));
    }
    assertEquals(socket instanceof SendingSocket, sends);
    assertEquals(socket instanceof ReceivingSocket, receives);
    assertEquals(socket instanceof DuplexSocket, sends && receives);
    assertEquals(socket instanceof Push, socket.type === "PUSH");
    assertEquals(socket instanceof Dealer, socket.type === "DEALER");
    socket.close();
  });
}

test("what is no socket is an instance of no kind of socket", () => {
  for (const value of [undefined, null, 5, {}, Push, SendingSocket.prototype.constructor]) {
    for (const kind of [SendingSocket, ReceivingSocket, DuplexSocket, Push]) {
      assertEquals((value as unknown) instanceof kind, false);
    }
  }
});
