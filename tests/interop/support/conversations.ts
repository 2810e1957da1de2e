/**
 * What two sockets say to each other, for every legal pair of types: bodies of all sizes, several frames, empty frames
 * and empty messages, in every direction that the pair has.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Publisher } from "../../../mod.ts";
import type { SocketType } from "../../../src/zmtp/socket_type.ts";
import { type Body, describeBodies, hexOfText } from "./bodies.ts";
import { within } from "./deadline.ts";
import type { PeerProcess } from "./peer_process.ts";
import { OwnSpeaker, PeerSpeaker, type Speaker } from "./speakers.ts";

/** Every pair of types that may talk to each other (RFC 28, 29, 30, 31), ours first. */
export const LEGAL_PAIRS: readonly (readonly [ours: SocketType, theirs: SocketType])[] = [
  ["PAIR", "PAIR"],
  ["PUSH", "PULL"],
  ["PULL", "PUSH"],
  ["PUB", "SUB"],
  ["SUB", "PUB"],
  ["PUB", "XSUB"],
  ["XSUB", "PUB"],
  ["XPUB", "SUB"],
  ["SUB", "XPUB"],
  ["XPUB", "XSUB"],
  ["XSUB", "XPUB"],
  ["REQ", "REP"],
  ["REP", "REQ"],
  ["REQ", "ROUTER"],
  ["ROUTER", "REQ"],
  ["DEALER", "REP"],
  ["REP", "DEALER"],
  ["DEALER", "DEALER"],
  ["DEALER", "ROUTER"],
  ["ROUTER", "DEALER"],
  ["ROUTER", "ROUTER"],
];

/** Sizes around every boundary of the wire and of our own memory: short and long frames, copied and referenced bodies. */
export const BODY_SIZES: readonly number[] = [0, 1, 255, 256, 8_192, 65_536, 1_048_576];

const EMPTY: Body = { hex: "" };

/** The messages of every conversation. */
export const MESSAGES: readonly (readonly Body[])[] = [
  ...BODY_SIZES.map((bytes, index) => [{ seed: index + 1, bytes }]),
  [{ text: "one" }, { text: "two" }, { text: "three" }],
  [EMPTY, { text: "between empty frames" }, EMPTY],
  [EMPTY, EMPTY],
  [EMPTY],
  BODY_SIZES.map((bytes, index) => ({ seed: 100 + index, bytes })),
  Array.from({ length: 100 }, (_, index): Body => ({ seed: 200 + index, bytes: index })),
];

const OUR_ID = "ours";
const THEIR_ID = "theirs";
const IDENTIFIED: readonly SocketType[] = ["REQ", "DEALER", "ROUTER"];
/** Each type's place in a conversation: a lower one speaks first. */
const TURN: Partial<Record<SocketType, number>> = { REQ: 0, DEALER: 1, ROUTER: 2, REP: 3 };
const SPEAKS_ONLY: readonly SocketType[] = ["PUSH", "PUB", "XPUB"];
const HEARS_ONLY: readonly SocketType[] = ["PULL", "SUB", "XSUB"];

function optionsFor(type: SocketType, routingId: string): object {
  return {
    ...(IDENTIFIED.includes(type) ? { routingId } : {}),
    ...(type === "ROUTER" ? { mandatory: true } : {}),
  };
}

/** Two sockets that are bound and connected. */
export interface Couple {
  readonly ours: OwnSpeaker;
  readonly theirs: PeerSpeaker;
}

/** Opens a pair; `ours` or `theirs` binds. */
export async function openCouple(
  peer: PeerProcess,
  [ourType, theirType]: readonly [SocketType, SocketType],
  { bound, address }: { readonly bound: "ours" | "theirs"; readonly address: string },
): Promise<Couple> {
  const theirs = await PeerSpeaker.open(peer, theirType, optionsFor(theirType, THEIR_ID));
  const ours = new OwnSpeaker(ourType, optionsFor(ourType, OUR_ID));
  if (bound === "ours") await theirs.connect(await ours.bind(address));
  else await ours.connect(await theirs.bind(address));
  return { ours, theirs };
}

