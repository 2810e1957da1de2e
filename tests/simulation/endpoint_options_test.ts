import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Dial, StreamOptions, TransportFactory } from "../../src/ports.ts";
import type { SocketEvent, SocketEventType } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import { defaultOptions, type OptionName } from "../../src/socket/options.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Dealer, Pull, Push, Router } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { FLAG_COMMAND } from "../../src/zmtp/wire.ts";
import { framesIn, Scene } from "./scene.ts";

// An endpoint keeps the options that it was made with. Each row makes an endpoint with one value, sets another, and shows
// by what happens, after a reconnect or with a new connection, that the first one still holds.

type Observe = (scene: Scene) => Promise<void>;

/** Options that act at once, whatever endpoints there are. */
const AT_ONCE: readonly OptionName[] = [
  "linger",
  "sendHighWaterMark",
  "sendHighWaterMarkBytes",
  "sendTimeout",
  "sendWaitersMax",
  "receiveHighWaterMark",
  "receiveHighWaterMarkBytes",
  "receiveTimeout",
  "probeRouter",
  "mandatory",
  "handover",
  "correlate",
  "relaxed",
  "noDrop",
  "invertMatching",
  "subscriptionsMax",
  "subscriptionBytesMax",
  "verbosity",
  "manual",
  "welcomeMessage",
];

function collect<Type extends SocketEventType>(socket: Socket, type: Type): SocketEvent<Type>[] {
  const events: SocketEvent<Type>[] = [];
  socket.events.on(type, (event) => events.push(event));
  return events;
}

/** A listener with `before` that is set `after`, then a peer that sends: it must be closed with `code`. */
function refuses(before: object, after: object, message: readonly string[], code: string): Observe {
  return async (scene) => {
    const { context, world } = scene;
    const pull = scene.add(new Pull({ context, ...before }));
    await scene.bind(pull, "sim://work");
    Object.assign(pull, after);
    const lost = collect(pull, "disconnect");
    const push = scene.add(new Push({ context, reconnectInterval: -1 }));
    push.connect("sim://work");
    assert(push.trySend(message));
    await world.drive(() => lost.length > 0, { waitingFor: "the end of the connection" });
    assertEquals((lost[0]!.error as { code?: string }).code, code);
  };
}

/** A connecting socket made with `before` and set `after` while it is connected; then its connection is lost and made again. */
async function reconnected<Kind extends Socket>(
  scene: Scene,
  socket: Kind,
  after: object,
): Promise<Kind> {
  const { world } = scene;
  socket.connect("sim://work");
  await world.driveTo(socket.ready());
  Object.assign(socket, after);
  const before = world.links.length;
  world.links.at(-1)!.cut();
  await world.drive(() => world.links.length > before && socket.peers.length === 1, {
    waitingFor: "the next connection",
  });
  return socket;
}

/** What `socket` says in its second connection within a second, commands only. */
async function commandsOf(scene: Scene, before: object, after: object): Promise<Uint8Array[]> {
  const { context, world } = scene;
  const pull = scene.add(new Pull({ context }));
  await scene.bind(pull, "sim://work");
  await reconnected(scene, scene.add(new Push({ context, ...before })), after);
  await world.driveFor(1_000);
  const dialled = scene.taps.filter(({ side }) => side === "dialled").at(-1)!;
  return framesIn(dialled.handed).filter(({ flags }) => (flags & FLAG_COMMAND) !== 0).map(({ body }) => body);
}

function isPing(body: Uint8Array): boolean {
  return new TextDecoder().decode(body.subarray(1, 5)) === "PING";
}

/** Stream options that transports get, where the adapter is only there after the option was changed. */
function streamOption(before: object, after: object, expected: StreamOptions): Observe {
  return async (scene) => {
    const { world } = scene;
    const seen: StreamOptions[] = [];
    const factory: TransportFactory = {
      dial: (address, options): Dial => {
        seen.push(options);
        return world.network.dial(address, options);
      },
      listen: (address, options) => {
        seen.push(options);
        return world.network.listen(address, options);
      },
    };
    let give = (): void => {};
    const loaded = new Promise<void>((resolve) => give = resolve);
    const context = new Context({ host: world.host });
    context.transport = () => loaded.then(() => factory);
    const pull = scene.add(new Pull({ context, ...before }));
    const push = scene.add(new Push({ context, ...before }));
    const binding = pull.bind("sim://work");
    push.connect("sim://work");
    for (const socket of [pull, push]) Object.assign(socket, after);
    give();
    await world.driveTo(binding);
    await world.driveTo(push.ready());
    const name = Object.keys(expected)[0] as keyof StreamOptions;
    assertEquals(seen.map((options) => options[name]), [expected[name], expected[name]]);
  };
}

