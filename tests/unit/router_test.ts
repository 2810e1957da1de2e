import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError, PeerError } from "../../src/errors.ts";
import type { PatternOptions } from "../../src/pattern/pattern.ts";
import { RouterPattern } from "../../src/pattern/router.ts";
import { FakeEvents, FakePipe, known, messageOf, patternOptions, peerOf, textOf } from "./building_blocks.ts";

function makeRouter(options: Partial<PatternOptions> = {}): { router: RouterPattern; events: FakeEvents } {
  const events = new FakeEvents();
  const router = new RouterPattern({
    events,
    options: patternOptions(options),
    random: (into) => into.set([1, 2, 3, 255]),
  });
  return { router, events };
}

/** A peer that has come, or was refused. */
function join(router: RouterPattern, name: string, identity = ""): FakePipe {
  const pipe = new FakePipe(name);
  pipe.known = known(peerOf(identity));
  pipe.connected = true;
  pipe.onRefuse = () => {
    pipe.closed = true;
    router.detach(pipe);
  };
  router.attach(pipe);
  router.ready(pipe);
  return pipe;
}

function say(router: RouterPattern, pipe: FakePipe, ...texts: string[]): void {
  for (const text of texts) pipe.arrived.push(messageOf(text));
  router.readable(pipe);
}

const receive = (router: RouterPattern): string | undefined => {
  const message = router.tryReceive();
  return message === undefined ? undefined : textOf(message);
};

test("what is received has the peer's id in front; what is sent goes where its first frame says, without it", () => {
  const { router } = makeRouter();
  const [a, b] = [join(router, "a", "alice"), join(router, "b", "bob")];
  say(router, a, "1|2");
  say(router, b, "");
  assertEquals([receive(router), receive(router)], ["alice|1|2", "bob|"]);
  assert(router.trySend(messageOf("bob|x|y")) && router.trySend(messageOf("alice|z")));
  assertEquals([a.texts, b.texts], [["z"], ["x|y"]]);
});

test("a peer without a name gets one of five bytes, a zero and a number that counts up", () => {
  const { router } = makeRouter();
  const ids = [join(router, "a"), join(router, "b")].map((pipe) => {
    say(router, pipe, "x");
    return [...router.tryReceive()![0]!];
  });
  assertEquals(ids, [[0, 1, 2, 3, 255], [0, 1, 2, 4, 0]]);
  assert(router.trySend([Uint8Array.from(ids[1]!), messageOf("back")[0]!]));
});

test("peers are heard in turn", () => {
  const { router } = makeRouter();
  const [a, b] = [join(router, "a", "a"), join(router, "b", "b")];
  say(router, a, "1", "2", "3");
  say(router, b, "1");
  assertEquals([1, 2, 3, 4].map(() => receive(router)), ["a|1", "b|1", "a|2", "a|3"]);
});

test("without mandatory, what has nowhere to go is dropped and told of; nothing ever blocks", () => {
  const { router, events } = makeRouter();
  const a = join(router, "a", "a");
  a.room = 1;
  assert(router.canSend);
  for (const text of ["nobody|x", "a|1", "a|2"]) assert(router.trySend(messageOf(text)));
  assertEquals([a.texts, events.drops], [["1"], [
    "nobody: no peer has this routing id",
    "a: the peer is at its high-water mark",
  ]]);
});

test("with mandatory, an unknown peer is an error and a full one is waited for", () => {
  const { router, events } = makeRouter({ mandatory: true });
  assertEquals(router.canSend, false);
  assertEquals(assertThrows(() => router.trySend(messageOf("a|x")), MisuseError).code, "ERR_UNROUTABLE");
  const a = join(router, "a", "a");
  a.room = 1;
  assert(router.canSend && router.canSendTo(messageOf("a")[0]!));
  assertEquals([router.trySend(messageOf("a|1")), router.trySend(messageOf("a|2"))], [true, false]);
  assertEquals([router.canSend, router.canSendTo(messageOf("a")[0]!)], [false, false]);
  assert(router.onlyPipeFor(messageOf("a|x")) === a && router.onlyPipeFor(messageOf("b|x")) === undefined);
  const before = events.writable_;
  router.detach(a);
  assert(events.writable_ > before, "who waits for it must be told that there is nobody");
  assertThrows(() => router.trySend(messageOf("a|2")), MisuseError);
});

