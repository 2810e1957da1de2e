import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { queueTransport } from "../../../examples/queue_transport.ts";
import { connectLog, startBroker } from "../../../log.ts";
import { Context, MisuseError, Publisher, Pull, Push, Reply, Request, Subscriber } from "../../../mod.ts";
import type { TransportFactory } from "../../../src/ports.ts";
import { testLink } from "../../../testing/test_link.ts";

// What `new Context({ transports })` is given serves sockets and the log alike.

const SCHEMES: readonly (readonly [string, () => TransportFactory])[] = [
  ["queue", queueTransport],
  ["tcp", () => testLink({ seed: 5, scheme: "tcp", bufferBytes: 1_000 })],
];

for (const [scheme, factory] of SCHEMES) {
  const at = (name: string): string =>
    scheme === "tcp" ? `tcp://127.0.0.1:${name.length}` : `${scheme}://${name}`;

  test(`sockets over a transport of one's own, as ${scheme}`, async () => {
    await using context = new Context({ transports: { [scheme]: factory() } });
    const [push, pull] = [new Push({ context }), new Pull({ context })];
    await pull.bind(at("a"));
    push.connect(at("a"));
    await push.send(new Uint8Array(300_000).fill(3));
    assert((await pull.receive())[0]!.every((byte) => byte === 3));
    const [request, reply] = [new Request({ context }), new Reply({ context })];
    await reply.bind(at("bb"));
    request.connect(at("bb"));
    await request.send("question");
    await reply.receive();
    await reply.send("answer");
    assertEquals(new TextDecoder().decode((await request.receive())[0]), "answer");
    const [publisher, subscriber] = [new Publisher({ context }), new Subscriber({ context })];
    await publisher.bind(at("ccc"));
    subscriber.subscribe("");
    subscriber.connect(at("ccc"));
    await publisher.subscribed("");
    await publisher.send("news");
    assertEquals(new TextDecoder().decode((await subscriber.receive())[0]), "news");
  });

  test(`the ordered log over a transport of one's own, as ${scheme}`, async () => {
    await using context = new Context({ transports: { [scheme]: factory() } });
    await using broker = await startBroker({ context, listen: [at("dddd")] });
    await using log = await connectLog(broker.endpoints, { context });
    const topic = log.publisher("orders");
    await topic.publish("first");
    await topic.publish("second");
    const seen: string[] = [];
    for await (const record of log.subscribe("orders", { from: "earliest" })) {
      seen.push(new TextDecoder().decode(record.value));
      if (seen.length === 2) break;
    }
    assertEquals(seen, ["first", "second"]);
    await topic.close();
  });
}

test("the ordered log over worker://, whose names all contexts of a thread share", async () => {
  await using broker = await startBroker({ listen: ["worker://log"] });
  await using log = await connectLog(broker.endpoints);
  assertEquals((await log.publisher("orders").publish("one")).position, 0n);
});

test("an endpoint that a transport of one's own refuses is refused where it is used", async () => {
  await using context = new Context({ transports: { queue: queueTransport() } });
  const pull = new Pull({ context });
  await pull.bind("queue://taken");
  const error = await assertRejects(() => new Pull({ context }).bind("queue://taken"), MisuseError);
  assertEquals((error as MisuseError).code, "ERR_ADDRESS_IN_USE");
});
