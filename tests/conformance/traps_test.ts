import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { asciiBytes, concat } from "../../src/bytes/bytes.ts";
import { Engine, type EngineInit } from "../../src/engine/engine.ts";
import { DEFAULT_LIMITS } from "../../src/engine/limits.ts";
import { PendingTotal } from "../../src/engine/pending_chunks.ts";
import type { PeerError } from "../../src/errors.ts";
import type { Message } from "../../src/pattern/pipe/pipe.ts";
import type { SocketEvent, SocketEventType } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import { Request } from "../../src/socket/types/request.ts";
import type { ReceivingSocket, Socket } from "../../src/socket/socket.ts";
import {
  Dealer,
  Pair,
  Publisher,
  Pull,
  Push,
  Reply,
  Router,
  Subscriber,
  XPublisher,
} from "../../src/socket/sockets.ts";
import { FrameDecoder } from "../../src/zmtp/frame_decoder.ts";
import type { Mechanism, MechanismFactory } from "../../src/zmtp/mechanism/mechanism.ts";
import { nullMechanism } from "../../src/zmtp/mechanism/null.ts";
import { Segment } from "../../src/zmtp/segment.ts";
import { FLAG_COMMAND, FLAG_MORE } from "../../src/zmtp/wire.ts";
import { World } from "../support/world.ts";
import { command, greeting, message, RawPeer, ready } from "./raw_peer.ts";

const NO_BYTES = new Uint8Array(0);

/** A world with a context. */
function makeWorld(): { world: World; context: Context } {
  const world = new World(1);
  return { world, context: new Context({ host: world.host, transports: { sim: world.network } }) };
}

/** A bound socket and a raw peer that has connected to it and said so much. */
async function talk<Kind extends Socket>(
  make: (context: Context) => Kind,
  ...said: Uint8Array[]
): Promise<{ world: World; socket: Kind; peer: RawPeer; events: SocketEvent[] }> {
  const { world, context } = makeWorld();
  const socket = make(context);
  const events: SocketEvent[] = [];
  const types: readonly SocketEventType[] = [
    "handshake",
    "disconnect",
    "handshake:error:protocol",
    "handshake:error:auth",
    "handshake:error:other",
  ];
  for (const type of types) socket.events.on(type, (event) => events.push(event));
  await world.driveTo(socket.bind("sim://trap"));
  const peer = RawPeer.connect(world, "sim://trap").say(...said);
  await world.driveFor(10);
  return { world, socket, peer, events };
}

/** What the events say: types, with the code of the error. */
function told(events: readonly SocketEvent[]): string[] {
  return events.map((event) => {
    const { type } = event;
    const code = (("error" in event ? event.error : undefined) as PeerError | undefined)?.code;
    return code === undefined ? type : `${type} ${code}`;
  });
}

function textOf(frames: Message | undefined): string | undefined {
  return frames?.map((frame) => String.fromCharCode(...frame)).join("|");
}

function received(socket: ReceivingSocket): (string | undefined)[] {
  return socket.receiveMany().map(textOf);
}

test("trap 1: two peers that wait for each other at byte 10 or 11: ours says all 64 bytes unasked", async () => {
  const { socket, peer, world } = await talk((context) => new Pull({ context }));
  assertEquals(peer.bytes.length, 64, "before the peer has said anything");
  peer.say(greeting().slice(0, 10));
  await world.driveFor(10);
  peer.say(greeting().slice(10, 11));
  await world.driveFor(10);
  peer.say(greeting().slice(11), ready("PUSH"), message("late but whole"));
  await world.driveFor(10);
  assertEquals(received(socket), ["late but whole"]);
});

test("trap 2: padding and filler are not looked at, as-server is none of our business here", async () => {
  const odd = greeting();
  odd.fill(0xa5, 1, 9);
  odd.fill(0x5a, 33, 64);
  const { socket, events } = await talk((context) => new Pull({ context }), odd, ready("PUSH"), message("x"));
  assertEquals([told(events), received(socket)], [["handshake"], ["x"]]);
});

