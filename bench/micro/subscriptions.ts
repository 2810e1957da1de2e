/** The subscription tree: changes, and the match that a publisher makes once per message. */

import { bench, do_not_optimize, group } from "mitata";
import { OwnSubscriptions } from "../../src/pattern/subscriptions/own_subscriptions.ts";
import { SubscriptionTree } from "../../src/pattern/subscriptions/subscription_tree.ts";

const MATCHES = 1000;
const PEERS = 100;

const REGIONS = ["north", "south", "east", "west", "centre", "coast", "hills", "isles"];
const text = new TextEncoder();

/** Kinds of topics: what there is to compare, and how far apart it lies, differ. */
const SHAPES: Record<string, (index: number) => Uint8Array> = {
  sensor: (index) => text.encode(`sensor.${REGIONS[index % 8]!}.${index}.temperature`),
  counter: (index) => text.encode(`${index}.`),
  prefix: (index) => text.encode(`company/production/datacentre/frankfurt/rack/machine/${index}`),
  random: randomTopic,
};

/** 16 bytes that are the same in each run. */
function randomTopic(index: number): Uint8Array {
  let state = Math.imul(index + 1, 0x9e3779b1);
  return Uint8Array.from({ length: 16 }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    return state >>> 24;
  });
}

function topics(shape: string, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => SHAPES[shape]!(index));
}

/** Messages of 64 bytes that begin with topics from everywhere among them. */
function frames(all: readonly Uint8Array[]): Uint8Array[] {
  return Array.from({ length: MATCHES }, (_, index) => {
    const frame = new Uint8Array(64);
    frame.set(all[(index * 7_919) % all.length]!);
    return frame;
  });
}

export function defineSubscriptions(): void {
  for (const shape of Object.keys(SHAPES)) {
    group(() => {
      for (const count of [1, 1_000, 10_000, 100_000]) defineMatch(shape, count);
    });
  }
  group(() => {
    defineReceiver();
    defineFanOut();
  });
  defineChange();
  defineLeaving();
}

function defineMatch(shape: string, count: number): void {
  const tree = new SubscriptionTree<number>();
  const all = topics(shape, count);
  all.forEach((topic, i) => tree.add(topic, i % PEERS));
  const sent = frames(all);
  const into: number[] = [];
  bench(`subscriptions: ${MATCHES} matches against ${count} ${shape} topics`, () => {
    let matched = 0;
    for (let i = 0; i < MATCHES; i++) matched += tree.match(sent[i]!, into);
    do_not_optimize(matched);
  });
}

function defineReceiver(): void {
  const own = new OwnSubscriptions();
  const all = topics("sensor", 10_000);
  for (const topic of all) own.add(topic);
  const received = frames(all);
  bench(`subscriptions: a subscriber looks at ${MATCHES} messages, 10000 topics`, () => {
    let matched = 0;
    for (let i = 0; i < MATCHES; i++) if (own.matches(received[i]!)) matched++;
    do_not_optimize(matched);
  });
}

function defineFanOut(): void {
  const tree = new SubscriptionTree<number>();
  for (let peer = 0; peer < PEERS; peer++) tree.add(new Uint8Array(0), peer);
  const frame = text.encode("market/1");
  const into: number[] = [];
  bench(`subscriptions: ${MATCHES} matches of all ${PEERS} peers`, () => {
    let matched = 0;
    for (let i = 0; i < MATCHES; i++) matched += tree.match(frame, into);
    do_not_optimize(matched);
  });
}

function defineChange(): void {
  const all = topics("sensor", 10_000);
  bench("subscriptions: 10000 added, then removed", () => {
    const tree = new SubscriptionTree<number>();
    for (const topic of all) tree.add(topic, 1);
    for (const topic of all) tree.remove(topic, 1);
    do_not_optimize(tree.topicCount);
  });
}

function defineLeaving(): void {
  const all = topics("sensor", 10_000);
  bench("subscriptions: 30 peers with 10000 topics each come and leave", () => {
    const tree = new SubscriptionTree<number>();
    for (let peer = 0; peer < 30; peer++) for (const topic of all) tree.add(topic, peer);
    for (let peer = 0; peer < 30; peer++) tree.removePeer(peer);
    do_not_optimize(tree.topicCount);
  });
}
