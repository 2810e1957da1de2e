import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import type { PatternOptions } from "../../src/pattern/pattern.ts";
import { ReqPattern } from "../../src/pattern/req.ts";
import { FakeEvents, FakePipe, messageOf, patternOptions, textOf } from "./building_blocks.ts";

function makeReq(
  options: Partial<PatternOptions> = {},
  peers = 2,
): { req: ReqPattern; pipes: FakePipe[]; events: FakeEvents } {
  const events = new FakeEvents();
  const req = new ReqPattern({
    events,
    options: patternOptions(options),
    random: (into) => into.set([0, 0, 0, 7]),
  });
  const pipes = Array.from({ length: peers }, (_, index) => new FakePipe(String.fromCharCode(97 + index)));
  for (const pipe of pipes) req.attach(pipe);
  return { req, pipes, events };
}

function answer(req: ReqPattern, pipe: FakePipe, ...texts: string[]): void {
  for (const text of texts) pipe.arrived.push(messageOf(text));
  req.readable(pipe);
}

const receive = (req: ReqPattern): string | undefined => {
  const message = req.tryReceive();
  return message === undefined ? undefined : textOf(message);
};

test("a request goes out behind an empty frame, round the peers, and its reply comes without it", () => {
  const { req, pipes: [a, b] } = makeReq();
  assert(req.trySend(messageOf("one|two")));
  answer(req, a!, "|1|2");
  assertEquals(receive(req), "1|2");
  assert(req.trySend(messageOf("three")[0]!));
  answer(req, b!, "|");
  assertEquals(receive(req), "");
  assertEquals([a!.texts, b!.texts], [["|one|two"], ["|three"]]);
});

test("send and receive alternate strictly; whoever breaks the order changes nothing", () => {
  const { req, pipes: [a] } = makeReq({}, 1);
  assertEquals(assertThrows(() => req.tryReceive(), MisuseError).code, "ERR_STATE");
  req.trySend(messageOf("one"));
  assertEquals([req.canSend, assertThrows(() => req.trySend(messageOf("x")), MisuseError).code], [
    false,
    "ERR_STATE",
  ]);
  assertEquals([a!.texts.length, receive(req), req.canReceive], [1, undefined, false]);
  answer(req, a!, "|1");
  assert(req.canReceive);
  assertEquals(receive(req), "1");
  assertEquals(assertThrows(() => req.tryReceive(), MisuseError).code, "ERR_STATE");
  assert(req.canSend);
});

test("only the peer that was asked can answer", () => {
  const { req, pipes: [a, b] } = makeReq();
  req.trySend(messageOf("to a"));
  answer(req, b!, "|from b", "|from b again");
  assertEquals(receive(req), undefined);
  answer(req, a!, "|from a");
  assertEquals(receive(req), "from a");
});

test("what came before a request is no answer to it", () => {
  const { req, pipes: [a, b] } = makeReq();
  answer(req, a!, "|early");
  answer(req, b!, "|early too");
  req.trySend(messageOf("now"));
  assertEquals(receive(req), undefined);
  answer(req, a!, "|late");
  assertEquals(receive(req), "late");
});

test("what has no envelope is no reply", () => {
  const { req, pipes: [a] } = makeReq({}, 1);
  req.trySend(messageOf("ask"));
  answer(req, a!, "bare", "", "id|no delimiter", "x||y");
  assertEquals(receive(req), undefined);
  answer(req, a!, "|good");
  assertEquals(receive(req), "good");
});

test("a request whose peer is gone is answered by whoever answers next, as in libzmq", () => {
  const { req, pipes: [a, b] } = makeReq();
  req.trySend(messageOf("to a"));
  req.detach(a!);
  answer(req, b!, "|from b");
  assertEquals(receive(req), "from b");
});

test("without room for it a request is not sent, and the next may be", () => {
  const { req, pipes: [a] } = makeReq({}, 1);
  a!.room = 0;
  assertEquals([req.trySend(messageOf("x")), req.waiting], [false, false]);
  a!.room = 1;
  req.writable(a!);
  assertEquals([req.trySend(messageOf("x")), req.waiting], [true, true]);
});

test("correlated requests carry numbers of four bytes that count up, and only their own replies are taken", () => {
  const { req, pipes: [a] } = makeReq({ correlate: true }, 1);
  for (const number of [7, 8, 9]) {
    req.trySend(messageOf("ask"));
    const [id, delimiter, body] = a!.written.at(-1)!;
    assertEquals([[...id!], delimiter!.length, textOf([body!])], [[0, 0, 0, number], 0, "ask"]);
    for (const wrong of [[new Uint8Array([0, 0, 0, number - 1])], [new Uint8Array([number])], []]) {
      a!.arrived.push([...wrong, new Uint8Array(0), messageOf("bogus")[0]!]);
    }
    a!.arrived.push([id!, messageOf("no delimiter")[0]!]);
    a!.arrived.push([id!, new Uint8Array(0), messageOf(`answer ${number}`)[0]!]);
    req.readable(a!);
    assertEquals(receive(req), `answer ${number}`);
  }
});

test("a number is used again only when its request was not sent, and the count goes round", () => {
  const events = new FakeEvents();
  const req = new ReqPattern({
    events,
    options: patternOptions({ correlate: true }),
    random: (into) => into.fill(255),
  });
  const pipe = new FakePipe("a");
  pipe.room = 0;
  req.attach(pipe);
  req.trySend(messageOf("x"));
  pipe.room = 2;
  req.writable(pipe);
  req.trySend(messageOf("x"));
  req.giveUp();
  req.trySend(messageOf("y"));
  assertEquals(pipe.written.map(([id]) => [...id!]), [[255, 255, 255, 255], [0, 0, 0, 0]]);
});

test("relaxed: a new request may go out at any time, and with numbers a late reply is never its answer", () => {
  const { req, pipes: [a, b] } = makeReq({ relaxed: true, correlate: true });
  req.trySend(messageOf("one"));
  req.trySend(messageOf("two"));
  const [first] = a!.written[0]!;
  const [second] = b!.written[0]!;
  a!.arrived.push([first!, new Uint8Array(0), messageOf("late")[0]!]);
  req.readable(a!);
  assertEquals(receive(req), undefined);
  b!.arrived.push([second!, new Uint8Array(0), messageOf("right")[0]!]);
  req.readable(b!);
  assertEquals(receive(req), "right");
});

test("relaxed: a request that nobody can take leaves the reply to the last one alone", () => {
  const { req, pipes: [a] } = makeReq({ relaxed: true }, 1);
  req.trySend(messageOf("one"));
  answer(req, a!, "|reply");
  a!.room = 0;
  assertEquals(req.trySend(messageOf("two")), false);
  assertEquals(receive(req), "reply");
});

test("giving up lets the next request go out; the reply that comes late is eaten", () => {
  const { req, pipes: [a] } = makeReq({}, 1);
  req.trySend(messageOf("one"));
  req.giveUp();
  assertEquals(assertThrows(() => req.tryReceive(), MisuseError).code, "ERR_STATE");
  answer(req, a!, "|late");
  req.trySend(messageOf("two"));
  assertEquals(receive(req), undefined);
  answer(req, a!, "|two's");
  assertEquals(receive(req), "two's");
});