/** Says everything to each other, in every direction, and checks every frame. */
export async function converse(
  { ours, theirs }: Couple,
  messages: readonly (readonly Body[])[],
): Promise<void> {
  await introduce(ours, theirs);
  const [first, second] = inOrder(ours, theirs);
  for (const message of messages) {
    await tell(first, second, message);
    if (!SPEAKS_ONLY.includes(first.type)) await tell(second, first, message);
  }
  if (first.type === "XPUB" && second.type === "XSUB") await tell(second, first, [{ text: "upstream" }]);
}

/** Subscribes where that is needed, and waits until the publisher knows. */
async function introduce(ours: OwnSpeaker, theirs: PeerSpeaker): Promise<void> {
  const [publisher, subscriber]: readonly Speaker[] = inOrder(ours, theirs);
  if (subscriber!.type !== "SUB" && subscriber!.type !== "XSUB") return;
  await subscriber!.subscribe("");
  if (publisher === theirs && publisher.type === "PUB") return synchronize(publisher, ours);
  // A libzmq socket that is bound looks at a new peer only when it is used: here, when it receives.
  const hearing = subscriber!.receive();
  hearing.catch(() => {});
  if (publisher!.type === "XPUB") assertEquals(await publisher!.receive(), [["01"]]);
  else await within((ours.socket as unknown as Publisher).subscribed(""), "their subscription");
  await publisher!.send([{ text: "begin" }]);
  assertEquals(await hearing, [[hexOfText("begin")]]);
}

/** A PUB cannot tell that somebody subscribed: it repeats itself until it is heard. */
async function synchronize(publisher: Speaker, subscriber: Speaker): Promise<void> {
  let heard = false;
  const hearing = subscriber.receive().then(() => {
    heard = true;
  });
  while (!heard) await publisher.send([{ text: "sync" }]);
  await hearing;
  await publisher.send([{ text: "begin" }]);
  const begin = hexOfText("begin");
  for (let frames = [""]; frames[0] !== begin;) frames = (await subscriber.receive())[0]!;
}

/** Who speaks first. Between equals it is ours, so that a Router has heard of the one it must name. */
function inOrder(ours: Speaker, theirs: Speaker): [Speaker, Speaker] {
  const theirsFirst = HEARS_ONLY.includes(ours.type) || (TURN[theirs.type] ?? 0) < (TURN[ours.type] ?? 0);
  return theirsFirst ? [theirs, ours] : [ours, theirs];
}

async function tell(from: Speaker, to: Speaker, message: readonly Body[]): Promise<void> {
  const hears = to.receive();
  hears.catch(() => {});
  await from.send(outgoing(from, to, message));
  assertEquals(await hears, [describeBodies(incoming(from, to, message))]);
}

/** What must be sent so that `to` gets `message`: envelopes are made by hand where the type does not. */
function outgoing(from: Speaker, to: Speaker, message: readonly Body[]): readonly Body[] {
  const byHand = (to.type === "REP" || to.type === "REQ") &&
    (from.type === "DEALER" || from.type === "ROUTER");
  const frames = byHand ? [EMPTY, ...message] : message;
  return from.type === "ROUTER" ? [idOf(to), ...frames] : frames;
}

function incoming(from: Speaker, to: Speaker, message: readonly Body[]): readonly Body[] {
  const enveloped = (from.type === "REP" || from.type === "REQ") &&
    (to.type === "DEALER" || to.type === "ROUTER");
  const frames = enveloped ? [EMPTY, ...message] : message;
  return to.type === "ROUTER" ? [idOf(from), ...frames] : frames;
}

function idOf(speaker: Speaker): Body {
  return { text: speaker instanceof OwnSpeaker ? OUR_ID : THEIR_ID };
}
