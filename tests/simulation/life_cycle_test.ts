import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { SOCKET_EVENT_TYPES, type SocketEvent } from "../../src/session/events.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Pair, Pull, Push } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";

// What an endpoint tells, holds and leaves behind when it ends, or is lost, in each of its states.

const ADDRESS = "sim://work";
/** The peer takes little, and then no more. */
const SLOW = { bufferBytes: 1_000, canPause: true };
const BODY = new Uint8Array(1_000);

function tell(event: SocketEvent): string {
  const { type } = event;
  if (type === "drop") return `drop ${event.count}: ${event.error.message}`;
  if (type === "disconnect") return event.error === undefined ? "left" : "lost";
  return type;
}

function eventsOf(socket: Socket): string[] {
  const told: string[] = [];
  for (const type of SOCKET_EVENT_TYPES) socket.events.on(type, (event) => void told.push(tell(event)));
  return told;
}

interface Stage {
  readonly world: World;
  readonly scene: Scene;
  readonly push: Push;
  readonly pull: Pull;
  readonly told: string[];
}

/** A Push on one side, and who answers it on the other: a Pull, or nobody. */
async function stage(
  side: "accepts" | "connects",
  lingerMs: number,
  peer: "pull" | "nobody",
): Promise<Stage> {
  const world = new World(1, { link: SLOW });
  const scene = new Scene(world);
  const { context } = scene;
  const push = scene.add(new Push({ context, linger: lingerMs, sendHighWaterMark: 0 }));
  const told = eventsOf(push);
  const pull = scene.add(new Pull({ context, receiveHighWaterMark: 1, pendingBytesMax: 1, linger: 0 }));
  if (side === "accepts") await scene.bind(push, ADDRESS);
  else if (peer === "pull") await scene.bind(pull, ADDRESS);
  if (side === "connects") push.connect(ADDRESS);
  else if (peer === "pull") pull.connect(ADDRESS);
  if (peer === "pull") {
    await world.driveTo(push.ready());
    // A listener holds the process, too, and only that of the Push's own is to.
    if (side === "connects") await world.driveTo(pull.unbind(ADDRESS));
    await world.driveFor(11);
  }
  await world.settle();
  told.length = 0;
  return { world, scene, push, pull, told };
}

async function queue({ world, push }: Stage, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await world.driveTo(push.send(BODY));
}

/** Closes, and tells how long it took; the process must live all the while, and nothing may be left behind. */
async function closeHeld({ world, push }: Stage, meanwhile = (): void => {}): Promise<number> {
  const fromMs = world.nowMs;
  let ended = false;
  push.events.on("end", () => void (ended = true));
  push.close();
  await world.drive(() => {
    if (!ended) assertEquals(world.keptAlive, true, "the process may end before the socket has");
    meanwhile();
    return ended;
  });
  const tookMs = world.nowMs - fromMs;
  await world.driveFor(11);
  assertEquals(world.keptAlive, false, "something still keeps the process alive");
  return tookMs;
}

for (const side of ["accepts", "connects"] as const) {
  for (const lingerMs of [-1, 0, 5_000]) {
    test(`a socket that ${side} and has nothing queued holds the process until its peer was told, linger ${lingerMs}`, async () => {
      const at = await stage(side, lingerMs, "pull");
      const tookMs = await closeHeld(at);
      assert(tookMs <= 1_100, `${tookMs} ms`);
      assertEquals(at.told.at(-1), "end");
      assertEquals(at.told.filter((each) => each !== "close" && each !== "end"), []);
      await at.scene.end();
    });
  }

  test(`a linger that is over before its time leaves no timer, holds the process to its end, and drops nothing: ${side}`, async () => {
    const at = await stage(side, 60_000, "pull");
    const { world, scene, push, pull, told } = at;
    await queue(at, 40);
    await world.driveFor(100);
    let got = 0;
    const tookMs = await closeHeld(at, () => {
      while (pull.tryReceive() !== undefined) got++;
    });
    assert(tookMs <= 2_000, `${tookMs} ms`);
    assertEquals(got, 40);
    assertEquals(told.filter((each) => each !== "close" && each !== "end"), []);
    assertEquals(push.closed, true);
    await scene.end();
    assert(world.nowMs < 60_000, "the timer of the linger was left");
  });

  test(`a linger that runs out holds the process so long, and drops what is left: ${side}`, async () => {
    const at = await stage(side, 700, "pull");
    await queue(at, 40);
    await at.world.driveFor(100);
    const tookMs = await closeHeld(at);
    assert(tookMs >= 700 && tookMs < 720, `${tookMs} ms`);
    assertEquals(at.told.filter((each) => each.startsWith("drop")).length, 1);
    assertEquals(at.told.at(-1), "end");
    await at.scene.end();
  });
}

