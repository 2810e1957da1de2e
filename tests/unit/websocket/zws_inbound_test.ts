import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { asciiBytes, concat, NO_BYTES } from "../../../src/bytes/bytes.ts";
import type { TransportHandlers } from "../../../src/ports.ts";
import { encodeCommand, encodeCommandFrame, encodeReady } from "../../../src/zmtp/commands.ts";
import { encodeFrame } from "../../../src/zmtp/frame_encoder.ts";
import { encodeMetadata, type Property } from "../../../src/zmtp/metadata.ts";
import { ZwsInbound } from "../../../src/websocket/zws/inbound.ts";
import { ZwsSession } from "../../../src/websocket/zws/session.ts";
import { encodeCredit, parseProtocol, peerGreeting, pongFrame } from "../../../src/websocket/zws/wire.ts";

interface Setting {
  readonly protocol?: string;
  readonly windowBytes?: number;
  readonly frameBytesMax?: number;
}

class Peer {
  readonly session: ZwsSession;
  readonly inbound: ZwsInbound;
  readonly chunks: Uint8Array[] = [];
  dropped = 0;
  readonly handlers: TransportHandlers = {
    open: () => {},
    data: (chunk) => void this.chunks.push(chunk),
    drain: () => {},
    end: () => {},
    dropped: (count, why) => {
      assert(why.length > 0);
      this.dropped += count;
    },
    close: () => {},
  };

  constructor({ protocol = "ZWS2.0/NULL", windowBytes = 0, frameBytesMax = 1_000_000 }: Setting = {}) {
    this.session = new ZwsSession(parseProtocol(protocol)!, { pings: true, windowBytes });
    this.inbound = new ZwsInbound(this.session, frameBytesMax);
  }

  sends(flags: number, body: Uint8Array): this {
    this.inbound.deliver(concat([Uint8Array.of(flags), body]), this.handlers);
    return this;
  }

  ready(...properties: Property[]): this {
    this.sends(2, encodeReady(encodeMetadata([["Socket-Type", asciiBytes("PUB")], ...properties])));
    this.chunks.length = 0;
    return this;
  }

  get received(): Uint8Array {
    return concat(this.chunks);
  }

  /** The code of the error and of the close frame. */
  get refusal(): string | undefined {
    const { violation } = this.inbound;
    return violation === undefined ? undefined : `${violation.error.code} ${violation.closeCode}`;
  }
}

test("the greeting fits the mechanism: 3.0 where subscriptions are messages, 3.1 where they are sealed", () => {
  for (
    const [name, mechanism, minor] of [
      ["ZWS2.0", "NULL", 0],
      ["ZWS2.0/NULL", "NULL", 0],
      ["ZWS2.0/PLAIN", "PLAIN", 0],
      ["ZWS2.0/CURVE", "CURVE", 1],
    ] as const
  ) {
    const greeting = peerGreeting(parseProtocol(name)!);
    assertEquals(greeting[11], minor);
    assertEquals(greeting.subarray(12, 12 + mechanism.length), asciiBytes(mechanism));
  }
  for (const name of ["", "ZWS1.0", "zws2.0", "ZWS2.0/", "ZWS2.0/null", `ZWS2.0/${"X".repeat(21)}`]) {
    assertEquals(parseProtocol(name), undefined, name);
  }
});

test("messages of every size become frames of ZMTP", () => {
  for (const bytes of [0, 1, 255, 256, 20_000]) {
    const body = new Uint8Array(bytes).fill(7);
    const peer = new Peer().ready().sends(1, body).sends(0, body);
    assertEquals(peer.received, concat([encodeFrame(1, body), encodeFrame(0, body)]));
  }
});

test("READY goes up without the flow property, whatever its case, and the rest untouched", () => {
  const property: Property = ["X-Own", asciiBytes("kept")];
  const body = encodeReady(encodeMetadata([["Socket-Type", asciiBytes("PUB")], property]));
  const flow = encodeMetadata([["x-hawser-flow", asciiBytes("4096")]]);
  const peer = new Peer().sends(2, concat([body, flow]));
  assertEquals(peer.received, encodeCommandFrame(body));
  assert(peer.session.peerIsHawser);
  assertEquals(peer.session.sendCredit.limitBytes, 4_096);
});

test("READY without the flow property goes up as it is, and so does malformed metadata", () => {
  for (const metadata of [encodeMetadata([["Socket-Type", asciiBytes("PUB")]]), Uint8Array.of(200, 1)]) {
    const peer = new Peer().sends(2, encodeReady(metadata));
    assertEquals(peer.received, encodeCommandFrame(encodeReady(metadata)));
    assert(!peer.session.peerIsHawser);
  }
});

