import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { ConnectionFeeds } from "../../../src/log/broker/connection_feeds.ts";
import type { Feed, FeedTarget } from "../../../src/log/broker/feed.ts";
import type { Outbox } from "../../../src/log/broker/outbox.ts";
import type { Topic } from "../../../src/log/broker/topic.ts";
import { LogError } from "../../../src/log/errors.ts";
import type { BrokerMessage, Subscribe } from "../../../src/log/wire/messages.ts";

/** A feed that sends what the test wants it to, one message for each pump. */
class FakeFeed {
  position = 0n;
  /** Messages that it has for its reader. */
  left = 0;
  blocked = false;
  consumedBytes = 0;
  pumps = 0;
  readonly #target: FeedTarget;

  constructor(target: FeedTarget) {
    this.#target = target;
  }

  consumed(bytes: number): void {
    this.consumedBytes = bytes;
  }

  pump(): void {
    this.pumps++;
    this.blocked = false;
    while (this.left > 0) {
      if (!this.#target.trySendRecords({} as never, [])) {
        this.blocked = true;
        return;
      }
      this.left--;
      this.position++;
    }
  }

  end(error: LogError): void {
    this.#target.ended(error);
  }
}

/** One topic, one link, and what they were told. */
class Bench {
  readonly told: BrokerMessage[] = [];
  /** Cursors of the topic that are subscribed, in order. */
  readonly open: FakeFeed[] = [];
  /** Messages that the link still takes. */
  room = Infinity;
  sent = 0;
  cancelled = 0;
  used = 0;
  /** What `find` was asked for and has not answered. */
  readonly finds: ((topic: Topic | LogError) => void)[] = [];
  /** Beginnings that are looked up. */
  readonly beginnings: ((feed: Feed | LogError) => void)[] = [];
  readonly targets: FeedTarget[] = [];
  readonly topic: Topic;
  readonly feeds: ConnectionFeeds;

  constructor() {
    this.topic = {
      visibleTail: 7n,
      generation: 3,
      readers: {
        subscribe: (_: Subscribe, target: FeedTarget, done: (feed: Feed | LogError) => void) => {
          this.targets.push(target);
          this.beginnings.push(done);
        },
        unsubscribe: (feed: Feed) => void this.open.splice(this.open.indexOf(feed as unknown as FakeFeed), 1),
      },
    } as unknown as Topic;
    const hasRoom = (): boolean => this.room > 0;
    this.feeds = new ConnectionFeeds({
      local: false,
      outbox: {
        get empty(): boolean {
          return hasRoom();
        },
        trySendRecords: () => this.room > 0 && (this.room--, this.sent++, true),
      } as unknown as Outbox,
      find: (_topic, done) => {
        this.finds.push(done);
        return () => this.cancelled++;
      },
      used: () => this.used++,
      tell: (message) => this.told.push(message),
    });
  }

  ask(cursor: number): void {
    this.feeds.subscribe({ type: "subscribe", request: cursor, topic: "orders", cursor } as Subscribe);
  }

  /** A subscription that has begun. */
  subscribe(cursor: number, left = 0): FakeFeed {
    this.ask(cursor);
    this.finds.pop()!(this.topic);
    return this.begin(left);
  }

  begin(left = 0): FakeFeed {
    const feed = new FakeFeed(this.targets.at(-1)!);
    feed.left = left;
    this.open.push(feed);
    this.beginnings.pop()!(feed as unknown as Feed);
    return feed;
  }

  get types(): string[] {
    return this.told.map(({ type }) => type);
  }
}

test("a subscription uses its topic, is told where it begins, and begins at once", () => {
  const bench = new Bench();
  const feed = bench.subscribe(1, 2);
  assertEquals(bench.told, [
    { type: "subscribed", request: 1, cursor: 1, position: 0n, tail: 7n, generation: 3 },
  ]);
  assertEquals([bench.used, feed.pumps, bench.sent, bench.feeds.size], [1, 1, 2, 1]);
  bench.feeds.credit({ type: "credit", cursor: 1, consumedBytes: 100 });
  bench.feeds.credit({ type: "credit", cursor: 9, consumedBytes: 200 });
  assertEquals(feed.consumedBytes, 100);
});