test("trap 3: as-server is not enforced, whatever it says", async () => {
  for (const asServer of [0, 1, 0xff]) {
    const odd = greeting();
    odd[32] = asServer;
    const { socket } = await talk((context) => new Pull({ context }), odd, ready("PUSH"), message("x"));
    assertEquals(received(socket), ["x"], `as-server ${asServer}`);
  }
});

test("trap 4: versions above ours are talked to", async () => {
  for (const [major, minor] of [[3, 2], [3, 255], [4, 0], [255, 255]]) {
    const newer = greeting();
    newer.set([major!, minor!], 10);
    const { socket, peer } = await talk(
      (context) => new Pull({ context }),
      newer,
      ready("PUSH"),
      message("x"),
    );
    assertEquals(received(socket), ["x"], `${major}.${minor}`);
    assertEquals([...peer.bytes.subarray(10, 12)], [3, 1], "and we say our own");
  }
});

test("trap 5: a mechanism is compared in all its 20 bytes", async () => {
  const names = ["NUL", "NULLX", "NULL\0X", "null", "NULL               X", "", "CURVE"];
  for (const name of names) {
    const other = greeting();
    other.fill(0, 12, 32);
    other.set([...name].map((letter) => letter.charCodeAt(0)), 12);
    const { peer, events, world } = await talk((context) => new Pull({ context }), other, ready("PUSH"));
    assertEquals(told(events), ["handshake:error:protocol ERR_PEER_MECHANISM"], JSON.stringify(name));
    assertEquals(peer.bytes.length, 64, "it is told our greeting, so that it knows why");
    await world.driveFor(5_000);
    assert(peer.closed || peer.ended);
  }
});

test("trap 5: who has another mechanism hears our whole greeting, also over a slow link that a reset would empty", async () => {
  const { world, context } = makeWorld();
  world.network.configure({ latencyMsMax: 50 });
  const pull = new Pull({ context });
  await world.driveTo(pull.bind("sim://trap"));
  const peer = RawPeer.connect(world, "sim://trap").say(greeting(1, "CURVE"));
  await peer.until(({ closed }) => closed, "the end");
  assertEquals(peer.bytes.length, 64);
});

test("trap 6: a publisher keeps a set of topics per peer and does not count: one CANCEL ends two SUBSCRIBEs", async () => {
  const subscribe = command("SUBSCRIBE", asciiBytes("A"));
  for (const cancels of [1, 3]) {
    const { socket, peer, world } = await talk(
      (context) => new XPublisher({ context }),
      greeting(),
      ready("SUB"),
      subscribe,
      subscribe,
    );
    socket.trySend("A1");
    await world.driveFor(10);
    peer.say(...Array.from({ length: cancels }, () => command("CANCEL", asciiBytes("A"))));
    await world.driveFor(10);
    socket.trySend("A2");
    await world.driveFor(10);
    assertEquals(peer.frames, ["0 A1"]);
    assertEquals(received(socket), ["\x01A", "\x00A"]);
  }
});

test("trap 6: our subscriber counts for itself: every topic is told once, and cancelled with its last reference", async () => {
  const { socket, peer, world } = await talk(
    (context) => new Subscriber({ context }),
    greeting(),
    ready("PUB"),
  );
  socket.subscribe("A", "A", "B");
  socket.unsubscribe("A");
  await world.driveFor(10);
  socket.unsubscribe("A", "A", "never");
  await world.driveFor(10);
  assertEquals(peer.frames, ["4 \tSUBSCRIBEA", "4 \tSUBSCRIBEB", "4 \x06CANCELA"]);
});

