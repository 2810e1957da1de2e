import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { concat } from "../../src/bytes/bytes.ts";
import type { PeerError } from "../../src/errors.ts";
import type { Transport } from "../../src/ports.ts";
import type { SocketEvent } from "../../src/session/events.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Dealer, Pull, Push } from "../../src/socket/sockets.ts";
import { command, greeting, ready } from "../conformance/raw_peer.ts";
import { simulate } from "../support/simulate.ts";
import { type LinkOptions, World } from "../support/world.ts";
import { framesIn, Scene } from "./scene.ts";
import { errorOf } from "../support/event_fields.ts";

// Heartbeats while a message is on its way that takes many times as long as the time-out.

const INTERVAL_MS = 100;
const TIMEOUT_MS = 250;
const HEARTBEATS = { heartbeatInterval: INTERVAL_MS, heartbeatTimeout: TIMEOUT_MS };
const LARGE_BYTES = 1_500_000;
/** 1 MB a second. */
const SLOW = 1_000;
const RECEIVE = { receiveHighWaterMark: 0 };

type Way = Partial<LinkOptions>;
/** The way itself never takes as long as the time-out. */
const QUIET: Way = {
  latencyMsMax: 20,
  jitterMsMax: 5,
  stallChance: 0,
  splitBytesMax: 65_536,
  splitsMax: 1e9,
};
const RELAYS: readonly { readonly name: string; readonly way: Way }[] = [
  { name: "takes no more than it passes on", way: { bytesPerMs: SLOW, bufferBytes: 262_144 } },
  { name: "reads all at once and delays", way: { bytesPerMs: SLOW, bufferBytes: 1e9 } },
  {
    name: "reads all at once and delays, with a gather write",
    way: { bytesPerMs: SLOW, bufferBytes: 1e9, canGather: true },
  },
];

/**
 * A receiver that says nothing in the middle of a frame, and answers PINGs when it comes to them, as libzmq
 * does.
 */
class QuietPeer {
  /** The sizes of messages that arrived whole. */
  readonly messages: number[] = [];
  pings = 0;
  answers = true;
  readonly #transport: Transport;
  readonly #out: Uint8Array[] = [];
  #lent = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #skip = 64;
  #body = 0;

  constructor(
    attach: (handlers: Parameters<import("../../src/ports.ts").Dial>[0]) => Transport,
    type: string,
  ) {
    this.#transport = attach({
      open: () => this.say(greeting(), ready(type)),
      data: (chunk) => this.#hear(chunk),
      drain: () => {
        this.#lent = false;
        this.say();
      },
      end: () => this.#transport.close("flush"),
      close: () => {},
    });
  }

  say(...bytes: Uint8Array[]): void {
    this.#out.push(...bytes);
    while (this.#out.length > 0 && !this.#lent) this.#lent = !this.#transport.write(this.#out.shift()!);
  }

  #hear(chunk: Uint8Array): void {
    let bytes = this.#bytes.length === 0 ? chunk : concat([this.#bytes, chunk]);
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length);
      this.#skip -= skipped;
      bytes = bytes.subarray(skipped);
      if (this.#skip > 0) break;
      if (this.#body > 0) this.messages.push(this.#body);
      this.#body = 0;
      const header = (bytes[0]! & 2) === 0 ? 2 : 9;
      if (bytes.length < header) break;
      const size = header === 2 ? bytes[1]! : new DataView(bytes.buffer, bytes.byteOffset).getUint32(5);
      if ((bytes[0]! & 4) !== 0) {
        if (bytes.length < header + size) break;
        const body = bytes.subarray(header, header + size);
        if (body[2] === 0x49 && this.answers) {
          this.pings++;
          this.say(command("PONG", body.slice(7)));
        }
        bytes = bytes.subarray(header + size);
      } else {
        this.#skip = size;
        this.#body = size;
        bytes = bytes.subarray(header);
      }
    }
    this.#bytes = bytes.slice();
  }
}

function lostOf(...sockets: Socket[]): SocketEvent[] {
  const events: SocketEvent[] = [];
  for (const socket of sockets) socket.events.on("disconnect", (event) => events.push(event));
  return events;
}

function codes(events: readonly SocketEvent[]): (string | undefined)[] {
  return events.map((event) => (errorOf(event) as PeerError | undefined)?.code);
}

/** In order, and sooner or later: how much is sent in one turn of the loop is bounded. */
function send(socket: Push | Dealer, message: string | Uint8Array): void {
  socket.send(message).catch(() => {});
}