test("a subscription that is taken back is forgotten, wherever it stands", () => {
  const bench = new Bench();
  bench.ask(1);
  bench.feeds.unsubscribe(1);
  assertEquals([bench.cancelled, bench.feeds.size], [1, 0]);
  bench.finds.pop()!(bench.topic);
  assertEquals([bench.used, bench.beginnings.length], [0, 0], "the topic came too late");

  bench.ask(2);
  bench.finds.pop()!(bench.topic);
  bench.feeds.unsubscribe(2);
  bench.begin();
  assertEquals([bench.open.length, bench.told], [0, []], "its beginning came too late");

  bench.subscribe(3);
  bench.feeds.unsubscribe(3);
  bench.feeds.unsubscribe(3);
  assertEquals([bench.open.length, bench.feeds.size, bench.types], [0, 0, ["subscribed"]]);
});

test("a cursor that is used again replaces the subscription that had it", () => {
  const bench = new Bench();
  bench.ask(1);
  const [first] = bench.finds;
  const second = bench.subscribe(1);
  first!(bench.topic);
  assertEquals([bench.cancelled, bench.used, bench.feeds.size], [1, 1, 1]);
  const third = bench.subscribe(1);
  assertEquals([bench.open.includes(second), bench.open.includes(third)], [false, true]);
});

test("a subscription that ends is told so and forgotten: no topic, no beginning, a later end", () => {
  const error = new LogError("ERR_LOG_TRIMMED", "gone");
  const bench = new Bench();
  bench.ask(1);
  bench.finds.pop()!(error);
  bench.ask(2);
  bench.finds.pop()!(bench.topic);
  bench.beginnings.pop()!(error);
  bench.subscribe(3).end(error);
  assertEquals(bench.types, ["cursorEnded", "cursorEnded", "subscribed", "cursorEnded"]);
  assertEquals([bench.feeds.size, bench.open.length], [0, 0]);
});

test("a closed link's feeds send nothing and are forgotten, also those that have not begun", () => {
  const bench = new Bench();
  const feed = bench.subscribe(1);
  bench.ask(2);
  bench.feeds.close();
  assertEquals([bench.feeds.size, bench.open.length, bench.cancelled], [0, 0, 2]);
  feed.left = 1;
  feed.pump();
  assertEquals([feed.blocked, bench.sent], [true, 0], "the outbox has room, but nobody is there");
});

test("a link that closes while it is filled pumps no further feed", () => {
  const bench = new Bench();
  const [first, second] = [bench.subscribe(1), bench.subscribe(2)];
  const pumped = second.pumps;
  const { pump } = first;
  first.pump = (): void => {
    pump.call(first);
    bench.feeds.close();
  };
  bench.feeds.pump();
  assertEquals(second.pumps, pumped);
});

test("a subscription that ends while it is pumped does not come back", () => {
  const bench = new Bench();
  const feed = bench.subscribe(1);
  feed.pump = (): void => feed.end(new LogError("ERR_LOG_TRIMMED", "gone"));
  bench.feeds.pump();
  assertEquals(bench.feeds.size, 0);
});

test("feeds share a link in turns: who got something is last, who got nothing is first", () => {
  const bench = new Bench();
  bench.room = 0;
  const [a, b, c] = [1, 2, 3].map((cursor) => bench.subscribe(cursor, 10)) as [FakeFeed, FakeFeed, FakeFeed];
  const left = (): number[] => [a.left, b.left, c.left];
  const fill = (room: number): number[] => {
    bench.room = room;
    bench.feeds.pump();
    return left();
  };
  assertEquals(fill(1), [9, 10, 10]);
  assertEquals(fill(1), [9, 9, 10]);
  assertEquals(fill(0), [9, 9, 10], "no room, no turn");
  assertEquals(fill(1), [9, 9, 9]);
  assertEquals(fill(1), [8, 9, 9]);
  b.left = 0;
  assertEquals(fill(1), [8, 0, 8], "who has nothing to send is passed over");
});
