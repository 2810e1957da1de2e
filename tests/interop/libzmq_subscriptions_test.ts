// runtimes: node
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { freshAddress } from "./support/addresses.ts";
import { type Body, describeBodies, describeFrame, hexOfText, makeBody } from "./support/bodies.ts";
import { nextEvent } from "./support/events.ts";
import { hasNodePeer, startNodePeer } from "./support/libzmq.ts";
import type { PeerProcess } from "./support/peer_process.ts";
import { OwnSpeaker, PeerSpeaker, type Speaker } from "./support/speakers.ts";

// Ten thousand subscriptions that exist before the first connection. libzmq's own subscriber loses those above its
// high-water mark; ours must lose none, and our publisher must take all that come.

const skip = hasNodePeer() ? false : "the npm package zeromq does not load in a Node process";
const COUNT = 10_000;
const PREFIX = "topic/";
let peer: PeerProcess | undefined;

function libzmq(): PeerProcess {
  return peer ??= startNodePeer();
}

/** What an XPUB is told of all those topics, in an order of its own. */
const ALL_TOPICS: readonly string[] = Array.from(
  { length: COUNT },
  (_, index) => `01${hexOfText(`${PREFIX}${index}`)}`,
).sort();

async function assertToldOfAll(publisher: Speaker): Promise<void> {
  const told = await publisher.receive(COUNT);
  assertEquals(told.map((message) => message.join()).sort(), ALL_TOPICS);
}

for (const type of ["SUB", "XSUB"] as const) {
  test(
    `libzmq's XPUB hears of all subscriptions that our ${type} made before it connected`,
    { skip },
    async () => {
      const publisher = await PeerSpeaker.open(libzmq(), "XPUB");
      const subscriber = new OwnSpeaker(type);
      await subscriber.subscribe(PREFIX, COUNT);
      await subscriber.connect(await publisher.bind(freshAddress("tcp")));
      await assertToldOfAll(publisher);
      await Promise.all([subscriber.close(), publisher.close()]);
    },
  );
}

test("libzmq's XPUB hears of all subscriptions of our SUB to which it connects", { skip }, async () => {
  const publisher = await PeerSpeaker.open(libzmq(), "XPUB");
  const subscriber = new OwnSpeaker("SUB");
  await subscriber.subscribe(PREFIX, COUNT);
  await publisher.connect(await subscriber.bind(freshAddress("ipc")));
  await assertToldOfAll(publisher);
  await Promise.all([subscriber.close(), publisher.close()]);
});

test("our SUB tells all its subscriptions again to a libzmq XPUB that came back", { skip }, async () => {
  const crashing = startNodePeer();
  const first = await PeerSpeaker.open(crashing, "XPUB");
  const address = await first.bind(freshAddress("tcp"));
  const subscriber = new OwnSpeaker("SUB", { reconnectInterval: 10 });
  await subscriber.subscribe(PREFIX, COUNT);
  await subscriber.connect(address);
  await assertToldOfAll(first);
  const lost = nextEvent(subscriber.socket, "disconnect");
  await crashing.kill();
  await lost;
  const second = await PeerSpeaker.open(libzmq(), "XPUB");
  await second.bind(address);
  await assertToldOfAll(second);
  await Promise.all([subscriber.close(), second.close()]);
});

test("our XPUB takes all subscriptions of a libzmq XSUB without a limit of its own", { skip }, async () => {
  const publisher = new OwnSpeaker("XPUB");
  const subscriber = await PeerSpeaker.open(libzmq(), "XSUB", { sendHighWaterMark: 0 });
  await subscriber.connect(await publisher.bind(freshAddress("tcp")));
  await subscriber.subscribe(PREFIX, COUNT);
  await assertToldOfAll(publisher);
  await Promise.all([subscriber.close(), publisher.close()]);
});

/** What an XSUB says one after the other: messages of one frame and several, topics and their ends. */
const CONVERSATION: readonly (readonly Body[])[] = [
  [{ text: "first" }, { text: "of" }, { text: "three" }],
  [{ text: "\x01a" }],
  [{ text: "two" }, { bytes: 70_000, seed: 1 }],
  [{ text: "\x01b" }],
  [{ text: "one" }],
  [{ text: "\x01c" }],
  [{ text: "two" }, { text: "more" }],
  [{ text: "\x00b" }],
  [{ text: "last" }],
];

for (
  const [whose, theirs] of [["our XSUB to libzmq's XPUB", "XPUB"], ["libzmq's XSUB to our XPUB", "XSUB"]]
) {
  for (const transport of ["tcp", "ipc"] as const) {
    test(
      `messages and subscriptions keep their order from ${whose} over ${transport}`,
      { skip },
      async () => {
        const publisher = theirs === "XPUB"
          ? await PeerSpeaker.open(libzmq(), "XPUB")
          : new OwnSpeaker("XPUB");
        const subscriber = theirs === "XSUB"
          ? await PeerSpeaker.open(libzmq(), "XSUB")
          : new OwnSpeaker("XSUB");
        await subscriber.connect(await publisher.bind(freshAddress(transport)));
        // Once this topic has arrived, the two know each other.
        await subscriber.send([{ text: "\x01ready" }]);
        assertEquals(await publisher.receive(), [[hexOfText("\x01ready")]]);
        // Not one after the other: all of it is under way at once.
        await Promise.all(CONVERSATION.map((frames) => subscriber.send(frames)));
        const expected = CONVERSATION.filter(([first]) => !isTakenBack(first!)).map(describeBodies);
        const heard: string[][] = [];
        while (heard.length < expected.length) {
          const [message] = await publisher.receive();
          if (message!.length > 1 || !isTakenBack({ hex: message![0]! })) heard.push(message!);
        }
        assertEquals(heard, expected);
        await Promise.all([subscriber.close(), publisher.close()]);
      },
    );
  }
}

/** A topic that ends before anybody was told of it need not be told. */
function isTakenBack(body: Body): boolean {
  return [hexOfText("\x01b"), hexOfText("\x00b")].includes(describeFrame(makeBody(body)));
}

test("every topic of ten thousand that our SUB made before it connected is delivered by our PUB", async () => {
  const publisher = new OwnSpeaker("PUB", { sendHighWaterMark: 0 });
  const subscriber = new OwnSpeaker("SUB");
  await subscriber.subscribe(PREFIX, COUNT);
  await subscriber.connect(await publisher.bind(freshAddress("tcp")));
  // Which of them is told last is the subscriber's own business: so each must be known.
  const { socket } = publisher as unknown as { socket: { subscribed(topic: string): Promise<void> } };
  for (let index = 0; index < COUNT; index++) await socket.subscribed(`${PREFIX}${index}`);
  const received = subscriber.receive(COUNT);
  for (let index = 0; index < COUNT; index++) await publisher.send([{ text: `${PREFIX}${index}` }]);
  const expected = Array.from({ length: COUNT }, (_, index) => [hexOfText(`${PREFIX}${index}`)]);
  assertEquals(await received, expected);
  await Promise.all([subscriber.close(), publisher.close()]);
});

test("the libzmq process ends in order", { skip }, async () => {
  assertEquals(await peer?.leave(), 0);
});