test("trap 7: a 3.0 peer is told of subscriptions by messages, never by commands", async () => {
  const { socket, peer, world } = await talk(
    (context) => new Subscriber({ context }),
    greeting(0),
    ready("PUB"),
  );
  socket.subscribe("A", "");
  await world.driveFor(10);
  socket.unsubscribe("A");
  await world.driveFor(10);
  assertEquals(peer.frames, ["0 \x01A", "0 \x01", "0 \x00A"]);
});

test("trap 7: a topic of 254 and of 255 bytes to a 3.0 peer has the header that its size needs", async () => {
  for (const bytes of [254, 255]) {
    const { socket, peer, world } = await talk(
      (context) => new Subscriber({ context }),
      greeting(0),
      ready("PUB"),
    );
    const topic = "t".repeat(bytes);
    socket.subscribe(topic);
    await world.driveFor(10);
    assertEquals(peer.frames, [`${bytes === 254 ? 0 : 2} \x01${topic}`]);
  }
});

test("trap 8: subscriptions in message form count from every peer, 3.1 as well", async () => {
  for (const minor of [0, 1]) {
    const { socket, peer, world } = await talk(
      (context) => new Publisher({ context }),
      greeting(minor),
      ready("SUB"),
      message("\x01A"),
      message("\x01B"),
      message("\x00B"),
    );
    for (const text of ["A1", "B1", "C1"]) socket.trySend(text);
    await world.driveFor(10);
    assertEquals(peer.frames, ["0 A1"], `3.${minor}`);
  }
});

