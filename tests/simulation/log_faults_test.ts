// runtimes: node
import { test } from "node:test";
import { assert, assertMatch, assertThrows } from "@std/assert";
import type { Broker } from "../../src/log/broker/broker.ts";
import type { Topic } from "../../src/log/broker/topic.ts";
import type { FrameLink } from "../../src/log/link.ts";
import type { SequencedBatch } from "../../src/log/order/sequencer.ts";
import type { StoreFactory, TopicStore } from "../../src/log/store/store.ts";
import { TYPES } from "../../src/log/wire/layout.ts";
import { LARGE, largeBodies, Load, simulateSeed, TOPIC, type WorldBody } from "./log_simulate.ts";
import type { LogWorldInit, PlantedFaults } from "./log_world.ts";

const TOPICS = { topics: { "*": { segmentBytes: 8_192 } } };

/** An object some of whose parts are others. */
function withParts<T extends object>(target: T, parts: Partial<T>): T {
  return new Proxy(target, {
    get: (_, key) => {
      const from: object = key in parts ? parts : target;
      const value: unknown = Reflect.get(from, key, from);
      return typeof value === "function" ? value.bind(from) : value;
    },
  });
}

/** Stores whose topics are made by `make`. */
function stores(factory: StoreFactory, make: (store: TopicStore) => TopicStore): StoreFactory {
  return withParts(factory, {
    open: (topic, options, events, done) =>
      factory.open(topic, options, events, (store) => done("kind" in store ? store : make(store))),
  });
}

// What a load goes through.

const plain: WorldBody = (world) => {
  const load = new Load(world, { publishers: 4, records: 40, readers: [{}] });
  load.finish();
  load.judge();
};

const kills: WorldBody = (world) => {
  const load = new Load(world, { publishers: 3, records: 60, onTopic: { ack: 1 }, readers: [{}] });
  load.strikes(3, () => world.kill());
  load.finish();
  load.judge();
};

/** Publishers wait for syncs, whatever the topic promises. */
function powerLosses(ack: 1 | 2): WorldBody {
  return (world) => {
    const load = new Load(world, { publishers: 3, records: 60, ack: 2, onTopic: { ack } });
    load.strikes(3, () => world.powerLoss());
    load.finish();
    load.judge();
  };
}

const trimmed: WorldBody = (world) => {
  const onTopic = { retention: { bytesMax: 8_192 } };
  const load = new Load(world, {
    publishers: 3,
    records: 150,
    onTopic,
    readers: [{ onTrimmed: "earliest" }],
  });
  load.finish();
  for (const { complaints } of load.readers) assert(complaints.length === 0, complaints.join("; "));
};

// What is broken.

function everyNth(n: number): () => boolean {
  let count = 0;
  return () => ++count % n === 0;
}

function dropsRounds({ sequencer }: Topic): void {
  const takeRound = sequencer.takeRound.bind(sequencer);
  const strikes = everyNth(7);
  sequencer.takeRound = () => {
    const round = takeRound();
    return round.length > 0 && strikes() ? [] : round;
  };
}

/** Orders `extra` as well, which the sequencer does not know. */
function ordersMore(
  { sequencer }: Topic,
  extra: (round: readonly SequencedBatch[]) => SequencedBatch[],
): void {
  const takeRound = sequencer.takeRound.bind(sequencer);
  const [committed, synced] = [sequencer.committed.bind(sequencer), sequencer.synced.bind(sequencer)];
  const extras = new Set<SequencedBatch>();
  sequencer.takeRound = () => {
    const round = takeRound();
    const more = extra(round);
    for (const batch of more) extras.add(batch);
    return [...round, ...more];
  };
  sequencer.committed = (batch, position) => extras.has(batch) || committed(batch, position);
  sequencer.synced = (batch) => extras.has(batch) || synced(batch);
}

function doublesBatches(topic: Topic): void {
  const strikes = everyNth(10);
  ordersMore(topic, (round) => round.filter(() => strikes()).map((batch) => ({ ...batch })));
}

function takesCopies(topic: Topic): void {
  const { sequencer } = topic;
  const [admit, accept] = [sequencer.admit.bind(sequencer), sequencer.accept.bind(sequencer)];
  let copies: SequencedBatch[] = [];
  const known = new Set<string>();
  const keyOf = (session: bigint, epoch: number, batch: number): string => `${session} ${epoch} ${batch}`;
  sequencer.admit = (session, epoch, batch, bytes) => {
    const admission = admit(session, epoch, batch, bytes);
    if (admission !== "duplicate") return admission;
    known.add(keyOf(session, epoch, batch));
    return "take";
  };
  sequencer.accept = (batch, nowMs) => {
    if (known.delete(keyOf(batch.session, batch.epoch, batch.batch))) copies.push(batch);
    else accept(batch, nowMs);
  };
  ordersMore(topic, () => {
    const taken = copies;
    copies = [];
    return taken;
  });
}

function skipsPositions(topic: Topic): void {
  const takeRound = topic.sequencer.takeRound.bind(topic.sequencer);
  const strikes = everyNth(8);
  topic.sequencer.takeRound = () => {
    const round = takeRound();
    if (round.length > 0 && strikes()) topic.state.nextPosition++;
    return round;
  };
}

function acknowledgesTooMuch({ sequencer }: Topic): void {
  const takeAck = sequencer.takeAck.bind(sequencer);
  sequencer.takeAck = (session) => {
    const ack = takeAck(session);
    return ack && { ...ack, nextBatch: ack.nextBatch + 1 };
  };
}

/** What is committed is told to be synced. */
function synchronisesNothing({ sequencer }: Topic): void {
  const committed = sequencer.committed.bind(sequencer);
  sequencer.committed = (batch, position) => {
    committed(batch, position);
    sequencer.synced(batch);
  };
}

