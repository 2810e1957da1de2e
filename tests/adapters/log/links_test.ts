// runtimes: node deno bun
import { afterEach, test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { memoryTransport } from "../../../adapters/memory/mod.ts";
import { Context } from "../../../mod.ts";
import { DealerLink, type DealerLinkInit } from "../../../src/log/client/dealer_link.ts";
import { LinkServer, type LinkServerInit } from "../../../src/log/server/link_server.ts";
import { DISCARDED } from "../../../src/zmtp/frame_sink.ts";
import { freshAddress } from "../../interop/support/addresses.ts";
import { until, within } from "../../interop/support/deadline.ts";
import { frameBytes, frameHeader, handshakeBytes, RawClient } from "../../interop/support/raw_client.ts";
import {
  assertWhole,
  Caller,
  Door,
  Feeder,
  numbered,
  numberOf,
  type Served,
} from "../../support/log_links.ts";

// The log's links over every transport there is on this runtime.

const KIB = 1_024;
const MIB = KIB * KIB;
const SCHEMES = ["tcp", "ipc", "memory", "inproc"] as const;
type Scheme = (typeof SCHEMES)[number];
const STREAMS: readonly Scheme[] = ["tcp", "ipc", "memory"];

function addressOf(scheme: Scheme): string {
  return scheme === "memory" ? "memory://*" : freshAddress(scheme);
}

const stages = new Set<Stage>();

// A test that failed leaves its sockets open, which would keep the process alive.
afterEach(() => {
  for (const stage of stages) stage.context.close();
  stages.clear();
});

/** A broker's door and its callers. */
class Stage {
  readonly context: Context = new Context({ transports: { memory: memoryTransport() } });
  readonly door: Door = new Door();
  readonly server: LinkServer;
  readonly callers: Caller[] = [];
  readonly #links: DealerLink[] = [];

  constructor(socket: LinkServerInit["socket"] = {}) {
    const { accept, endOfBurst } = this.door;
    this.server = new LinkServer({ context: this.context, accept, endOfBurst, socket });
    stages.add(this);
  }

  static async open(scheme: Scheme, socket: LinkServerInit["socket"] = {}): Promise<Stage> {
    const stage = new Stage(socket);
    await within(stage.server.bind(addressOf(scheme)), "the endpoint to be bound");
    return stage;
  }

  get endpoint(): string {
    return this.server.endpoints[0]!;
  }

  /** Connects a client, and answers both ends once they are open. */
  async connect(options: Partial<DealerLinkInit> = {}): Promise<[Caller, Served]> {
    const { length } = this.door.served;
    const caller = this.call(options);
    await until(() => caller.isOpen && this.door.served.length > length, "both ends to be open");
    return [caller, this.door.served.at(-1)!];
  }

  call(options: Partial<DealerLinkInit> = {}): Caller {
    const caller = new Caller();
    const link = new DealerLink({
      context: this.context,
      endpoint: options.endpoint ?? this.endpoint,
      events: caller,
      retryMs: 10,
      ...options,
    });
    caller.link = link;
    this.#links.push(link);
    this.callers.push(caller);
    return caller;
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.close();
    await within(Promise.all(this.#links.map((link) => link.ended)), "the clients' ends");
    await within(this.server.stop(), "the server's end");
    stages.delete(this);
    this.door.assertDone();
    for (const caller of this.callers) assertEquals(caller.opens, caller.closes);
  }
}

for (const scheme of SCHEMES) {
  test(`bodies from nothing to 1 MiB arrive whole and in order over ${scheme}, both ways at once`, async () => {
    const stage = await Stage.open(scheme);
    const [caller, served] = await stage.connect();
    assertEquals(served.input === undefined, scheme === "inproc");
    const sizes = [0, 1, 64 * KIB, 300 * KIB, MIB];
    const count = 30;
    const messages = (number: number): Uint8Array[] =>
      number % 6 === 5 ? numbered(number, ...sizes) : numbered(number, sizes[number % 6]!);
    const feeders = [new Feeder(caller, count, messages), new Feeder(served, count, messages)];
    for (const feeder of feeders) feeder.pump();
    await until(() => [caller, served].every((end) => end.received.length === count), "all messages");
    for (const end of [caller, served]) {
      assertEquals(end.numbers, Array.from({ length: count }, (_, number) => number));
      end.received.forEach(assertWhole);
    }
    // The ledger compared each frame of the server's with the memory that it gave.
    if (served.ledger !== undefined) assertEquals(served.ledger.delivered, count * 2 + 5 * 4);
    await stage.close();
  });

  test(`a peer's end over ${scheme} is its alone, comes after its last words, and it may come again`, async () => {
    const stage = await Stage.open(scheme);
    const [first, toFirst] = await stage.connect();
    const [second, toSecond] = await stage.connect();
    for (let number = 0; number < 50; number++) assert(toFirst.send(...numbered(number, 2_000)));
    toFirst.close(new Error("enough"));
    assertEquals(toFirst.send(...numbered(50)), false);
    await until(() => first.closes === 1 && toFirst.closes === 1, "both ends of the first to be closed");
    assertEquals(first.numbers, Array.from({ length: 50 }, (_, number) => number));
    assertEquals(toFirst.reason?.message, "enough");
    await until(() => first.opens === 2 && stage.door.served.length === 3, "the first to be back");
    assertEquals([second.opens, second.closes, toSecond.closes], [1, 0, 0]);
    for (const caller of [first, second]) assert(caller.send(...numbered(7, 10)));
    await until(() => stage.door.open.every((served) => served.received.length === 1), "both to be served");
    first.close();
    await until(() => first.closes === 2, "the first to be closed");
    await stage.close();
  });
}

for (const scheme of STREAMS) {
  test(`memory for one body serves three connections over ${scheme}, and a body may be discarded`, async () => {
    const stage = await Stage.open(scheme);
    const line: Served[] = [];
    // Taken until all three have asked, so that all three wait.
    let owner: Served | "somebody" | undefined = "somebody";
    const free = (): void => {
      owner = undefined;
      const [first] = line.splice(0, 1);
      first?.input?.restart();
    };
    stage.door.onServed = (served) => {
      served.ledger!.decide = (bytes, before) => {
        if (bytes < 10_000) return undefined;
        if (numberOf(before) % 5 === 4) return "discard";
        if (owner === undefined && !line.includes(served)) {
          owner = served;
          return undefined;
        }
        if (!line.includes(served)) line.push(served);
        return "later";
      };
      served.onMessage = ([, body]) => {
        if (owner === served && body !== DISCARDED) free();
      };
    };
    for (let index = 0; index < 3; index++) await stage.connect();
    const count = 20;
    for (const caller of stage.callers) {
      new Feeder(caller, count, (number) => numbered(number, 300 * KIB + number)).pump();
    }
    const { served } = stage.door;
    await until(() => line.length === 3, "all three to wait");
    assertEquals(served.flatMap(({ numbers }) => numbers), []);
    free();
    await until(() => served.every(({ received }) => received.length === count), "all of them");
    for (const { received } of served) {
      received.forEach(assertWhole);
      const discarded = received.filter(([, body]) => body === DISCARDED).map(numberOf);
      assertEquals(discarded, [4, 9, 14, 19]);
    }
    await stage.close();
  });
}

for (const scheme of ["ipc", "memory"] as const) {
  test(`scenario 45: a broker over ${scheme} that is not there yet is found when it is`, async () => {
    const stage = new Stage();
    const endpoint = scheme === "ipc" ? freshAddress("ipc") : "memory://later";
    const caller = stage.call({ endpoint, retryMs: 1, retryMaxMs: 4 });
    await until(() => caller.failures.length >= 5, "five refusals");
    assertEquals(caller.opens, 0);
    assertEquals(await stage.server.bind(endpoint), endpoint);
    await until(() => caller.isOpen && stage.door.served.length === 1, "the client to be there");
    assert(caller.send(...numbered(1, 10)));
    await until(() => stage.door.served[0]!.received.length === 1, "its message");
    await stage.close();
  });
}

test("a hundred peers over tcp are served side by side", async () => {
  const stage = await Stage.open("tcp");
  stage.door.onServed = (served) => {
    const echoes: Uint8Array[][] = [];
    served.onWritable = () => {
      while (echoes.length > 0 && served.send(...echoes[0]!)) echoes.shift();
    };
    // A hundred echoes may be more than one turn's budget.
    served.onMessage = (frames) => {
      echoes.push(frames);
      served.onWritable();
    };
  };
  for (let index = 0; index < 100; index++) {
    const caller = stage.call();
    const feeder = new Feeder(caller, 10, (number) => numbered(index * 10 + number, 100 * index));
    caller.onOpened = () => feeder.pump();
  }
  await until(() => stage.callers.every(({ received }) => received.length === 10), "every echo");
  for (const [index, caller] of stage.callers.entries()) {
    assertEquals(caller.numbers, Array.from({ length: 10 }, (_, number) => index * 10 + number));
    caller.received.forEach(assertWhole);
  }
  assertEquals(stage.server.links, 100);
  await stage.close();
});

test("peers over tcp that go in the middle of a body give its memory back", async () => {
  const stage = await Stage.open("tcp");
  const head = frameBytes(1, numbered(1, 100_000)[0]!);
  const bodies = [0, 1, 50_000, 99_999];
  for (const [index, bytes] of bodies.entries()) {
    const client = await RawClient.open(stage.endpoint);
    await client.write(handshakeBytes("DEALER"));
    await client.write(frameBytes(0, numbered(0)[0]!));
    await client.write(head);
    await client.write(frameHeader(0, 100_000));
    await client.write(new Uint8Array(bytes));
    await until(() => stage.door.served[index]?.ledger?.asked === 3, "the body to be asked for");
    const served = stage.door.served[index]!;
    await until(() => served.input!.receivedBytes >= 100 + bytes, "what was sent of the body");
    if (index % 2 === 0) client.destroy();
    else client.end();
    await until(() => served.closes === 1, "the link's end");
    assertEquals([served.numbers, served.ledger!.released], [[0], 2]);
  }
  await stage.close();
});

test("a peer over tcp that reads nothing keeps to its mark and holds up nobody; it may be closed", async () => {
  const markBytes = 200_000;
  const stage = await Stage.open("tcp", { sendHighWaterMarkBytes: markBytes });
  const raw = await RawClient.open(stage.endpoint);
  await raw.write(handshakeBytes("DEALER"));
  await until(() => stage.door.served.length === 1, "the silent peer");
  raw.stopReading();
  const toRaw = stage.door.served[0]!;
  const [caller, toCaller] = await stage.connect();
  const body = new Uint8Array(50_000);
  let stuffed = 0;
  toRaw.onWritable = () => {
    while (toRaw.send(body)) stuffed++;
  };
  toRaw.onWritable();
  // The system takes some megabytes; then nothing moves, for as long as the other is served.
  let echoes = 0;
  caller.onMessage = () => echoes++;
  let before = -1;
  for (let quiet = 0; quiet < 20;) {
    quiet = before === stuffed ? quiet + 1 : 0;
    before = stuffed;
    const expected = echoes + 1;
    // What the silent peer was given in this turn may have been all that the turn allows.
    await until(() => toCaller.send(...numbered(expected, 1_000)), "the next turn");
    await until(() => echoes === expected, "the other's message");
  }
  assertGreater(stuffed, 3);
  assertEquals(toRaw.send(body), false);
  assertLessOrEqual(caller.closes, 0);
  toRaw.close(new Error("too slow"));
  await until(() => toRaw.closes === 1, "the silent peer's link to end");
  // It still reads nothing: it is cut, and its connection is gone when this returns.
  await stage.close();
  raw.destroy();
});

test("a server that stops frees its endpoints", async () => {
  for (const scheme of SCHEMES) {
    const stage = await Stage.open(scheme);
    const { endpoint } = stage;
    await stage.connect();
    await stage.close();
    const again = new Stage();
    assertEquals(await again.server.bind(endpoint), endpoint);
    await again.close();
  }
});