test("a peer that is lost while its accepted connection lingers ends it at once: nothing else can take what is queued", async () => {
  const at = await stage("accepts", 60_000, "pull");
  const { world, push, told, scene } = at;
  await queue(at, 40);
  await world.driveFor(100);
  const count = push.toJSON().queued as number;
  assert(count > 0);
  push.close();
  await world.driveFor(100);
  assertEquals(world.keptAlive, true);
  world.links[0]!.cut();
  await world.drive(() => told.at(-1) === "end");
  assertEquals(told.filter((each) => each !== "close"), [`drop ${count}: Dropped: the peer is gone`, "end"]);
  assert(world.nowMs < 1_000);
  await scene.end();
  assert(world.nowMs < 60_000, "the timer of the linger was left");
});

test("a peer that is lost while a connecting endpoint lingers is tried again, and is told of", async () => {
  const at = await stage("connects", 60_000, "pull");
  const { world, push, pull, told, scene } = at;
  // More than one write may hold.
  await queue(at, 400);
  await world.driveFor(100);
  push.close();
  await world.driveFor(100);
  world.links[0]!.cut();
  await world.drive(() => told.includes("connect:delay"));
  assertEquals(told.slice(0, 3), ["lost", "connect:retry", "connect:delay"]);
  assertEquals(world.keptAlive, true);
  await scene.bind(pull, ADDRESS);
  await world.drive(() => {
    while (pull.tryReceive() !== undefined);
    return told.at(-1) === "end";
  });
  assertEquals(told.filter((each) => each.startsWith("drop")), []);
  await scene.end();
  assert(world.nowMs < 60_000, "the timer of the linger was left");
});

test("what is lost in each state of a connecting endpoint is told as what it is", async () => {
  const world = new World(2);
  const scene = new Scene(world);
  const push = scene.add(new Push({ context: scene.context, reconnectInterval: 100, linger: 0 }));
  const told = eventsOf(push);
  // Dialing: nobody is there. Handshaking: the stream ends before the peer says anything. Ready: it is cut.
  push.connect(ADDRESS);
  await world.drive(() => told.length === 2);
  assertEquals(told.splice(0), ["connect:delay", "connect:retry"]);
  const pull = scene.add(new Pull({ context: scene.context, reconnectInterval: -1 }));
  world.network.onLink = (link) => link.stall(1_000);
  await scene.bind(pull, ADDRESS);
  await world.drive(() => told.includes("connect"));
  world.links.at(-1)!.cut();
  await world.drive(() => told.includes("connect:retry"));
  assertEquals(told.splice(0), ["connect", "handshake:error:other", "connect:retry"]);
  world.network.onLink = () => {};
  await world.driveTo(push.ready());
  world.links.at(-1)!.cut();
  await world.drive(() => told.includes("connect:retry"));
  assertEquals(told.splice(0), ["connect", "handshake", "lost", "connect:retry"]);
  // Left on purpose, with the socket going on: whoever counts peers hears of it.
  await world.driveTo(push.ready());
  told.length = 0;
  push.disconnect(ADDRESS);
  await world.drive(() => told.includes("close"));
  assertEquals(told.splice(0), ["left", "close"]);
  await scene.end();
});

