/** The subscription tree: changes, and the match that a publisher makes once per message. */

import { bench, do_not_optimize, group } from "mitata";
import { SubscriptionTree } from "../../src/pattern/subscriptions/subscriptions.ts";

const MATCHES = 1000;
const PEERS = 100;

function topics(count: number): Uint8Array[] {
  const text = new TextEncoder();
  return Array.from({ length: count }, (_, i) => text.encode(`market/${i % 50}/instrument/${i}`));
}

export function defineSubscriptions(): void {
  group(() => {
    for (const count of [1, 10_000, 100_000]) defineMatch(count);
    defineFanOut();
  });
  defineChange();
}

function defineMatch(count: number): void {
  const tree = new SubscriptionTree<number>();
  const all = topics(count);
  all.forEach((topic, i) => tree.add(topic, i % PEERS));
  const frames = topics(MATCHES);
  const into: number[] = [];
  bench(`subscriptions: ${MATCHES} matches against ${count} topics`, () => {
    let matched = 0;
    for (let i = 0; i < MATCHES; i++) matched += tree.match(frames[i]!, into);
    do_not_optimize(matched);
  });
}

function defineFanOut(): void {
  const tree = new SubscriptionTree<number>();
  for (let peer = 0; peer < PEERS; peer++) tree.add(new Uint8Array(0), peer);
  const frame = new TextEncoder().encode("market/1");
  const into: number[] = [];
  bench(`subscriptions: ${MATCHES} matches of all ${PEERS} peers`, () => {
    let matched = 0;
    for (let i = 0; i < MATCHES; i++) matched += tree.match(frame, into);
    do_not_optimize(matched);
  });
}

function defineChange(): void {
  const all = topics(10_000);
  bench("subscriptions: 10000 added, then removed", () => {
    const tree = new SubscriptionTree<number>();
    for (const topic of all) tree.add(topic, 1);
    for (const topic of all) tree.remove(topic, 1);
    do_not_optimize(tree.topicCount);
  });
}
