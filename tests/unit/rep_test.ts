import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { RepPattern } from "../../src/pattern/rep.ts";
import { FakeEvents, FakePipe, messageOf, patternOptions, textOf } from "./building_blocks.ts";

function makeRep(peers = 2): { rep: RepPattern; pipes: FakePipe[]; events: FakeEvents } {
  const events = new FakeEvents();
  const rep = new RepPattern({ events, options: patternOptions(), random: () => {} });
  const pipes = Array.from({ length: peers }, (_, index) => new FakePipe(String.fromCharCode(97 + index)));
  for (const pipe of pipes) {
    pipe.connected = true;
    rep.attach(pipe);
  }
  return { rep, pipes, events };
}

function ask(rep: RepPattern, pipe: FakePipe, ...texts: string[]): void {
  for (const text of texts) pipe.arrived.push(messageOf(text));
  rep.readable(pipe);
}

const receive = (rep: RepPattern): string | undefined => {
  const message = rep.tryReceive();
  return message === undefined ? undefined : textOf(message);
};

test("a reply goes back to its requester behind the whole envelope, empty frame included", () => {
  const { rep, pipes: [a, b] } = makeRep();
  ask(rep, b!, "hop2|hop1||question|more");
  assertEquals(receive(rep), "question|more");
  rep.trySend(messageOf("answer|more"));
  assertEquals([a!.texts, b!.texts], [[], ["hop2|hop1||answer|more"]]);
});

test("only the first empty frame ends the envelope", () => {
  const { rep, pipes: [a] } = makeRep();
  ask(rep, a!, "||x", "|");
  assertEquals(receive(rep), "|x");
  rep.trySend(messageOf("y"));
  assertEquals(receive(rep), "");
  rep.trySend(messageOf("z"));
  assertEquals(a!.texts, ["|y", "|z"]);
});

test("requests are taken from the peers in turn", () => {
  const { rep, pipes: [a, b] } = makeRep();
  ask(rep, a!, "|a1", "|a2", "|a3");
  ask(rep, b!, "|b1");
  const order: string[] = [];
  for (let round = 0; round < 4; round++) {
    order.push(receive(rep)!);
    rep.trySend(messageOf("ok"));
  }
  assertEquals(order, ["a1", "b1", "a2", "a3"]);
});

test("what cannot be answered is passed over: no envelope, or nothing behind it", () => {
  const { rep, pipes: [a] } = makeRep();
  ask(rep, a!, "bare", "a|b|c", "", "id|", "|good");
  assertEquals(receive(rep), "good");
});

test("receive and send alternate strictly", () => {
  const { rep, pipes: [a] } = makeRep();
  assertEquals([rep.canSend, assertThrows(() => rep.trySend(messageOf("x")), MisuseError).code], [
    false,
    "ERR_STATE",
  ]);
  assertEquals([rep.canReceive, receive(rep)], [false, undefined]);
  ask(rep, a!, "|1", "|2");
  assertEquals([rep.canReceive, receive(rep), rep.canReceive, rep.canSend], [true, "1", false, true]);
  assertEquals(assertThrows(() => rep.tryReceive(), MisuseError).code, "ERR_STATE");
  rep.trySend(messageOf("x"));
  assertEquals([rep.canReceive, rep.canSend, receive(rep)], [true, false, "2"]);
});

test("replying never blocks: what a gone or full requester does not take is dropped and told of", () => {
  const { rep, pipes: [a, b], events } = makeRep();
  ask(rep, a!, "|1");
  receive(rep);
  a!.room = 0;
  assert(rep.trySend(messageOf("x")));
  ask(rep, b!, "|2");
  receive(rep);
  b!.connected = false;
  b!.closed = true;
  rep.detach(b!);
  assert(rep.trySend(messageOf("y")));
  assertEquals(events.drops, ["a: the requester is at its high-water mark", "b: the requester is gone"]);
  ask(rep, a!, "|3");
  assertEquals(receive(rep), "3", "and life goes on");
});

test("whoever waits to receive hears when a reply has been sent", () => {
  const { rep, pipes: [a], events } = makeRep();
  ask(rep, a!, "|1", "|2");
  receive(rep);
  const before = events.readable_;
  rep.trySend(messageOf("x"));
  assert(events.readable_ > before);
});
