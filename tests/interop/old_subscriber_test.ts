import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { XPublisher } from "../../mod.ts";
import { hexOf, hexOfText } from "./support/bodies.ts";
import { within } from "./support/deadline.ts";
import { bytesOf, frameBytes, handshakeBytes, RawClient } from "./support/raw_client.ts";

// A peer of ZMTP 3.0 subscribes by messages. They are no messages to the application, so a high-water mark must not
// hold them up.

test("a publisher takes more subscriptions in message form, at a stroke, than its high-water mark has messages", async () => {
  const publisher = new XPublisher({ receiveHighWaterMark: 10 });
  await publisher.bind("tcp://127.0.0.1:*");
  const client = await RawClient.open(publisher.lastEndpoint!);
  const topics = Array.from({ length: 2_000 }, (_, index) => `topic ${index}`);
  const frames = topics.map((topic) => frameBytes(0, `\x01${topic}`));
  await client.write(handshakeBytes("SUB", { minor: 0 }));
  await within(publisher.ready(), "the handshake");
  await client.write(bytesOf(...frames));
  for (const topic of topics) {
    const [told] = await within(publisher.receive(), `the subscription to "${topic}"`);
    assertEquals(hexOf(told!), `01${hexOfText(topic)}`);
  }
  client.destroy();
  publisher.close();
});

test("messages of an XSUB do wait for the application, and its subscriptions between them keep their place", async () => {
  const publisher = new XPublisher({ receiveHighWaterMark: 10 });
  await publisher.bind("tcp://127.0.0.1:*");
  const client = await RawClient.open(publisher.lastEndpoint!);
  const texts = Array.from({ length: 2_000 }, (_, index) => `message ${index}`);
  const frames = texts.flatMap((text) => [frameBytes(0, text), frameBytes(0, `\x01${text}`)]);
  await client.write(handshakeBytes("XSUB", { minor: 0 }));
  await within(publisher.ready(), "the handshake");
  await client.write(bytesOf(...frames));
  const messages: string[] = [];
  const subscriptions: string[] = [];
  while (messages.length < texts.length || subscriptions.length < texts.length) {
    const [frame] = await within(publisher.receive(), "the next message or subscription");
    if (frame![0] === 1) subscriptions.push(hexOf(frame!.subarray(1)));
    else messages.push(hexOf(frame!));
  }
  assertEquals(messages, texts.map(hexOfText));
  assertEquals(subscriptions, texts.map(hexOfText));
  client.destroy();
  publisher.close();
});
