import { test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Context, Pull, Push, Reply, Request } from "../../../mod.ts";
import { testLink } from "../../../testing/test_link.ts";
import { transportSuite } from "../../../testing/transport_suite.ts";

transportSuite(test, "test link", {
  factory: testLink({ seed: 1, bufferBytes: 8_192, delayTurnsMax: 2 }),
  address: () => "test://*",
});

test("messages larger than the buffer arrive whole over a link that is full all the time", async () => {
  const link = testLink({ seed: 2, bufferBytes: 7 });
  const context = new Context({ transports: { test: link } });
  const [pull, push] = [new Pull({ context }), new Push({ context })];
  await pull.bind("test://work");
  push.connect("test://work");
  for (let i = 0; i < 20; i++) await push.send([`${i}`, new Uint8Array(i * 50).fill(i)]);
  for (let i = 0; i < 20; i++) {
    const [name, body] = await pull.receive();
    assertEquals([new TextDecoder().decode(name), body!.length], [`${i}`, i * 50]);
    assert(body!.every((byte) => byte === i));
  }
  assertEquals(link.cuts, 0);
  context.close();
});

test("requests are answered over a link that is cut and refuses, and what it did is counted", async () => {
  const link = testLink({ seed: 3, bufferBytes: 512, cutBytesMean: 2_000, refuseChance: 0.3, scheme: "tcp" });
  const context = new Context({ transports: { tcp: link } });
  const reply = new Reply({ context });
  const request = new Request({
    context,
    reconnectInterval: 1,
    relaxed: true,
    correlate: true,
    receiveTimeout: 100,
  });
  const address = await reply.bind("tcp://127.0.0.1:*");
  assertMatch(address, /^tcp:\/\/127\.0\.0\.1:\d+$/);
  request.connect(address);
  const answering = (async () => {
    for await (const message of reply) await reply.send(message);
  })();
  let lost = 0;
  for (let i = 0; link.cuts < 5 && i < 2_000; i++) {
    try {
      await request.send(`${i}`);
      await request.receive();
    } catch {
      lost += 1;
    }
  }
  assert(link.cuts >= 5, `${link.cuts} cuts, ${lost} lost`);
  context.close();
  await answering.catch(() => {});
});

test("the same seed cuts the n-th connection at the same byte", async () => {
  const sizes = async (seed: number): Promise<number[]> => {
    const link = testLink({ seed, bufferBytes: 16, cutBytesMean: 300 });
    const found: number[] = [];
    for (let i = 0; i < 5; i++) {
      let bytes = 0;
      const listener = await link.listen(`test://${i}`, {})((attach) => {
        const ignore = (): void => {};
        const far = attach({
          open: () => far.write(new Uint8Array(4_000)),
          data: ignore,
          drain: ignore,
          end: ignore,
          close: ignore,
        });
      }, () => {});
      await new Promise<void>((resolve) => {
        const near = link.dial(`test://${i}`, {})({
          open: () => void near.write(new Uint8Array(4_000)),
          data: (chunk) => void (bytes += chunk.length),
          drain: () => {},
          end: () => {},
          close: () => resolve(),
        });
      });
      found.push(bytes);
      await listener.close();
    }
    return found;
  };
  const [first, again, other] = [await sizes(11), await sizes(11), await sizes(12)];
  assertEquals(first, again);
  assert(first.join() !== other.join(), `${first}`);
});

test("a seed that was chosen by chance is printed, and is in every error of the link", async () => {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line);
  const link = testLink();
  console.log = log;
  assertEquals(lines, [`testLink({ seed: ${link.seed} }) makes this test link again`]);
  const cause = await new Promise((resolve) => {
    const ignore = (): void => {};
    link.dial("test://nobody", {})({
      open: ignore,
      data: ignore,
      drain: ignore,
      end: ignore,
      close: resolve,
    });
  });
  assert(String(cause).includes(`seed ${link.seed}`));
});
