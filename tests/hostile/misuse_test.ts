import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import {
  Context,
  Dealer,
  MisuseError,
  Pair,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  Subscriber,
  XPublisher,
} from "../../mod.ts";
import { freshAddress } from "../interop/support/addresses.ts";

// What callers get wrong: a typed error whose message names the field, the value and what is allowed. Nothing changes.

/** The misuse that `run` throws or rejects with: its code, and texts that its message has. */
async function assertMisuse(run: () => unknown, code: string, ...texts: readonly string[]): Promise<void> {
  let error: unknown;
  try {
    await run();
  } catch (thrown) {
    error = thrown;
  }
  assertInstanceOf(error, MisuseError, `${code} was expected`);
  assertEquals(error.code, code, error.message);
  for (const text of texts) assertStringIncludes(error.message, text);
}

const BAD_ENDPOINTS: readonly (readonly [address: string, ...texts: string[]])[] = [
  ["", "scheme"],
  ["tcp", "tcp"],
  ["tcp://", "tcp://"],
  ["tcp://127.0.0.1", "port"],
  ["tcp://127.0.0.1:", "port"],
  ["tcp://127.0.0.1:http", '"http"', "65535"],
  ["tcp://127.0.0.1:65536", '"65536"', "65535"],
  ["tcp://127.0.0.1:-1", "65535"],
  ["tcp://256.0.0.1:5555", "256.0.0.1"],
  ["tcp://a b:5555", "host"],
  ["tcp://::1:5555", "brackets"],
  ["tcp://[::1:5555", "]"],
  ["ipc://", "ipc://"],
  [`ipc:///${"x".repeat(200)}`, "107"],
  ["inproc://", "inproc://"],
  ["udp://127.0.0.1:5555", '"udp"', "tcp", "ipc", "inproc"],
  ["TCP://127.0.0.1:5555", "lower-case"],
  ["tcp://127.0.0.1:55\n55", "control characters"],
];

for (const [address, ...texts] of BAD_ENDPOINTS) {
  test(`the endpoint ${JSON.stringify(address.slice(0, 40))} is refused by bind and connect, with the reason`, async () => {
    const pull = new Pull();
    await assertMisuse(() => pull.bind(address), "ERR_ENDPOINT", ...texts);
    await assertMisuse(() => pull.connect(address), "ERR_ENDPOINT", ...texts);
    assertEquals(pull.lastEndpoint, null);
    pull.close();
  });
}

test("port 0 and * are for bind alone", async () => {
  const push = new Push();
  await assertMisuse(() => push.connect("tcp://127.0.0.1:0"), "ERR_ENDPOINT", '"0"', "1 to 65535");
  await assertMisuse(() => push.connect("tcp://*:5555"), "ERR_ENDPOINT", "bind only");
  await assertMisuse(() => push.connect("ipc://*"), "ERR_ENDPOINT", "bind only");
  push.close();
});

interface BadOption {
  readonly make: () => unknown;
  readonly texts: readonly string[];
}

/** Options as a caller without types would write them. */
function loose(options: object): never {
  return options as never;
}