test("a flow property that is no number is refused", () => {
  for (const value of ["", "-1", "1e3", "9".repeat(16)]) {
    assertEquals(new Peer().ready(["X-Hawser-Flow", asciiBytes(value)]).refusal, "ERR_WEBSOCKET 1002");
  }
});

test("without a handshake READY is made of the identity, with a type that fits ours", () => {
  const peer = new Peer({ protocol: "ZWS2.0" });
  peer.session.weAre("SUB");
  peer.sends(0, NO_BYTES).sends(0, asciiBytes("m"));
  const ready = encodeReady(encodeMetadata([["Socket-Type", asciiBytes("PUB")]]));
  assertEquals(peer.received, concat([encodeCommandFrame(ready), encodeFrame(0, asciiBytes("m"))]));

  const named = new Peer({ protocol: "ZWS2.0" }).sends(0, asciiBytes("me"));
  const withIdentity = encodeReady(encodeMetadata([["Identity", asciiBytes("me")]]));
  assertEquals(named.received, encodeCommandFrame(withIdentity));
});

test("what ZWS forbids is refused", () => {
  const cases: readonly [string, Peer, string][] = [
    ["flags 03", new Peer().ready().sends(3, NO_BYTES), "ERR_WEBSOCKET 1002"],
    ["flags 80", new Peer().ready().sends(0x80, NO_BYTES), "ERR_WEBSOCKET 1002"],
    ["a message instead of READY", new Peer().sends(0, NO_BYTES), "ERR_WEBSOCKET 1002"],
    ["a command as identity", new Peer({ protocol: "ZWS2.0" }).sends(2, NO_BYTES), "ERR_WEBSOCKET 1002"],
    ["half an identity", new Peer({ protocol: "ZWS2.0" }).sends(1, NO_BYTES), "ERR_WEBSOCKET 1002"],
    ["a long identity", new Peer({ protocol: "ZWS2.0" }).sends(0, new Uint8Array(256)), "ERR_WEBSOCKET 1002"],
    ["a large handshake", new Peer().sends(2, new Uint8Array(65_537)), "ERR_PEER_FRAME_SIZE 1009"],
  ];
  for (const [name, peer, refusal] of cases) {
    assertEquals(peer.refusal, refusal, name);
  }
  const small = new Peer({ frameBytesMax: 90 }).ready();
  assertEquals(small.sends(0, new Uint8Array(90)).refusal, undefined);
  assertEquals(small.sends(0, new Uint8Array(91)).refusal, "ERR_PEER_FRAME_SIZE 1009");
  const empty = new Peer().ready();
  empty.inbound.deliver(NO_BYTES, empty.handlers);
  assertEquals(empty.refusal, "ERR_WEBSOCKET 1002");
  empty.sends(0, NO_BYTES);
  assertEquals(empty.received, NO_BYTES, "nothing is delivered after it");
});

test("commands other than CREDIT go up; a PING as a command wants its PONG as one", () => {
  const ping = encodeCommand("PING", Uint8Array.of(0, 0));
  const subscribe = encodeCommand("SUBSCRIBE", new Uint8Array(300));
  const peer = new Peer().ready().sends(2, ping).sends(2, subscribe);
  assertEquals(peer.received, concat([encodeCommandFrame(ping), encodeCommandFrame(subscribe)]));
  assert(peer.session.pingedInBand);
});

test("CREDIT raises the limit and goes no further; more than was sent is refused", () => {
  const peer = new Peer().ready(["X-Hawser-Flow", asciiBytes("100")]);
  const credit = peer.session.sendCredit;
  credit.begun(35);
  assert(credit.maySend, "a frame may begin below the limit");
  credit.begun(0);
  assert(!credit.maySend);
  peer.sends(2, encodeCredit(63));
  assert(!credit.maySend, "163 are under way of 163");
  peer.sends(2, encodeCredit(64)).sends(2, encodeCredit(1));
  assert(credit.maySend, "an old total takes nothing away");
  assertEquals(peer.received, NO_BYTES);
  assertEquals(peer.sends(2, encodeCredit(164)).refusal, "ERR_WEBSOCKET 1002");
  assertEquals(
    new Peer().ready().sends(2, encodeCommand("CREDIT", new Uint8Array(7))).refusal,
    "ERR_WEBSOCKET 1002",
  );
});

