import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { loadAdapter } from "../../adapters/detect.ts";
import { Context, Pull, Push } from "../../mod.ts";
import type { Transport, TransportFactory } from "../../src/ports.ts";
import { freshAddress } from "../interop/support/addresses.ts";
import { until, within } from "../interop/support/deadline.ts";
import { collectEvents } from "../interop/support/events.ts";
import { numberedBody, transportOptions } from "./lanes.ts";

// An application that does not receive for ten heartbeat intervals loses no connection, however much is sent to it.

const INTERVAL_MS = 20;
const INTERVALS = 10;
const PING = Buffer.from("\x04PING", "latin1");

/** Counts the PINGs that leave through a transport; on a stopped peer they are the only clock both sides share. */
class PingCount {
  count = 0;

  wrap(factory: TransportFactory): TransportFactory {
    return {
      dial: (address, options) => {
        const dial = factory.dial(address, options);
        return (handlers) => this.#count(dial(handlers));
      },
      listen: (address, options) => {
        const listen = factory.listen(address, options);
        return (accept, failed) =>
          listen((attach) => accept((handlers) => this.#count(attach(handlers))), failed);
      },
    };
  }

  #count(transport: Transport): Transport {
    const write = transport.write.bind(transport);
    transport.write = (chunk: Uint8Array): boolean => {
      if (Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).includes(PING)) this.count++;
      return write(chunk);
    };
    return transport;
  }
}

interface Case {
  readonly what: string;
  readonly bytes: number;
  readonly pendingBytesMax: number;
  readonly heartbeatsOf: "both" | "receiver" | "sender";
}

const MIB = 1_048_576;
const CASES: readonly Case[] = [
  { what: "both heartbeat and little is sent", bytes: 10, pendingBytesMax: 10 * MIB, heartbeatsOf: "both" },
  {
    what: "both heartbeat and it must pause its peer",
    bytes: 100_000,
    pendingBytesMax: 65_536,
    heartbeatsOf: "both",
  },
  {
    what: "it alone heartbeats and must pause its peer",
    bytes: 100_000,
    pendingBytesMax: 65_536,
    heartbeatsOf: "receiver",
  },
  {
    what: "its peer alone heartbeats and little is sent",
    bytes: 10,
    pendingBytesMax: 10 * MIB,
    heartbeatsOf: "sender",
  },
];
const HEARTBEATS = {
  heartbeatInterval: INTERVAL_MS,
  heartbeatTimeout: 5 * INTERVAL_MS,
  heartbeatTimeToLive: 200,
};

async function countingContext(count: PingCount): Promise<Context> {
  const { transports } = await loadAdapter();
  const wrapped = [...transports].map(([scheme, factory]) => [scheme, count.wrap(factory)]);
  return new Context({ transports: Object.fromEntries(wrapped) as Record<string, TransportFactory> });
}

for (const scheme of ["tcp", "ipc", "tls", "ws"] as const) {
  for (const { what, bytes, pendingBytesMax, heartbeatsOf } of CASES) {
    test(`a receiver over ${scheme} that is stopped for ten heartbeat intervals keeps its peer: ${what}`, async () => {
      const receiverPings = new PingCount();
      const senderPings = new PingCount();
      const { ofSender, ofReceiver } = await transportOptions(scheme);
      const pull = new Pull({
        ...ofReceiver,
        context: await countingContext(receiverPings),
        receiveHighWaterMark: 10,
        pendingBytesMax,
        ...(heartbeatsOf === "sender" ? {} : HEARTBEATS),
      });
      const push = new Push({
        ...ofSender,
        context: await countingContext(senderPings),
        sendHighWaterMark: 10,
        ...(heartbeatsOf === "receiver" ? {} : HEARTBEATS),
      });
      const pings = heartbeatsOf === "sender" ? senderPings : receiverPings;
      const lost = [collectEvents(pull, "disconnect"), collectEvents(push, "disconnect")];
      await pull.bind(freshAddress(scheme));
      push.connect(pull.lastEndpoint!);
      await within(push.ready(), "the two to meet");
      let sent = 0;
      const before = pings.count;
      await until(() => {
        for (let i = 0; i < 20 && push.trySend(numberedBody(sent, bytes)); i++) sent++;
        return pings.count >= before + INTERVALS;
      }, "ten PINGs went out while the application was stopped");
      // More than the application could have been given, and than waits to be sent.
      assertGreater(sent, 10);
      assertEquals(lost, [[], []]);
      for (let index = 0; index < sent; index++) {
        const [body] = await within(pull.receive(), `message ${index} of ${sent}`);
        assertEquals(Buffer.compare(body!, numberedBody(index, bytes)), 0, `message ${index}`);
      }
      assertEquals(lost, [[], []]);
      push.close();
      pull.close();
    });
  }
}