const BAD_OPTIONS: readonly BadOption[] = [
  {
    make: () => new Push(loose({ sendHighWaterMrk: 10 })),
    texts: ['"sendHighWaterMrk"', "PUSH", "sendHighWaterMark"],
  },
  { make: () => new Push(loose({ receiveHighWaterMark: 10 })), texts: ['"receiveHighWaterMark"', "PUSH"] },
  { make: () => new Pull(loose({ mandatory: true })), texts: ['"mandatory"', "PULL"] },
  { make: () => new Push({ sendHighWaterMark: -1 }), texts: ['"sendHighWaterMark"', "-1", "0 or more"] },
  { make: () => new Push({ sendHighWaterMark: 1.5 }), texts: ['"sendHighWaterMark"', "1.5", "whole number"] },
  { make: () => new Push({ sendHighWaterMark: NaN }), texts: ['"sendHighWaterMark"', "NaN", "whole number"] },
  {
    make: () => new Push(loose({ sendHighWaterMark: "10" })),
    texts: ['"sendHighWaterMark"', '"10"', "whole number"],
  },
  { make: () => new Push({ linger: -2 }), texts: ['"linger"', "-2", "milliseconds", "-1"] },
  { make: () => new Push(loose({ immediate: 1 })), texts: ['"immediate"', "1", "true or false"] },
  { make: () => new Push(loose({ linger: null })), texts: ['"linger"', "null"] },
  { make: () => new Pull({ handshakesMax: 0 }), texts: ['"handshakesMax"', "0", "1 or more"] },
  { make: () => new Pull({ backlog: 70_000 }), texts: ['"backlog"', "70000", "65535"] },
  { make: () => new Pull({ tcpKeepalive: 2 }), texts: ['"tcpKeepalive"', "2", "-1"] },
  { make: () => new Dealer({ routingId: "" }), texts: ['"routingId"', '""', "1 to 255 bytes"] },
  { make: () => new Dealer({ routingId: "x".repeat(256) }), texts: ['"routingId"', "1 to 255 bytes"] },
  { make: () => new Dealer({ routingId: new Uint8Array(3) }), texts: ['"routingId"', "3 bytes", "not 0"] },
  { make: () => new Dealer(loose({ routingId: 7 })), texts: ['"routingId"', "7", "string or Uint8Array"] },
  {
    make: () => new XPublisher(loose({ verbosity: "all" })),
    texts: ['"verbosity"', '"all"', '"allSubs"', '"allSubsUnsubs"', "null"],
  },
  { make: () => new Push(loose({ metadata: "x" })), texts: ['"metadata"', '"x"', "object"] },
];

for (const { make, texts } of BAD_OPTIONS) {
  test(`a bad option is refused with its name, its value and what is allowed: ${texts.join(", ")}`, async () => {
    await assertMisuse(make, "ERR_OPTION", ...texts);
  });
}

test("a bad value that is set later is refused and the old one stays", async () => {
  const push = new Push({ sendHighWaterMark: 5 });
  await assertMisuse(
    () => push.sendHighWaterMark = -5,
    "ERR_OPTION",
    '"sendHighWaterMark"',
    "-5",
    "0 or more",
  );
  assertEquals(push.sendHighWaterMark, 5);
  push.close();
});

test("metadata that could not be told are refused when they are set, with what could", async () => {
  const allowed = ['"metadata"', "1 to 255", "Socket-Type"];
  await assertMisuse(() => new Push({ metadata: { "": "x" } }), "ERR_OPTION", ...allowed);
  await assertMisuse(() => new Push({ metadata: { "X Y": "x" } }), "ERR_OPTION", ...allowed);
  await assertMisuse(() => new Push({ metadata: { ["x".repeat(256)]: "x" } }), "ERR_OPTION", ...allowed);
  await assertMisuse(() => new Push({ metadata: { "X-A": "x", "x-a": "x" } }), "ERR_OPTION", ...allowed);
  await assertMisuse(() => new Push({ metadata: { "socket-type": "PULL" } }), "ERR_OPTION", ...allowed);
  await assertMisuse(() => new Push({ metadata: { Identity: "me" } }), "ERR_OPTION", ...allowed);
});

test("metadata that are changed after they were set do not reach anybody, least of all other sockets", async () => {
  const metadata: Record<string, string> = { "X-Name": "as it was" };
  const push = new Push({ metadata });
  metadata["X Y"] = "cannot be told";
  metadata["X-Name"] = "changed";
  assertThrows(() => {
    (new Push().metadata as Record<string, string>)["X-For-All"] = "x";
  });
  const pull = new Pull();
  await pull.bind(freshAddress("tcp"));
  push.connect(pull.lastEndpoint!);
  await pull.ready();
  const [peer] = pull.peers;
  assertEquals(new TextDecoder().decode(peer!.metadata.get("x-name")), "as it was");
  assertEquals([...peer!.metadata.keys()], ["socket-type", "x-name"]);
  push.close();
  pull.close();
});