test("what is lost in each state of an accepted connection is told as what it is", async () => {
  const world = new World(3);
  const scene = new Scene(world);
  const { context } = scene;
  const push = scene.add(new Push({ context, linger: 0 }));
  const told = eventsOf(push);
  await scene.bind(push, ADDRESS);
  told.length = 0;
  const pull = scene.add(new Pull({ context, reconnectInterval: 1_000 }));
  world.network.onLink = (link) => link.stall(1_000);
  pull.connect(ADDRESS);
  await world.drive(() => told.includes("accept"));
  world.links.at(-1)!.cut();
  await world.drive(() => told.length === 2);
  assertEquals(told.splice(0), ["accept", "handshake:error:other"]);
  world.network.onLink = () => {};
  await world.driveTo(push.ready());
  world.links.at(-1)!.cut();
  await world.drive(() => told.length === 3);
  assertEquals(told.splice(0), ["accept", "handshake", "lost"]);
  await world.driveTo(push.ready());
  told.length = 0;
  pull.close();
  await world.drive(() => told.length === 1);
  assertEquals(told.splice(0), ["left"]);
  await scene.end();
});

test("an endpoint that was left goes on lingering as it was told then, whatever the socket is closed with", async () => {
  const at = await stage("connects", 3_000, "nobody");
  const { world, push, told, scene } = at;
  await push.send("nobody");
  const fromMs = world.nowMs;
  push.disconnect(ADDRESS);
  push.linger = 100;
  push.close();
  await world.drive(() => told.at(-1) === "end");
  const tookMs = world.nowMs - fromMs;
  assert(tookMs >= 3_000 && tookMs < 3_020, `${tookMs} ms`);
  assertEquals(told.filter((each) => each.startsWith("drop")).length, 1);
  await scene.end();
});

test("a listener holds the process from the bind to the end of its close, and one that cannot be had does not", async () => {
  const world = new World(4);
  const scene = new Scene(world);
  const { context } = scene;
  const first = scene.add(new Pull({ context }));
  const second = scene.add(new Pull({ context }));
  await scene.bind(first, ADDRESS);
  assertEquals(world.keptAlive, true);
  const refused = second.bind(ADDRESS).then(() => "bound", () => "refused");
  assertEquals(await world.driveTo(refused), "refused");
  await world.driveTo(first.unbind(ADDRESS));
  await world.driveFor(11);
  assertEquals(world.keptAlive, false);
  await scene.end();
});

test("what was received can be read when the endpoint was left and lingers", async () => {
  const world = new World(5, { link: SLOW });
  const scene = new Scene(world);
  const { context } = scene;
  const few = { receiveHighWaterMark: 1, pendingBytesMax: 1, sendHighWaterMark: 0 };
  const ours = scene.add(new Pair({ context, linger: 60_000, ...few }));
  const theirs = scene.add(new Pair({ context, ...few }));
  await scene.bind(theirs, ADDRESS);
  ours.connect(ADDRESS);
  await world.driveTo(Promise.all([ours.ready(), theirs.ready()]));
  await theirs.send(BODY);
  for (let i = 0; i < 100; i++) await ours.send(BODY);
  await world.driveFor(100);
  ours.disconnect(ADDRESS);
  await world.driveFor(100);
  assert(ours.tryReceive() !== undefined);
  await scene.end();
});

for (const side of ["accepts", "connects"] as const) {
  test(`a mark that is set anew reaches the pipe of an endpoint that ${side}`, async () => {
    const at = await stage(side, 0, "pull");
    const { world, scene, push, pull } = at;
    await queue(at, 50);
    await world.driveFor(10);
    push.sendHighWaterMark = 1;
    assertEquals(push.trySend(BODY), false);
    push.sendHighWaterMark = 0;
    assertEquals(push.trySend(BODY), true);
    // Our own receiver was full with one message, and reads on for more.
    const lane = scene.taps.find((tap) => tap.pauses > 0)!;
    const heard = lane.heardMessages.length;
    pull.receiveHighWaterMark = 0;
    await world.driveFor(1_000);
    assert(lane.heardMessages.length > heard + 10);
    assertEquals(pull.receiveMany().length, 51);
    await scene.end();
  });
}