test("a message is an id and something", () => {
  const { router } = makeRouter();
  join(router, "a", "a");
  for (const message of [messageOf("a"), messageOf("a")[0]!, []]) {
    assertEquals(assertThrows(() => router.trySend(message), MisuseError).code, "ERR_MESSAGE");
  }
});

test("without handover, who comes with a name that is taken is refused, and the older goes on", () => {
  const { router } = makeRouter();
  const older = join(router, "older", "same");
  const newer = join(router, "newer", "same");
  assert(newer.refused instanceof PeerError && newer.refused.code === "ERR_PEER_IDENTITY");
  assertEquals(older.refused, undefined);
  router.trySend(messageOf("same|x"));
  say(router, older, "y");
  assertEquals([older.texts, newer.texts, receive(router)], [["x"], [], "same|y"]);
  router.detach(older);
  assertEquals(join(router, "next", "same").refused, undefined, "the name is free again");
});

test("with handover, the newer takes the name, and the older's late end does not take it away", () => {
  const { router } = makeRouter({ handover: true });
  const older = join(router, "older", "same");
  router.trySend(messageOf("same|1"));
  const newer = join(router, "newer", "same");
  assert(older.refused instanceof PeerError);
  router.detach(older);
  router.trySend(messageOf("same|2"));
  assertEquals([older.texts, newer.texts], [["1"], ["2"]]);
  const third = join(router, "third", "same");
  router.trySend(messageOf("same|3"));
  assertEquals([newer.texts, third.texts], [["2"], ["3"]]);
});

test("a peer that was named when it was connected can be addressed before it is there, whatever it calls itself", () => {
  const { router } = makeRouter({ mandatory: true });
  const pipe = new FakePipe("a");
  pipe.routingId = messageOf("server")[0]!;
  router.attach(pipe);
  assert(router.trySend(messageOf("server|early")));
  pipe.known = known(peerOf("other name"));
  router.ready(pipe);
  say(router, pipe, "hello");
  assertEquals([receive(router), pipe.texts], ["server|hello", ["early"]]);
  assertThrows(() => router.trySend(messageOf("other name|x")), MisuseError);
  const second = new FakePipe("b");
  second.routingId = messageOf("server")[0]!;
  router.attach(second);
  assert(second.refused instanceof MisuseError, "one name, one peer");
});

test("a connection that is made again keeps its name, even if the peer has another now", () => {
  const { router } = makeRouter();
  const pipe = join(router, "a", "first");
  router.lost(pipe);
  pipe.known = known(peerOf("second"));
  router.ready(pipe);
  say(router, pipe, "x");
  assertEquals(receive(router), "first|x");
});

test("what was received before a peer left stays readable under its name", () => {
  const { router } = makeRouter();
  const pipe = join(router, "a", "a");
  say(router, pipe, "1", "2");
  router.detach(pipe);
  assertEquals([receive(router), receive(router), receive(router)], ["a|1", "a|2", undefined]);
});

test("a probing router greets every peer with an empty message", () => {
  const { router } = makeRouter({ probeRouter: true });
  assertEquals(join(router, "a").texts, [""]);
});

test("ids are bytes: zeros, high bytes and long ids are told apart", () => {
  const { router } = makeRouter({ mandatory: true });
  const ids = [
    [1],
    [1, 0],
    [1, 0, 0],
    [255],
    [254],
    Array.from({ length: 255 }, () => 7),
    Array.from({ length: 254 }, () => 7),
  ];
  const pipes = ids.map((id, index) => {
    const pipe = new FakePipe(`${index}`);
    pipe.known = known({ ...peerOf(), identity: Uint8Array.from(id) });
    router.attach(pipe);
    router.ready(pipe);
    return pipe;
  });
  for (const round of [0, 1]) {
    ids.forEach((id, index) => {
      router.trySend([Uint8Array.from(id), messageOf(`${round}`)[0]!]);
      assertEquals(pipes[index]!.written.length, round + 1);
    });
  }
});