const BAD_MESSAGES: readonly (readonly [message: unknown, text: string])[] = [
  [{ hello: "world" }, "a plain object"],
  [undefined, "undefined"],
  [true, "boolean"],
  [() => {}, "function"],
  [Symbol("x"), "symbol"],
  [10n, "bigint"],
  [[], "at least one frame"],
  [["fine", { not: "fine" }], "a plain object"],
  [["fine", undefined], "undefined"],
  [["fine", ["not fine"]], "an array inside a message"],
  [new Date(), "a Date"],
];

test("what cannot be sent is refused with what can, by send and trySend, and nothing is sent", async () => {
  const pull = new Pull();
  const push = new Push();
  await pull.bind(freshAddress("inproc"));
  push.connect(pull.lastEndpoint!);
  for (const [message, text] of BAD_MESSAGES) {
    await assertMisuse(() => push.send(message as string), "ERR_MESSAGE", text);
    await assertMisuse(() => push.trySend(message as string), "ERR_MESSAGE", text);
  }
  await assertMisuse(() => push.send({} as string), "ERR_MESSAGE", "Uint8Array", "string", "null");
  await push.send("good");
  assertEquals((await pull.receive()).map((frame) => new TextDecoder().decode(frame)), ["good"]);
  assertEquals(pull.tryReceive(), undefined);
  push.close();
  pull.close();
});

test("nothing can be done with a closed socket, and closing it again does nothing", async () => {
  const pair = new Pair();
  const waiting = pair.receive();
  const waitingToo = assertMisuse(() => waiting, "ERR_CLOSED");
  pair.close();
  pair.close();
  await waitingToo;
  assertEquals(pair.closed, true);
  await assertMisuse(() => pair.send("x"), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.trySend("x"), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.receive(), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.tryReceive(), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.receiveMany(), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.waitReadable(), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.waitWritable(), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.ready(), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.bind(freshAddress("tcp")), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.connect("tcp://127.0.0.1:5555"), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.disconnect("tcp://127.0.0.1:5555"), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.unbind("tcp://127.0.0.1:5555"), "ERR_CLOSED", "closed");
  await assertMisuse(() => pair.linger = 5, "ERR_CLOSED", "closed");
  await pair[Symbol.asyncDispose]();
  for await (const _message of pair) throw new Error("a message of a closed socket");
});

test("subscriptions of a closed subscriber and waits of a closed publisher are refused", async () => {
  const subscriber = new Subscriber();
  const publisher = new Publisher();
  subscriber.close();
  publisher.close();
  await assertMisuse(() => subscriber.subscribe("x"), "ERR_CLOSED", "closed");
  await assertMisuse(() => subscriber.unsubscribe("x"), "ERR_CLOSED", "closed");
  await assertMisuse(() => publisher.subscribed("x"), "ERR_CLOSED", "closed");
});

test("a closed context closes its sockets and makes no more", async () => {
  const context = new Context();
  const push = new Push({ context });
  context.close();
  assertEquals(push.closed, true);
  await assertMisuse(() => new Push({ context }), "ERR_CLOSED", "context");
});

for (const scheme of ["tcp", "ipc", "inproc"] as const) {
  test(`binding over ${scheme} where somebody listens is refused with the endpoint, and the first goes on`, async () => {
    const first = new Pull();
    const second = new Pull();
    await first.bind(freshAddress(scheme));
    const address = first.lastEndpoint!;
    await assertMisuse(() => second.bind(address), "ERR_ADDRESS_IN_USE", address);
    await assertMisuse(() => first.bind(address), "ERR_ADDRESS_IN_USE", address);
    const push = new Push();
    push.connect(address);
    await push.send("x");
    await first.receive();
    push.close();
    second.close();
    // Free again once the first is gone.
    await first[Symbol.asyncDispose]();
    const third = new Pull();
    await third.bind(address);
    third.close();
  });
}