test("a link that cannot pause grants what was used, and nothing while we are paused", () => {
  const peer = new Peer({ windowBytes: 1_000 }).ready(["X-Hawser-Flow", asciiBytes("0")]);
  const flow = peer.session.receiveFlow;
  peer.sends(0, new Uint8Array(100));
  assertEquals(flow.takeGrant(), -1);
  peer.sends(0, new Uint8Array(60));
  assertEquals(flow.takeGrant(), 164 + 124);
  assertEquals(flow.takeGrant(), -1);
  assert(flow.setPaused(true), "the peer is held back");
  peer.sends(0, new Uint8Array(935)).sends(0, new Uint8Array(999));
  assertEquals([flow.takeGrant(), peer.refusal], [-1, undefined]);
  assertEquals(peer.sends(0, NO_BYTES).refusal, "ERR_PEER_PENDING 1008");
  flow.setPaused(false);
  assertEquals(flow.takeGrant(), 164 + 124 + 999 + 1_063);
});

test("what costs no credit is bounded, too: empty frames, commands, the rest of a message of a SUB", () => {
  const floods: readonly [string, Peer, () => [number, Uint8Array], number][] = [
    ["empty frames", hawserPeer(), () => [0, NO_BYTES], 100],
    ["empty parts", hawserPeer(), () => [1, NO_BYTES], 100],
    ["short commands", hawserPeer(), () => [2, encodeCommand("PING", new Uint8Array(18))], 50_000],
    ["long commands", hawserPeer(), () => [2, encodeCommand("X", new Uint8Array(1_000))], 1_100],
    ["parts of a message that was begun", subPeer(), () => [1, new Uint8Array(999_998)], 68],
  ];
  for (const [what, peer, next, most] of floods) {
    assert(peer.session.receiveFlow.setPaused(true), what);
    let count = 0;
    for (; count <= most && peer.refusal === undefined; count++) {
      peer.sends(...next());
      peer.chunks.length = 0;
    }
    assertEquals(peer.refusal, "ERR_PEER_PENDING 1008", `${count} ${what}`);
  }
});

function hawserPeer(): Peer {
  return new Peer({ windowBytes: 6_400 }).ready(["X-Hawser-Flow", asciiBytes("0")]);
}

/** In the middle of a message. */
function subPeer(): Peer {
  const peer = new Peer({ windowBytes: 100 });
  peer.session.weAre("SUB");
  return peer.ready().sends(1, NO_BYTES);
}

test("a SUB over a link that cannot pause loses whole messages of other peers, the newest, and says so", () => {
  const peer = new Peer({ windowBytes: 100 });
  peer.session.weAre("SUB");
  peer.ready();
  const frame = (text: string): Uint8Array => encodeFrame(0, asciiBytes(text));
  const flow = peer.session.receiveFlow;
  peer.sends(1, asciiBytes("a"));
  assert(flow.setPaused(true), "the newest messages are dropped");
  peer.sends(0, asciiBytes("b")); // began before the pause
  peer.sends(1, asciiBytes("c"));
  flow.setPaused(false);
  peer.sends(0, asciiBytes("d")); // began in the pause
  peer.sends(0, asciiBytes("e"));
  assertEquals(peer.received, concat([encodeFrame(1, asciiBytes("a")), frame("b"), frame("e")]));
  assertEquals(peer.dropped, 1);
  flow.setPaused(true);
  for (let i = 0; i < 2_000; i++) peer.sends(0, asciiBytes("x"));
  assertEquals(peer.dropped, 2 + 1_024, "the first one at once, others in lots");
  flow.setPaused(false);
  peer.inbound.tellDropped(peer.handlers);
  assertEquals(peer.dropped, 2_001);
});

test("others over a link that cannot pause are left to the engine's bound", () => {
  for (const type of ["PULL", "DEALER", undefined] as const) {
    const peer = new Peer({ windowBytes: 100 });
    if (type !== undefined) peer.session.weAre(type);
    peer.ready();
    assert(!peer.session.receiveFlow.setPaused(true));
    assertEquals(peer.sends(0, new Uint8Array(500)).received.length, 509);
  }
});

test("a control frame's payload comes up as a PONG with that context, or with none if it cannot be one", () => {
  assertEquals(
    pongFrame(Uint8Array.of(1, 2)),
    encodeCommandFrame(encodeCommand("PONG", Uint8Array.of(1, 2))),
  );
  assertEquals(pongFrame(new Uint8Array(17)), encodeCommandFrame(encodeCommand("PONG", NO_BYTES)));
});