/** Takes what is there, and tells how many messages that were so far. */
function receive(socket: Pull | Dealer, sizes: number[]): number {
  for (let got = socket.tryReceive(); got !== undefined; got = socket.tryReceive()) {
    sizes.push(got[0]!.length);
  }
  return sizes.length;
}

async function listen(world: World, type: string): Promise<QuietPeer[]> {
  const peers: QuietPeer[] = [];
  await world.driveTo(
    world.network.listen("sim://peer", {})((attach) => {
      peers.push(new QuietPeer(attach, type));
    }, () => {}),
  );
  return peers;
}

const body = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7);

for (const { name, way } of RELAYS) {
  test(`a sender's heartbeats do not end its own large transfer where a relay ${name}`, async () => {
    await simulate("large", 4, async (world) => {
      const scene = new Scene(world);
      const { context } = scene;
      const pull = scene.add(new Pull({ context, ...RECEIVE }));
      const push = scene.add(new Push({ context, ...HEARTBEATS }));
      await scene.bind(pull, "sim://work");
      push.connect("sim://work");
      const lost = lostOf(push, pull);
      for (let i = 0; i < 5; i++) send(push, `before ${i}`);
      send(push, body(LARGE_BYTES));
      for (let i = 0; i < 5; i++) send(push, `after ${i}`);
      const sizes: number[] = [];
      await world.drive(() => receive(pull, sizes) >= 11 || lost.length > 0);
      await world.driveFor(1_000);
      assertEquals([codes(lost), world.links.length], [[], 1]);
      assertEquals(sizes, [8, 8, 8, 8, 8, LARGE_BYTES, 7, 7, 7, 7, 7]);
      await scene.end();
    }, { link: { ...QUIET, ...way } });
  });

  test(`nor where the receiver is silent until it has the whole frame, and a relay ${name}`, async () => {
    await simulate("silent until whole", 4, async (world) => {
      const scene = new Scene(world);
      const peers = await listen(world, "PULL");
      const push = scene.add(new Push({ context: scene.context, ...HEARTBEATS }));
      push.connect("sim://peer");
      const lost = lostOf(push);
      // Twice: what was measured the first time must serve the second.
      for (let round = 1; round <= 2; round++) {
        send(push, body(LARGE_BYTES));
        send(push, "after");
        await world.drive(() => peers[0]?.messages.length === 2 * round || lost.length > 0);
        assertEquals(codes(lost), []);
        await world.driveFor(1_000);
      }
      assertEquals(codes(lost), []);
      assertEquals(peers.map(({ messages }) => messages), [[LARGE_BYTES, 5, LARGE_BYTES, 5]]);
      push.close();
      await world.driveFor(5_000);
    }, { link: { ...QUIET, ...way } });
  });

  test(`nor while both send large messages at the same time, and a relay ${name}`, async () => {
    const world = new World(1, { link: { ...QUIET, ...way } });
    const scene = new Scene(world);
    const { context } = scene;
    const [binds, connects] = [
      scene.add(new Dealer({ context, ...RECEIVE, ...HEARTBEATS, heartbeatTimeToLive: TIMEOUT_MS })),
      scene.add(new Dealer({ context, ...RECEIVE, ...HEARTBEATS, heartbeatTimeToLive: TIMEOUT_MS })),
    ];
    await scene.bind(binds, "sim://work");
    connects.connect("sim://work");
    const lost = lostOf(binds, connects);
    await world.driveTo(Promise.all([binds.ready(), connects.ready()]));
    send(binds, body(LARGE_BYTES));
    // Less in one direction: its receiver has nothing in the middle of which it could tell that it is there.
    send(connects, body(LARGE_BYTES / 4));
    const [atBinds, atConnects]: number[][] = [[], []];
    await world.drive(() =>
      (receive(binds, atBinds!) + receive(connects, atConnects!) === 2) || lost.length > 0
    );
    await world.driveFor(3_000);
    assertEquals(codes(lost), []);
    assertEquals([atBinds, atConnects], [[LARGE_BYTES / 4], [LARGE_BYTES]]);
    await scene.end();
  });

  test(`a receiver's own heartbeats do not end what it is receiving, and a relay ${name}`, async () => {
    const world = new World(1, { link: { ...QUIET, ...way } });
    const scene = new Scene(world);
    const { context } = scene;
    const pull = scene.add(new Pull({ context, ...RECEIVE, ...HEARTBEATS, heartbeatTimeToLive: TIMEOUT_MS }));
    const push = scene.add(new Push({ context }));
    await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    const lost = lostOf(push, pull);
    send(push, body(LARGE_BYTES));
    const sizes: number[] = [];
    await world.drive(() => receive(pull, sizes) > 0 || lost.length > 0);
    await world.driveFor(2_000);
    assertEquals([codes(lost), sizes], [[], [LARGE_BYTES]]);
    await scene.end();
  });

  test(`many small messages over a slow way end no connection either, and a relay ${name}`, async () => {
    // A tenth of what is assumed before anything was measured.
    const slow = { ...way, bytesPerMs: SLOW / 10 };
    const world = new World(1, { link: { ...QUIET, ...slow } });
    const scene = new Scene(world);
    const peers = await listen(world, "PULL");
    const push = scene.add(new Push({ context: scene.context, ...HEARTBEATS, sendHighWaterMark: 0 }));
    push.connect("sim://peer");
    const lost = lostOf(push);
    await world.driveTo(push.ready());
    for (let i = 0; i < 1_000; i++) send(push, body(1_000));
    await world.drive(() => peers[0]!.messages.length === 1_000 || lost.length > 0);
    await world.driveFor(2_000);
    assertEquals(codes(lost), []);
    push.close();
    await world.driveFor(5_000);
  });

  test(`a relay that dies in the middle is found within the documented bound: it ${name}`, async () => {
    for (const diesAtMs of [150, 700, 1_450]) {
      const world = new World(1, { link: { ...QUIET, ...way } });
      const scene = new Scene(world);
      await listen(world, "PULL");
      const push = scene.add(new Push({ context: scene.context, ...HEARTBEATS, reconnectInterval: -1 }));
      push.connect("sim://peer");
      const lost = lostOf(push);
      await world.driveTo(push.ready());
      send(push, body(LARGE_BYTES));
      await world.driveFor(diesAtMs);
      assertEquals(codes(lost), []);
      world.links[0]!.silence();
      const silentAtMs = world.nowMs;
      await world.drive(() => lost.length > 0);
      const foundMs = world.nowMs - silentAtMs;
      assertEquals(codes(lost), ["ERR_PEER_HEARTBEAT_TIMEOUT"]);
      // Nothing was confirmed, and no rate measured: twice the whole body at 1 MiB a second.
      const boundMs = INTERVAL_MS + TIMEOUT_MS + 2 * LARGE_BYTES / 1_048_576 * 1_000 + 20;
      assert(foundMs <= boundMs, `found after ${foundMs} ms, not ${boundMs}`);
      push.close();
      await world.driveFor(5_000);
    }
  });
}