/** A mechanism as CURVE is: every frame inside another, and COMMAND numbered 0x02 there. */
class Sealed {
  readonly name = "CURVE";
  readonly transparent = false;
  readonly overheadBytes = 9;
  status: "handshaking" | "ready" = "handshaking";
  readonly peerMetadata = new Map([["socket-type", asciiBytes("SUB")]]);
  #nonce = 0;
  #asked = false;
  nextCommand(): Uint8Array | undefined {
    if (this.#asked) return undefined;
    this.#asked = true;
    return asciiBytes("\x05HELLO");
  }
  handleCommand(): undefined {
    this.status = "ready";
  }
  seal(flags: number, body: Uint8Array): Uint8Array {
    const inner = ((flags & FLAG_MORE) !== 0 ? 1 : 0) | ((flags & FLAG_COMMAND) !== 0 ? 2 : 0);
    return concat([asciiBytes("\x07MESSAGE"), Uint8Array.of(++this.#nonce, inner), body]);
  }
  open(body: Uint8Array): { flags: number; body: Uint8Array } {
    const inner = body[9]!;
    return {
      flags: ((inner & 1) !== 0 ? FLAG_MORE : 0) | ((inner & 2) !== 0 ? FLAG_COMMAND : 0),
      body: body.subarray(10),
    };
  }
}

function engineOf(init: Partial<EngineInit>): Engine {
  const timings = { handshakeMs: 0, heartbeatIntervalMs: 0, heartbeatTimeoutMs: 0, heartbeatTtlMs: 0 };
  return new Engine({
    socketType: "XPUB",
    identity: NO_BYTES,
    mechanism: nullMechanism,
    limits: DEFAULT_LIMITS,
    timings,
    pendingTotal: new PendingTotal(Infinity),
    random: (into) => into.fill(0),
    ...init,
  });
}

/** Everything that an engine wants to write now. */
function written(engine: Engine): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let out = engine.pollTransmit(); out !== undefined; out = engine.pollTransmit()) {
    chunks.push(...out);
    engine.transmitted(true, 0);
  }
  return concat(chunks);
}

test("trap 9: inside a sealed frame COMMAND is the mechanism's own bit, and outside it is an ordinary message", () => {
  const sealedFactory: MechanismFactory = {
    name: "CURVE",
    asServer: true,
    create: () => new Sealed() as unknown as Mechanism,
  };
  const engine = engineOf({ mechanism: sealedFactory });
  engine.started(0);
  const theirs = greeting(1, "CURVE");
  engine.receive(concat([theirs, command("HELLO")]), 0);
  written(engine);
  const messages: Uint8Array[][] = [];
  const segment = new Segment(100);
  segment.addMessage([asciiBytes("a"), asciiBytes("b")]);
  let segments = [segment];
  engine.attach({
    credit: 9,
    run: () => assert(false),
    message: (frames) => void messages.push(frames),
    announce: () => {},
  }, {
    get hasSegments() {
      return segments.length > 0;
    },
    presses: false,
    take: () => segments.shift(),
    release: () => segments = [],
    discard: () => {},
  });
  engine.resumeDecoding(0);
  const out = written(engine);
  assertEquals(String.fromCharCode(...out), "\0\x0b\x07MESSAGE\x01\x01a\0\x0b\x07MESSAGE\x02\x00b");
  // A PING inside, with inner flag 2, in an outer message and in an outer command.
  const ping = concat([
    asciiBytes("\x07MESSAGE"),
    Uint8Array.of(1, 2),
    asciiBytes("\x04PING"),
    Uint8Array.of(0, 0, 0x63),
  ]);
  const text = concat([asciiBytes("\x07MESSAGE"), Uint8Array.of(2, 0), asciiBytes("text")]);
  for (const outer of [0, 4]) {
    engine.receive(
      concat([Uint8Array.of(outer, ping.length), ping, Uint8Array.of(outer, text.length), text]),
      0,
    );
    assertEquals(written(engine)[11], 2, "the PONG is a command inside");
  }
  assertEquals(messages.map(textOf), ["text", "text"]);
});

test("trap 10: every connection has a mechanism of its own, so that nonces begin anew", () => {
  const made: object[] = [];
  const factory: MechanismFactory = {
    name: "NULL",
    asServer: false,
    create: (init) => {
      const mechanism = nullMechanism.create(init);
      made.push(mechanism);
      return mechanism;
    },
  };
  for (let connection = 0; connection < 3; connection++) engineOf({ mechanism: factory });
  assertEquals([made.length, new Set(made).size], [3, 3]);
});

test("trap 11: bytes glued to the greeting and to READY are not lost, whatever the cut", async () => {
  const stream = concat([greeting(), ready("PUSH"), message("first", ""), message("second")]);
  for (let cut = 0; cut < stream.length; cut += 3) {
    const { socket, peer, world } = await talk((context) => new Pull({ context }), stream.slice(0, cut));
    peer.say(stream.slice(cut));
    await world.driveFor(10);
    assertEquals(received(socket), ["first|", "second"], `cut at ${cut}`);
  }
});

test("trap 12: a PING between the frames of a message is answered, and the message stays whole", async () => {
  const { socket, peer } = await talk(
    (context) => new Pull({ context }),
    greeting(),
    ready("PUSH"),
    message("a", "b").slice(0, 3),
    command("PING", Uint8Array.of(0, 0, 0x63)),
    message("a", "b").slice(3),
  );
  assertEquals([peer.frames, received(socket)], [["4 \x04PONGc"], ["a|b"]]);
});

test("trap 13: a TTL counts tenths of a second, both ways", async () => {
  const { socket, peer, world, events } = await talk(
    (context) =>
      new Pull({ context, heartbeatInterval: 100, heartbeatTimeout: 60_000, heartbeatTimeToLive: 2_450 }),
    greeting(),
    ready("PUSH"),
    command("PING", Uint8Array.of(0, 7)),
  );
  await peer.until(({ frames }) => frames.length >= 2, "a PING");
  assertEquals(
    peer.frames[1],
    `4 \x04PING${String.fromCharCode(0, 25)}`,
    "rounded up, so that nobody gives up too early",
  );
  const before = world.nowMs;
  await world.drive(() => events.length > 1);
  assertEquals(told(events), ["handshake", "disconnect ERR_PEER_HEARTBEAT_TIMEOUT"]);
  assert(world.nowMs - before > 500 && world.nowMs <= 730, `after ${world.nowMs} ms`);
  socket.close();
});

test("trap 14: a PONG carries the context of its PING, empty or 16 bytes, and no more", async () => {
  for (
    const [context, echo] of [["", ""], ["c", "c"], ["0123456789abcdef", "0123456789abcdef"], [
      "0123456789abcdefXX",
      "0123456789abcdef",
    ]]
  ) {
    const { peer } = await talk(
      (made) => new Pair({ context: made }),
      greeting(),
      ready("PAIR"),
      command("PING", concat([Uint8Array.of(0, 0), asciiBytes(context!)])),
    );
    assertEquals(peer.frames, [`4 \x04PONG${echo}`]);
  }
});

test("trap 14: a PING that is too short for its TTL is refused; it is not answered with what lies behind it", async () => {
  for (const data of [NO_BYTES, Uint8Array.of(0)]) {
    const { peer, events } = await talk(
      (context) => new Pair({ context }),
      greeting(),
      ready("PAIR"),
      command("PING", data),
    );
    assertEquals([told(events), peer.frames], [["handshake", "disconnect ERR_PEER_COMMAND"], []]);
  }
});

test("trap 15: commands pass by the state machines of REQ and REP", async () => {
  const noise = concat([
    command("PING", Uint8Array.of(0, 0)),
    command("PONG"),
    command("WHATEVER", asciiBytes("x")),
  ]);
  const replying = await talk((context) => new Reply({ context }), greeting(), ready("REQ"), noise);
  replying.peer.say(message("", "ask"), noise);
  await replying.world.driveFor(10);
  assertEquals(received(replying.socket), ["ask"]);
  replying.peer.say(noise);
  await replying.world.driveFor(10);
  replying.socket.trySend("answer");
  await replying.world.driveFor(10);
  assertEquals(replying.peer.frames.filter((frame) => !frame.includes("PONG")), ["1 ", "0 answer"]);

  const asking = await talk((context) => new Request({ context }), greeting(), ready("REP"), noise);
  asking.socket.trySend("ask");
  asking.peer.say(noise);
  await asking.world.driveFor(10);
  assertEquals(asking.socket.tryReceive(), undefined);
  asking.peer.say(message("", "answer"), noise);
  await asking.world.driveFor(10);
  assertEquals(textOf(asking.socket.tryReceive()), "answer");
});

test("trap 16: what a header announces is not allocated", async () => {
  const limits = { frameBytesMax: 2 ** 50, messageBytesMax: 2 ** 50, messageFramesMax: 10 };
  const nothing = { run: () => {}, message: () => {}, command: () => undefined };
  const decoder = new FrameDecoder(nothing, limits, {
    memory: () => assert(false, "memory for a header") as never,
  });
  decoder.decode(Uint8Array.of(2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0, 1);
  assertEquals([decoder.error, decoder.heldBytes], [undefined, 0]);
  const { events } = await talk(
    (context) => new Pull({ context, maxMessageSize: 1_000_000 }),
    greeting(),
    ready("PUSH"),
    Uint8Array.of(2, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41),
  );
  assertEquals(told(events), ["handshake", "disconnect ERR_PEER_FRAME_SIZE"]);
});

/** A listener that answers every connection with the same bytes, and the connections that came. */
async function listening(world: World, ...said: Uint8Array[]): Promise<RawPeer[]> {
  const peers: RawPeer[] = [];
  await world.driveTo(
    world.network.listen("sim://raw", {})((attach) => {
      const peer = new RawPeer(world, attach).say(...said);
      peers.push(peer);
    }, () => {}),
  );
  return peers;
}

test("trap 17: after an ERROR nobody connects again", async () => {
  const { world, context } = makeWorld();
  const peers = await listening(
    world,
    greeting(),
    command("ERROR", concat([Uint8Array.of(2), asciiBytes("no")])),
  );
  const push = new Push({ context, reconnectInterval: 10 });
  const events: SocketEvent<"handshake:error:auth">[] = [];
  push.events.on("handshake:error:auth", (event) => events.push(event));
  push.connect("sim://raw");
  await world.driveFor(10_000);
  assertEquals([peers.length, told(events)], [1, ["handshake:error:auth ERR_PEER_ERROR"]]);
  assert(events[0]!.error!.message.includes("no"), "the reason is told");
});

test("trap 18: property names have no case when they come, and the case that libzmq compares when they go", async () => {
  const properties = concat([
    Uint8Array.of(11),
    asciiBytes("sOCKET-tYPE"),
    Uint8Array.of(0, 0, 0, 6),
    asciiBytes("DEALER"),
    Uint8Array.of(8),
    asciiBytes("IDENTITY"),
    Uint8Array.of(0, 0, 0, 2),
    asciiBytes("me"),
  ]);
  const { socket, peer } = await talk(
    (context) => new Router({ context }),
    greeting(),
    command("READY", properties),
    message("x"),
  );
  assertEquals(received(socket), ["me|x"]);
  const said = String.fromCharCode(...peer.bytes.subarray(64));
  assert(said.includes("\x0bSocket-Type\0\0\0\x06ROUTER") && said.includes("\x08Identity\0\0\0\0"));
});

test("trap 19: an identity may have 255 bytes; one that begins with 0 is nobody's; a longer one is refused", async () => {
  const longest = new Uint8Array(255).fill(0x69);
  const long = await talk(
    (context) => new Router({ context }),
    greeting(),
    ready("DEALER", longest),
    message("x"),
  );
  const [id] = long.socket.tryReceive()!;
  assertEquals(id, longest);
  long.socket.trySend([longest, "back"]);
  await long.world.driveFor(10);
  assertEquals(long.peer.frames, ["0 back"]);

  const forged = Uint8Array.of(0, 1, 2, 3, 4);
  const zero = await talk(
    (context) => new Router({ context }),
    greeting(),
    ready("DEALER", forged),
    message("x"),
  );
  const [generated] = zero.socket.tryReceive()!;
  assertEquals([generated!.length, generated![0]], [5, 0]);
  assert(String(generated) !== String(forged), "nobody takes a generated id by claiming it");

  const tooLong = await talk(
    (context) => new Router({ context }),
    greeting(),
    ready("DEALER", new Uint8Array(256).fill(1)),
  );
  assertEquals(told(tooLong.events), ["handshake:error:auth ERR_PEER_IDENTITY"]);
});

test("trap 20: empty messages and empty frames are messages everywhere", async () => {
  const { world, context } = makeWorld();
  const pairs: readonly (readonly [
    Socket & { trySend(message: string[]): boolean },
    ReceivingSocket,
    string[],
    string,
  ])[] = [
    [new Push({ context }), new Pull({ context }), [""], ""],
    [new Push({ context }), new Pull({ context }), ["", "", ""], "||"],
    [new Pair({ context }), new Pair({ context }), [""], ""],
    [new Dealer({ context, routingId: "d" }), new Router({ context }), [""], "d|"],
    [new Request({ context }), new Reply({ context }), [""], ""],
    [new Request({ context }), new Reply({ context }), ["", ""], "|"],
    [new Publisher({ context }), new Subscriber({ context }), [""], ""],
    [new Publisher({ context }), new Subscriber({ context }), ["", "x", ""], "|x|"],
  ];
  for (const [index, [sender, receiver, sent, expected]] of pairs.entries()) {
    for (const scheme of ["sim", "inproc"]) {
      const address = `${scheme}://empty-${index}`;
      await world.driveTo(receiver.bind(address));
      sender.connect(address);
      if (receiver instanceof Subscriber) receiver.subscribe();
      if (sender instanceof Publisher) await world.driveTo(sender.subscribed(""));
      assert(sender.trySend(sent));
      let got: Message | undefined;
      await world.drive(() => (got = receiver.tryReceive()) !== undefined);
      assertEquals(textOf(got), expected, `${sender.type} over ${scheme}`);
      sender.disconnect(address);
      if (sender instanceof Request) break;
      await world.driveTo(receiver.unbind(address));
    }
  }
});

test("trap 21: half a multipart at a disconnect vanishes, and what comes next begins clean", async () => {
  const stream = message("a", "b", "c");
  for (let cut = 1; cut < stream.length; cut++) {
    for (const mode of ["flush", "abort"] as const) {
      const { socket, peer, world } = await talk(
        (context) => new Pull({ context }),
        greeting(),
        ready("PUSH"),
        message("whole"),
        stream.slice(0, cut),
      );
      peer.leave(mode);
      const next = RawPeer.connect(world, "sim://trap").say(greeting(), ready("PUSH"), message("next"));
      await world.driveFor(10);
      assertEquals(received(socket), ["whole", "next"], `cut at ${cut}`);
      next.leave();
    }
  }
});

test("trap 22: an Identity from a type that announces none does no harm", async () => {
  const { socket, peer, world, events } = await talk(
    (context) => new Publisher({ context }),
    greeting(),
    ready("SUB", asciiBytes("unexpected")),
    command("SUBSCRIBE"),
  );
  assertEquals(told(events), ["handshake"]);
  socket.trySend("x");
  await world.driveFor(10);
  assertEquals(peer.frames, ["0 x"]);
});

test("trap 23: peers of ZMTP 1.0 and 2.0 are refused, so that nobody gets round a mechanism through them", async () => {
  const old: readonly (readonly [string, Uint8Array])[] = [
    ["1.0, anonymous", Uint8Array.of(1, 0)],
    ["1.0, long identity", Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0)],
    ["2.0", concat([Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 8), new Uint8Array(60)])],
    ["a web browser", asciiBytes("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")],
  ];
  for (const [name, bytes] of old) {
    const { socket, events, world, peer } = await talk(
      (context) => new Pull({ context }),
      bytes,
      message("smuggled"),
    );
    assertEquals([told(events), received(socket)], [["handshake:error:protocol ERR_PEER_VERSION"], []], name);
    await world.driveFor(5_000);
    assert(peer.closed || peer.ended, name);
  }
});

test("trap 24: a connection that closes in the handshake is tried again", async () => {
  for (
    const said of [
      NO_BYTES,
      greeting().slice(0, 20),
      greeting(),
      concat([greeting(), ready("PULL").slice(0, 9)]),
    ]
  ) {
    const { world, context } = makeWorld();
    const peers = await listening(world, said);
    const push = new Push({ context, reconnectInterval: 10 });
    push.connect("sim://raw");
    for (let attempt = 1; attempt <= 3; attempt++) {
      await world.drive(() => peers.length >= attempt && peers.at(-1)!.opened, {
        waitingFor: `attempt ${attempt}`,
      });
      await world.driveFor(1);
      peers.at(-1)!.leave(attempt % 2 === 0 ? "flush" : "abort");
    }
    await world.drive(() => peers.length === 4);
    peers.at(-1)!.say(said.length < 64 ? greeting().slice(said.length) : NO_BYTES);
    push.close();
  }
});

test("trap 25: a size with its high bit set, or one that JavaScript cannot count, closes the connection", async () => {
  for (
    const size of [[0x80, 0, 0, 0, 0, 0, 0, 1], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [
      0,
      0x20,
      0,
      0,
      0,
      0,
      0,
      1,
    ]]
  ) {
    for (const flags of [2, 3, 6]) {
      const { socket, events } = await talk(
        (context) => new Pull({ context, maxMessageSize: -1, messageBytesMax: Number.MAX_SAFE_INTEGER }),
        greeting(),
        ready("PUSH"),
        message("before"),
        Uint8Array.of(flags, ...size),
        message("behind"),
      );
      assertEquals(told(events), ["handshake", "disconnect ERR_PEER_FRAME_SIZE"]);
      assertEquals(received(socket), ["before"]);
    }
  }
});
