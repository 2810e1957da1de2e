import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { Context } from "../../src/socket/context.ts";
import { checkOption, defaultOptions, OPTION_NAMES, type OptionName } from "../../src/socket/options.ts";
import { TRANSPORT_OPTIONS } from "../../src/socket/transport_checks.ts";
import { Request } from "../../src/socket/types/request.ts";
import type { Socket } from "../../src/socket/socket.ts";
import {
  Dealer,
  Pair,
  Publisher,
  Pull,
  Push,
  Reply,
  Router,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "../../src/socket/sockets.ts";
import type { SocketType } from "../../src/zmtp/socket_type.ts";
import { World } from "../support/world.ts";

const context = new Context({ host: new World(1).host });

/** For each option: values that are allowed, and values that are not. */
const VALUES: Readonly<
  Record<OptionName, { readonly good: readonly unknown[]; readonly bad: readonly unknown[] }>
> = {
  linger: { good: [-1, 0, 5_000], bad: [-2, 1.5, "0", Infinity, 2 ** 31] },
  maxMessageSize: { good: [-1, 0, 2 ** 40], bad: [-2, 0.5, 2 ** 53, null] },
  ipv6: { good: [true, false], bad: [1, "true", null] },
  backlog: { good: [1, 65_535], bad: [0, 65_536] },
  connectTimeout: { good: [0, 1_000], bad: [-1, 2 ** 31] },
  handshakeInterval: { good: [0, 1_000], bad: [-1, NaN] },
  heartbeatInterval: { good: [0, 1_000], bad: [-1] },
  heartbeatTimeout: { good: [-1, 0, 1_000], bad: [-2] },
  heartbeatTimeToLive: { good: [0, 6_553_500], bad: [-1, 6_553_600] },
  reconnectInterval: { good: [-1, 0, 100], bad: [-2] },
  reconnectMaxInterval: { good: [0, 100], bad: [-1] },
  tcpKeepalive: { good: [-1, 0, 1], bad: [2, true] },
  tcpKeepaliveIdle: { good: [-1, 1, 32_767], bad: [32_768] },
  metadata: { good: [{}, { "X-A": "b", "X-C": new Uint8Array(3) }], bad: [[], "x", null, { "X-A": 1 }] },
  messageBytesMax: { good: [1, 2 ** 50], bad: [0, -1] },
  messageFramesMax: { good: [1, 100], bad: [0, -1] },
  pendingBytesMax: { good: [1, 100], bad: [0, -1] },
  tls: {
    good: [null, {}, { certificate: "PEM", key: new Uint8Array(1) }, { clientCertificates: "require" }],
    bad: [true, [], { cert: "PEM" }, { certificate: "PEM", certificateFile: "c.pem" }, {
      allowSelfSigned: 1,
    }],
  },
  webSocket: {
    good: [null, { allowOrigins: "*" }, { allowOrigins: ["https://a.example"] }, { headers: { "X-A": "b" } }],
    bad: [{ allowOrigins: "a" }, { headers: { "X A": "b" } }, { headers: { A: "b\r\nC: d" } }, {
      accept: true,
    }],
  },
  handshakesMax: { good: [1, 100], bad: [0, -1] },
  sendHighWaterMark: { good: [0, 1, 2 ** 40], bad: [-1, 1.5, "1"] },
  sendHighWaterMarkBytes: { good: [0, 1], bad: [-1] },
  sendTimeout: { good: [-1, 0, 1], bad: [-2] },
  sendWaitersMax: { good: [0, 1], bad: [-1] },
  immediate: { good: [true], bad: [1] },
  receiveHighWaterMark: { good: [0, 1], bad: [-1] },
  receiveHighWaterMarkBytes: { good: [0, 1], bad: [-1] },
  receiveTimeout: { good: [-1, 0, 1], bad: [-2] },
  conflate: { good: [true], bad: [0] },
  routingId: {
    good: [null, "x", "x".repeat(255), new Uint8Array(255).fill(1)],
    bad: ["", "\0x", "ü".repeat(128), new Uint8Array(0), new Uint8Array(256).fill(1), 5],
  },
  probeRouter: { good: [true], bad: [1] },
  mandatory: { good: [true], bad: [1] },
  handover: { good: [true], bad: [1] },
  correlate: { good: [true], bad: [1] },
  relaxed: { good: [true], bad: [1] },
  noDrop: { good: [true], bad: [1] },
  invertMatching: { good: [true], bad: [1] },
  subscriptionsMax: { good: [1], bad: [0] },
  subscriptionBytesMax: { good: [1], bad: [0] },
  verbosity: { good: [null, "allSubs", "allSubsUnsubs"], bad: ["all", true] },
  manual: { good: [true], bad: [1] },
  welcomeMessage: { good: [null, "", "hi", new Uint8Array(2)], bad: [5, {}] },
};

const SOCKETS: Readonly<Record<SocketType, new (options: object) => Socket>> = {
  PAIR: Pair,
  PUB: Publisher,
  SUB: Subscriber,
  REQ: Request,
  REP: Reply,
  DEALER: Dealer,
  ROUTER: Router,
  PULL: Pull,
  PUSH: Push,
  XPUB: XPublisher,
  XSUB: XSubscriber,
};

test("every option takes what it allows and refuses what it does not, naming itself, the value and the allowed range", () => {
  assertEquals(
    Object.keys(VALUES).sort(),
    Object.keys(defaultOptions()).sort(),
    "no option is left out here",
  );
  for (const [type, names] of Object.entries(OPTION_NAMES) as [SocketType, readonly OptionName[]][]) {
    for (const name of names) {
      for (const value of VALUES[name].good) {
        assertEquals(checkOption(type, name, value, TRANSPORT_OPTIONS), value);
      }
      for (const value of VALUES[name].bad) {
        const error = assertThrows(
          () => checkOption(type, name, value, TRANSPORT_OPTIONS),
          MisuseError,
          name,
        );
        assertEquals(error.code, "ERR_OPTION");
        assert(error.message.includes("allowed"), error.message);
      }
    }
  }
});

test("an option is a constructor field and a property of the same name, and both are checked", () => {
  for (const [type, names] of Object.entries(OPTION_NAMES) as [SocketType, readonly OptionName[]][]) {
    const Kind = SOCKETS[type];
    for (const name of names) {
      const good = VALUES[name].good.at(-1);
      const made = new Kind({ context, [name]: good }) as unknown as Record<string, unknown>;
      assertEquals(made[name], good, `${type}.${name}`);
      made[name] = VALUES[name].good[0];
      assertEquals(made[name], VALUES[name].good[0], `${type}.${name}`);
      assertThrows(() => made[name] = VALUES[name].bad[0], MisuseError);
      assertEquals(made[name], VALUES[name].good[0], "a refused value changes nothing");
      assertThrows(() => new Kind({ context, [name]: VALUES[name].bad[0] }), MisuseError);
    }
  }
});

test("a socket has the options of its type and no others", () => {
  for (const [type, names] of Object.entries(OPTION_NAMES) as [SocketType, readonly OptionName[]][]) {
    const Kind = SOCKETS[type];
    for (const name of Object.keys(VALUES) as OptionName[]) {
      if (names.includes(name)) continue;
      const error = assertThrows(() => new Kind({ context, [name]: VALUES[name].good[0] }), MisuseError);
      assert(error.message.includes(name) && error.message.includes(type), error.message);
    }
    assertThrows(() => new Kind({ context, sendHighwaterMark: 1 }), MisuseError, "sendHighwaterMark");
  }
});

test("what is not given is the default, undefined included", () => {
  const push = new Push({ context, sendHighWaterMark: undefined as unknown as number });
  assertEquals([push.sendHighWaterMark, push.linger, push.immediate, push.reconnectInterval], [
    1_000,
    1_000,
    false,
    100,
  ]);
});

test("a closed socket's options can be read and no longer set", () => {
  const push = new Push({ context });
  push.close();
  assertEquals(push.sendHighWaterMark, 1_000);
  assertEquals(assertThrows(() => push.sendHighWaterMark = 5, MisuseError).code, "ERR_CLOSED");
});

test("a property that a socket does not have is refused, as an option of the constructor is", () => {
  const context = new Context({ host: new World(1).host });
  const pull = new Pull({ context });
  const set = (name: string): MisuseError =>
    assertThrows(() => void ((pull as unknown as Record<string, unknown>)[name] = true), MisuseError);
  for (const name of ["plainServer", "curveServer", "sendHighWaterMark", "toString2"]) {
    assertEquals(set(name).code, "ERR_OPTION");
    assertStringIncludes(set(name).message, `Unknown option "${name}" of a PULL socket`);
    assertEquals(Object.hasOwn(pull, name), false);
  }
  assertStringIncludes(set("receiveHighwaterMark").message, 'did you mean "receiveHighWaterMark"?');
  pull.receiveHighWaterMark = 5;
  assertEquals(pull.receiveHighWaterMark, 5);
  assert(pull instanceof Object, "it is an object like any other");
  pull.close();
});

test("a class that extends a socket has fields and symbols of its own", () => {
  const mark = Symbol("mark");
  class Counting extends Pull {
    count = 0;
  }
  const counting = new Counting({ context: new Context({ host: new World(1).host }) });
  counting.count++;
  (counting as unknown as Record<symbol, unknown>)[mark] = 1;
  assertEquals([counting.count, (counting as unknown as Record<symbol, unknown>)[mark]], [1, 1]);
  counting.close();
});