test("binding to an address that is not this machine's is refused with the endpoint", async () => {
  const pull = new Pull();
  // TEST-NET-1 (RFC 5737) is nobody's.
  await assertMisuse(() => pull.bind("tcp://192.0.2.1:5555"), "ERR_ADDRESS", "tcp://192.0.2.1:5555");
  await assertMisuse(
    () => pull.bind("ipc:///nowhere/at/all/socket"),
    "ERR_ADDRESS",
    "/nowhere/at/all/socket",
  );
  pull.close();
});

test("unbinding and disconnecting what is not in use is refused with the endpoint", async () => {
  const pull = new Pull();
  await pull.bind(freshAddress("tcp"));
  const address = pull.lastEndpoint!;
  await assertMisuse(() => pull.unbind("tcp://127.0.0.1:1"), "ERR_NOT_BOUND", "tcp://127.0.0.1:1");
  await assertMisuse(() => pull.disconnect(address), "ERR_NOT_BOUND", address);
  await pull.unbind(address);
  await assertMisuse(() => pull.unbind(address), "ERR_NOT_BOUND", address);
  pull.close();
});

test("a Request that sends twice and a Reply that answers nobody are refused, and go on afterwards", async () => {
  const reply = new Reply();
  const request = new Request();
  await reply.bind(freshAddress("inproc"));
  request.connect(reply.lastEndpoint!);
  await assertMisuse(() => reply.send("x"), "ERR_STATE");
  await request.send("question");
  await assertMisuse(() => request.send("another"), "ERR_STATE", "reply");
  await assertMisuse(() => request.request("another"), "ERR_STATE", "reply");
  await reply.receive();
  await reply.send("answer");
  assertEquals(new TextDecoder().decode((await request.receive())[0]), "answer");
  await assertMisuse(() => request.request("x", { retries: 1 }), "ERR_STATE", '"correlate"');
  request.close();
  reply.close();
});

test("a Router names the frames and the peer that it misses", async () => {
  const router = new Router({ mandatory: true });
  await assertMisuse(() => router.send("alone"), "ERR_MESSAGE", "routing id");
  await assertMisuse(() => router.send(["nobody", "x"]), "ERR_UNROUTABLE", "routing id");
  await assertMisuse(
    () => router.connect("inproc://x", { routingId: "" }),
    "ERR_OPTION",
    '"routingId"',
    "1 to 255",
  );
  router.close();
});

test("waits that are aborted or run out say so, and more of them than allowed are refused", async () => {
  const push = new Push({ sendTimeout: 1, sendWaitersMax: 2 });
  await assertMisuse(() => push.send("x"), "ERR_AGAIN", "1 ms");
  push.sendTimeout = -1;
  const reason = new Error("because");
  const abort = new AbortController();
  const aborted = push.send("x", { signal: abort.signal });
  const waiting = assertMisuse(() => push.send("x"), "ERR_CLOSED");
  await assertMisuse(() => push.send("x"), "ERR_WAITERS", '"sendWaitersMax"', "2");
  abort.abort(reason);
  await assertMisuse(() => aborted, "ERR_ABORTED");
  const thrown = await push.send("x", { signal: abort.signal }).catch((error: Error) => error);
  assert(thrown instanceof Error && thrown.cause === reason);
  push.sendTimeout = 0;
  await assertMisuse(() => push.send("x"), "ERR_AGAIN");
  push.close();
  await waiting;
  const pull = new Pull({ receiveTimeout: 1 });
  await assertMisuse(() => pull.receive(), "ERR_AGAIN", "1 ms");
  pull.receiveTimeout = 0;
  await assertMisuse(() => pull.receive(), "ERR_AGAIN");
  pull.close();
});

test("manual decisions are refused where the option is not set", async () => {
  const publisher = new XPublisher();
  await assertMisuse(() => publisher.subscribe("x"), "ERR_STATE", '"manual"');
  publisher.close();
});