test("a measured rate bounds the wait: who is lost in a fast stream is found soon", async () => {
  const world = new World(1, {
    link: { bytesPerMs: 100_000, bufferBytes: 1e9, splitBytesMax: 65_536, splitsMax: 1e9 },
  });
  const scene = new Scene(world);
  const peers = await listen(world, "PULL");
  const push = scene.add(
    new Push({ context: scene.context, ...HEARTBEATS, reconnectInterval: -1, sendHighWaterMark: 0 }),
  );
  push.connect("sim://peer");
  const lost = lostOf(push);
  await world.driveTo(push.ready());
  for (let i = 0; i < 20; i++) {
    send(push, body(500_000));
    await world.driveFor(20);
  }
  await world.drive(() => peers[0]!.messages.length === 20);
  world.links[0]!.silence();
  const silentAtMs = world.nowMs;
  for (let i = 0; i < 10; i++) send(push, body(500_000));
  await world.drive(() => lost.length > 0);
  const foundMs = world.nowMs - silentAtMs;
  assert(foundMs <= INTERVAL_MS + TIMEOUT_MS + 1_000, `found after ${foundMs} ms`);
  push.close();
  await world.driveFor(5_000);
});

test("a peer that takes everything and says nothing is found while messages go on", async () => {
  const world = new World(1, { link: { bufferBytes: 1e9 } });
  const scene = new Scene(world);
  const peers = await listen(world, "PULL");
  const push = scene.add(
    new Push({ context: scene.context, ...HEARTBEATS, reconnectInterval: -1, sendHighWaterMark: 0 }),
  );
  push.connect("sim://peer");
  const lost = lostOf(push);
  await world.driveTo(push.ready());
  peers[0]!.answers = false;
  const silentAtMs = world.nowMs;
  while (lost.length === 0 && world.nowMs - silentAtMs < 10_000) {
    send(push, body(50_000));
    await world.driveFor(100);
  }
  assertEquals(codes(lost), ["ERR_PEER_HEARTBEAT_TIMEOUT"]);
  push.close();
  await world.driveFor(5_000);
});