const ROWS: Readonly<Partial<Record<OptionName, Observe>>> = {
  maxMessageSize: refuses(
    { maxMessageSize: 10 },
    { maxMessageSize: 1_000 },
    ["x".repeat(11)],
    "ERR_PEER_FRAME_SIZE",
  ),
  messageBytesMax: refuses(
    { messageBytesMax: 10 },
    { messageBytesMax: 1_000 },
    ["x".repeat(6), "x".repeat(6)],
    "ERR_PEER_MESSAGE_SIZE",
  ),
  messageFramesMax: refuses(
    { messageFramesMax: 2 },
    { messageFramesMax: 10 },
    ["x", "y", "z"],
    "ERR_PEER_MESSAGE_SIZE",
  ),
  pendingBytesMax: async (scene) => {
    const { context, world } = scene;
    const pull = scene.add(new Pull({ context, pendingBytesMax: 1, receiveHighWaterMark: 1 }));
    await scene.bind(pull, "sim://work");
    pull.pendingBytesMax = 100_000_000;
    const push = scene.add(new Push({ context }));
    push.connect("sim://work");
    for (let i = 0; i < 500; i++) push.trySend(new Uint8Array(10_000));
    await world.driveFor(1_000);
    assert(context.runtime.pendingTotal.bytes < 500_000, `${context.runtime.pendingTotal.bytes} bytes wait`);
  },
  handshakesMax: async (scene) => {
    const { context, world } = scene;
    const pull = scene.add(new Pull({ context, handshakesMax: 1 }));
    await scene.bind(pull, "sim://work");
    pull.handshakesMax = 10;
    const failed = collect(pull, "handshake:error:other");
    for (let i = 0; i < 2; i++) silentClient(world, "sim://work");
    await world.driveFor(10);
    assertEquals(failed.map(({ error }) => (error as { code?: string }).code), ["ERR_PEER_HANDSHAKES"]);
  },
  ipv6: streamOption({ ipv6: true }, { ipv6: false }, { ipv6: true }),
  tls: streamOption({ tls: { serverName: "old" } }, { tls: null }, { tls: { serverName: "old" } }),
  webSocket: streamOption({ webSocket: { allowOrigins: ["a"] } }, { webSocket: null }, {
    webSocket: { allowOrigins: ["a"] },
  }),
  backlog: streamOption({ backlog: 7 }, { backlog: 8 }, { backlog: 7 }),
  connectTimeout: streamOption({ connectTimeout: 70 }, { connectTimeout: 80 }, { connectTimeoutMs: 70 }),
  tcpKeepalive: streamOption({ tcpKeepalive: 1 }, { tcpKeepalive: 0 }, { tcpKeepalive: true }),
  tcpKeepaliveIdle: streamOption({ tcpKeepaliveIdle: 7 }, { tcpKeepaliveIdle: 8 }, {
    tcpKeepaliveIdleMs: 7_000,
  }),
  handshakeInterval: async (scene) => {
    const { context, world } = scene;
    await world.network.listen("sim://mute", {})((attach) => {
      const transport = attach({
        open() {},
        data() {},
        drain() {},
        end: () => transport.close("flush"),
        close() {},
      });
    }, () => {}).then(async (listener) => {
      const push = scene.add(new Push({ context, handshakeInterval: 50, reconnectInterval: 10 }));
      const failed = collect(push, "handshake:error:other");
      push.connect("sim://mute");
      push.handshakeInterval = 100_000;
      await world.drive(() => failed.length === 2, { withinMs: 1_000, waitingFor: "the second time-out" });
      await listener.close();
    });
  },
  heartbeatInterval: async (scene) => {
    const commands = await commandsOf(scene, { heartbeatInterval: 100 }, { heartbeatInterval: 0 });
    assert(commands.filter(isPing).length >= 5, "PINGs go on");
  },
  heartbeatTimeout: async (scene) => {
    const { context, world } = scene;
    await scene.bind(scene.add(new Pull({ context })), "sim://work");
    const push = scene.add(new Push({ context, heartbeatInterval: 20, heartbeatTimeout: 50 }));
    await reconnected(scene, push, { heartbeatTimeout: 1_000_000 });
    const lost = collect(push, "disconnect");
    world.links.at(-1)!.toClient.hold();
    await world.drive(() => lost.length > 0, { withinMs: 1_000, waitingFor: "the heartbeat's time-out" });
  },
  heartbeatTimeToLive: async (scene) => {
    const commands = await commandsOf(scene, { heartbeatInterval: 100, heartbeatTimeToLive: 700 }, {
      heartbeatTimeToLive: 0,
    });
    const ping = commands.find(isPing)!;
    assertEquals([...ping.subarray(5, 7)], [0, 7]);
  },
  reconnectInterval: async (scene) => {
    const { context } = scene;
    await scene.bind(scene.add(new Pull({ context })), "sim://work");
    const push = scene.add(new Push({ context, reconnectInterval: 10 }));
    await reconnected(scene, push, { reconnectInterval: -1 });
  },
  reconnectMaxInterval: async (scene) => {
    const { context, world } = scene;
    const push = scene.add(new Push({ context, reconnectInterval: 10, reconnectMaxInterval: 0 }));
    const retries = collect(push, "connect:retry");
    push.connect("sim://nobody");
    push.reconnectMaxInterval = 100_000;
    await world.drive(() => retries.length >= 12);
    assert(retries.every(({ interval }) => interval! < 100), "the wait does not grow");
  },
  metadata: async (scene) => {
    const { context } = scene;
    const pull = scene.add(new Pull({ context, metadata: { "X-Name": "old" } }));
    await scene.bind(pull, "sim://work");
    pull.metadata = { "X-Name": "new" };
    const push = scene.add(new Push({ context }));
    await reconnected(scene, push, {});
    assertEquals(new TextDecoder().decode(push.peers[0]!.metadata.get("x-name")), "old");
  },
  immediate: async (scene) => {
    const { context, world } = scene;
    const pull = scene.add(new Pull({ context }));
    await scene.bind(pull, "sim://work");
    const push = scene.add(new Push({ context }));
    push.connect("sim://work");
    await world.driveTo(push.ready());
    push.immediate = true;
    world.links.at(-1)!.cut();
    await world.drive(() => push.peers.length === 0);
    assert(push.trySend("kept"), "it queues for a peer that is away");
    await world.drive(() => pull.tryReceive() !== undefined, { waitingFor: "what was queued" });
  },
  conflate: async (scene) => {
    const { context, world } = scene;
    for (const address of ["sim://work", "inproc://work"]) {
      const pull = scene.add(new Pull({ context, conflate: true }));
      const push = scene.add(new Push({ context, conflate: true }));
      push.connect(address);
      await scene.bind(pull, address);
      push.conflate = false;
      pull.conflate = false;
      await world.driveTo(push.ready());
      for (const text of ["a", "b", "c"]) assert(push.trySend(text));
      await world.driveFor(100);
      assertEquals(pull.receiveMany().length, 1, address);
    }
  },
  routingId: async (scene) => {
    const { context, world } = scene;
    const router = scene.add(new Router({ context }));
    await scene.bind(router, "sim://work");
    const dealer = scene.add(new Dealer({ context, routingId: "old" }));
    await reconnected(scene, dealer, { routingId: "new" });
    await world.drive(() => router.peers.length === 1);
    assertEquals(new TextDecoder().decode(router.peers[0]!.identity), "old");
    const second = scene.add(new Dealer({ context, routingId: "second" }));
    second.connect("inproc://later");
    second.routingId = "changed";
    const far = scene.add(new Router({ context }));
    await scene.bind(far, "inproc://later");
    await world.driveTo(far.ready());
    assertEquals(new TextDecoder().decode(far.peers[0]!.identity), "second");
  },
};

/** Connects and says nothing. */
function silentClient(world: World, address: string): void {
  world.network.dial(address, {})({ open() {}, data() {}, drain() {}, end() {}, close() {} });
}

for (const [name, observe] of Object.entries(ROWS)) {
  test(`an endpoint keeps the ${name} that it was made with`, async () => {
    const scene = new Scene(new World(1));
    await observe(scene);
  });
}

test("every option either acts at once, and says so, or is kept by endpoints, which is shown here", () => {
  const rows = Object.keys(ROWS) as OptionName[];
  assertEquals([...rows, ...AT_ONCE].sort(), Object.keys(defaultOptions()).sort());
  const source = readFileSync("src/socket/options.ts", "utf8");
  for (const name of Object.keys(defaultOptions())) {
    const at = source.indexOf(`\n  ${name}?:`);
    const comment = source.slice(source.lastIndexOf("/**", at), at).replaceAll(/\s*\n\s*\* /g, " ");
    assertEquals(/at once\. \*\/|At once\./i.test(comment), AT_ONCE.includes(name as OptionName), name);
  }
});