function forgetsWaiters(broker: Broker): void {
  const { pool } = broker;
  const strikes = everyNth(3);
  Object.assign(broker, {
    pool: withParts(pool, {
      allocate: (bytes, waiter) =>
        pool.allocate(bytes, waiter !== undefined && strikes() ? undefined : waiter),
    }),
  });
}

function recyclesEverything(broker: Broker): void {
  const { pool } = broker;
  Object.assign(broker, { pool: withParts(pool, { release: (view) => pool.release(view) }) });
}

function skipsRecords(link: FrameLink): FrameLink {
  const strikes = everyNth(9);
  return withParts(link, {
    trySend: (frames) => frames[0]![1] === TYPES.records && strikes() || link.trySend(frames),
  });
}

interface Fault {
  readonly name: string;
  readonly init: LogWorldInit;
  readonly faults: () => PlantedFaults;
  readonly body: WorldBody;
  readonly seedsMax: number;
  readonly says: RegExp;
}

const DISK = { store: "disk", broker: TOPICS } as const;

const FAULTS: readonly Fault[] = [
  {
    name: "a store that says synced where it means written",
    init: DISK,
    faults: () => ({
      stores: (factory) =>
        stores(factory, (store) =>
          withParts(store, {
            get synced() {
              return store.written;
            },
          })),
    }),
    body: powerLosses(2),
    seedsMax: 30,
    says: /was acknowledged|lost batches|not there any more|was synced/,
  },
  {
    name: "a store that says written where it means appended",
    init: DISK,
    faults: () => ({
      stores: (factory) =>
        stores(factory, (store) =>
          withParts(store, {
            get written() {
              return store.tail;
            },
          })),
    }),
    body: kills,
    seedsMax: 30,
    says: /was acknowledged|not there any more|CUT|Cannot resume|sent/,
  },
  {
    name: "a disk that has lost the last entry when the broker comes back",
    init: DISK,
    faults: () => ({
      disk: (disk) => {
        const name = disk.names(TOPIC).at(-1);
        const bytes = name === undefined ? undefined : disk.content(TOPIC, name);
        if (bytes !== undefined && bytes.length > 1) {
          disk.put(TOPIC, name!, bytes.subarray(0, bytes.length - 1));
        }
      },
    }),
    body: kills,
    seedsMax: 30,
    says: /was acknowledged|not there any more|to reach the end/,
  },
  {
    name: "a round that is dropped",
    init: {},
    faults: () => ({ topic: dropsRounds }),
    body: plain,
    seedsMax: 3,
    says: /Waited in vain for all records|out of order/,
  },
  {
    name: "a batch that is ordered twice",
    init: {},
    faults: () => ({ topic: doublesBatches }),
    body: plain,
    seedsMax: 5,
    says: /stands at/,
  },
  {
    name: "copies that are taken for new",
    init: { wire: { doubledShare: 0.3 } },
    faults: () => ({ topic: takesCopies }),
    body: plain,
    seedsMax: 5,
    says: /stands at|stands behind/,
  },
  {
    name: "a position that is skipped",
    init: {},
    faults: () => ({ topic: skipsPositions }),
    body: plain,
    seedsMax: 3,
    says: /was acknowledged at|goes from position|have no hole|BugError/,
  },
  {
    name: "an ack of one batch too many",
    init: {},
    faults: () => ({ topic: acknowledgesTooMuch }),
    body: plain,
    seedsMax: 3,
    says: /batches below|were sent|changed while/,
  },
  {
    name: "acks that call synced what is only written",
    init: DISK,
    faults: () => ({ topic: synchronisesNothing }),
    body: powerLosses(1),
    seedsMax: 30,
    says: /was acknowledged/,
  },
  {
    name: "a stream that skips a batch",
    init: {},
    faults: () => ({ link: skipsRecords }),
    body: plain,
    seedsMax: 3,
    says: /broke/,
  },
  {
    name: "memory of records that is used again while they are under way",
    init: { store: "memory", broker: TOPICS, wire: { delayMsMax: 20 } },
    faults: () => ({
      stores: (factory) =>
        stores(factory, (store) =>
          withParts(store, {
            read: (offset, bytes, done) =>
              store.read(offset, bytes, (read) => {
                if ("kind" in read) return done(read);
                read.release(true);
                done(withParts(read, { release: () => {} }));
              }),
          })),
    }),
    body: trimmed,
    seedsMax: 30,
    says: /changed while|damaged|broke/,
  },
  {
    name: "staging memory that is used again while a transport may still read into it",
    init: LARGE,
    faults: () => ({ broker: recyclesEverything }),
    body: largeBodies,
    seedsMax: 30,
    says: /bodies were damaged/,
  },
  {
    name: "a connection that waits for memory and is forgotten",
    init: { broker: { stagingBuffers: 1, ringSlots: 1 }, wire: { chunkBytesMax: 200 } },
    faults: () => ({ broker: forgetsWaiters }),
    body: plain,
    seedsMax: 30,
    says: /Waited in vain for all records/,
  },
];

for (const { name, init, faults, body, seedsMax, says } of FAULTS) {
  test(`planted: ${name}: is found within ${seedsMax} seeds, and the failure names the seed`, () => {
    const error = assertThrows(() => {
      for (let seed = 1; seed <= seedsMax; seed++) {
        simulateSeed(name, seed, { ...init, faults: faults() }, body);
      }
    }, Error);
    assertMatch(error.message, /seed=\d+ \(again: HAWSER_SEED=\d+\)/);
    assertMatch(error.message, says);
    // It is the fault that was found: without it the same worlds run into nothing.
    const seed = Number(/seed=(\d+)/.exec(error.message)![1]);
    simulateSeed(name, seed, init, body);
  });
}