test("of a peer that answers PINGs without their context no more is waited for as time goes by", async () => {
  const world = new World(1, { link: { bufferBytes: 1e9 } });
  const scene = new Scene(world);
  const peers = await listen(world, "PULL");
  const push = scene.add(
    new Push({ context: scene.context, ...HEARTBEATS, reconnectInterval: -1, sendHighWaterMark: 0 }),
  );
  push.connect("sim://peer");
  const lost = lostOf(push);
  await world.driveTo(push.ready());
  peers[0]!.answers = false;
  for (let i = 0; i < 300; i++) {
    send(push, body(50_000));
    await world.driveFor(450);
    peers[0]!.say(command("PONG"));
  }
  assertEquals(codes(lost), []);
  world.links[0]!.silence();
  const silentAtMs = world.nowMs;
  await world.drive(() => lost.length > 0);
  const foundMs = world.nowMs - silentAtMs;
  // 15 MB: more than 28 seconds, if all of it counted.
  assert(foundMs < 15_000, `found after ${foundMs} ms`);
  push.close();
  await world.driveFor(5_000);
});

test("a receiver in the middle of a message says four times a second that it is there, as long as bytes come", async () => {
  for (const minor of [0, 1]) {
    const world = new World(1);
    const scene = new Scene(world);
    const pull = scene.add(new Pull({ context: scene.context, ...RECEIVE }));
    await scene.bind(pull, "sim://work");
    const say = (...bytes: Uint8Array[]): void => bytes.forEach((each) => void transport.write(each));
    const transport: Transport = world.network.dial("sim://work", {})({
      open: () => say(greeting(minor), ready("PUSH"), Uint8Array.of(2, 0, 0, 0, 0, 0, 1, 0, 0)),
      data: () => {},
      drain: () => {},
      end: () => {},
      close: () => {},
    });
    await world.driveTo(pull.ready());
    for (let i = 0; i < 200; i++) {
      say(body(10));
      await world.driveFor(10);
    }
    const pongs = (): number =>
      framesIn(scene.taps[0]!.handed).filter(({ flags }) => (flags & 4) !== 0).length - 1;
    // A peer of 3.0 that never sent a PING does not know what a PONG is.
    assertEquals(pongs(), minor === 0 ? 0 : 8);
    await world.driveFor(5_000);
    assert(pongs() <= 9, "nothing comes any more, and nothing is said");
    transport.close("abort");
    await scene.end();
  }
});

for (const { name, way } of RELAYS) {
  test(`a way that is ten times as slow all of a sudden ends no connection, large message or small, and a relay ${name}`, async () => {
    const world = new World(1, {
      link: { ...QUIET, ...way, bytesPerMs: 20 * SLOW, bufferBytes: Math.max(way.bufferBytes!, 4_000_000) },
    });
    const scene = new Scene(world);
    const { context } = scene;
    // In small messages to a peer that only answers PINGs, in a large one to a receiver of ours.
    const peers = await listen(world, "PULL");
    const pull = scene.add(new Pull({ context, ...RECEIVE }));
    await scene.bind(pull, "sim://work");
    for (const address of ["sim://peer", "sim://work"]) {
      const push = scene.add(new Push({ context, ...HEARTBEATS, sendHighWaterMark: 0 }));
      push.connect(address);
      const lost = lostOf(push);
      await world.driveTo(push.ready());
      const link = world.links.at(-1)!;
      for (let i = 0; i < 1_000; i++) send(push, body(10_000));
      const sizes: number[] = [];
      const arrived = (): number =>
        address === "sim://peer" ? peers[0]!.messages.length : receive(pull, sizes);
      await world.drive(() => arrived() === 1_000 || lost.length > 0);
      assertEquals(codes(lost), []);
      if (address === "sim://work") {
        send(push, body(6_000_000));
      } else {
        for (let i = 0; i < 2_000; i++) send(push, body(10_000));
        await world.drive(() => arrived() === 1_400);
      }
      link.configure({ bytesPerMs: 2 * SLOW });
      await world.drive(() => arrived() === (address === "sim://peer" ? 3_000 : 1_001) || lost.length > 0);
      await world.driveFor(1_000);
      assertEquals([codes(lost), address], [[], address]);
      push.close();
    }
    await world.driveFor(5_000);
  });
}
