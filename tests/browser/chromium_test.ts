// runtimes: node
import { after, before, test } from "node:test";
import process from "node:process";
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import type { Browser } from "playwright-core";
import { connectLog, startBroker } from "../../log.ts";
import { Context, Publisher, Reply } from "../../mod.ts";
import { wsListener } from "../support/ws_listener.ts";
import { bundle, inPage, inWorker, launch, Pages, type Run, skip } from "./browser.ts";

// The package's build for browsers in a real Chromium: in a page with the WebSocketStream that Chromium has, in
// one without it, as other browsers are, and in a worker.

const ROOT = process.cwd();
const PLACES = ["a page", "a page without WebSocketStream", "a worker"] as const;

let browser: Browser;
let pages: Pages;
/** What a page calls to have its server started. */
let serverIsUp: () => Promise<void> = () => Promise.resolve();

before(async () => {
  if (skip !== false) return;
  const program = await bundle("tests/browser/program.ts", ROOT);
  const html = '<!doctype html><title>hawser</title><script type="module" src="/program.js"></script>';
  [browser, pages] = await Promise.all([launch(), Pages.open({ "/": html, "/program.js": program })]);
});

after(async () => {
  await browser?.close();
  await pages?.close();
});

/** Runs `body` with scenes in a fresh page or worker, and a context for servers. */
async function inPlace(
  place: (typeof PLACES)[number],
  body: (run: Run, context: Context) => Promise<void>,
): Promise<void> {
  await using context = new Context({ transports: { ws: wsListener() } });
  const page = await browser.newPage();
  const faults: unknown[] = [];
  page.on("pageerror", (error) => faults.push(error));
  if (place === "a page without WebSocketStream") {
    await page.addInitScript(() => delete (globalThis as { WebSocketStream?: unknown }).WebSocketStream);
  }
  await page.exposeFunction("serverIsUp", () => serverIsUp());
  await page.goto(pages.origin);
  await page.waitForFunction(() => "run" in globalThis);
  const streams = await page.evaluate(() => "WebSocketStream" in globalThis);
  assertEquals(streams, place !== "a page without WebSocketStream");
  const run = place === "a worker" ? await inWorker(page, "/program.js") : inPage(page);
  await body(run, context);
  assertEquals(faults, []);
  await page.close();
}

for (const place of PLACES) {
  test(
    `${place} does a request, a subscription and a log subscription`,
    { skip },
    () =>
      inPlace(place, async (run, context) => {
        const reply = new Reply({ context });
        const asked = run("request", await reply.bind("ws://127.0.0.1:0/upper"), "hello");
        await reply.send(new TextDecoder().decode((await reply.receive())[0]).toUpperCase());
        assertEquals(await asked, "HELLO");

        const publisher = new Publisher({ context });
        const heard = run("subscribe", await publisher.bind("ws://127.0.0.1:0/news"), "a.", 2);
        await publisher.subscribed("a.");
        for (const message of ["b.1", "a.1", "b.2", "a.2"]) await publisher.send(message);
        assertEquals(await heard, ["a.1", "a.2"]);

        const listen = ["ws://127.0.0.1:0/log", "tcp://127.0.0.1:0"];
        await using broker = await startBroker({ context, listen });
        const reading = run("log", broker.endpoints[0], "orders", 3);
        await using log = await connectLog(broker.endpoints[1]!);
        const orders = log.publisher("orders");
        for (const order of ["socks", "shoes", "hats"]) await orders.publish(order);
        assertEquals(await reading, ["0 socks", "1 shoes", "2 hats"]);
      }),
  );

  test(
    `${place} has its subscriptions again after the server's restart`,
    { skip },
    () =>
      inPlace(place, async (run, context) => {
        let publisher = new Publisher({ context });
        const endpoint = await publisher.bind("ws://127.0.0.1:0/");
        const first = run("subscribe", endpoint, "a.", 1);
        await publisher.subscribed("a.");
        await publisher.send("a.before");
        assertEquals(await first, ["a.before"]);
        publisher.close();
        publisher = new Publisher({ context });
        await publisher.bind(endpoint);
        const second = run("more", 1);
        await publisher.subscribed("a.");
        await publisher.send("b.after");
        await publisher.send("a.after");
        assertEquals(await second, ["a.after"]);
      }),
  );

  test(
    `${place} stays responsive and connected while a publisher floods it`,
    { skip },
    () =>
      inPlace(place, async (run, context) => {
        const publisher = new Publisher({ context });
        let done = false;
        const reading = run("flood", await publisher.bind("ws://127.0.0.1:0/"), 8_000)
          .finally(() => done = true);
        await publisher.subscribed("");
        for (let number = 0; !done; number++) {
          const body = new Uint8Array(4_096);
          new DataView(body.buffer).setUint32(0, number);
          await publisher.send(body);
          // Room for the sockets of this process.
          if (number % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        const { received, ordered, losses, ticks, longestGapMs } = await reading as Record<string, number>;
        assertEquals({ received, ordered, losses }, { received: 8_000, ordered: true, losses: 0 });
        assert(ticks! > 3, `${ticks} ticks`);
        assertLess(longestGapMs!, 1_000);
      }),
  );
}

test(
  "a page that waits long to reconnect does so at once when it is online again",
  { skip },
  () =>
    inPlace("a page", async (run, context) => {
      const first = new Publisher({ context });
      const endpoint = await first.bind("ws://127.0.0.1:0/");
      await first.unbind(endpoint);
      const second = new Publisher({ context });
      serverIsUp = async () => void await second.bind(endpoint);
      assertLess(await run("wake", endpoint) as number, 5_000);
    }),
);

test(
  "a page publishes in a log if it was given publishers, and is told so if not",
  { skip },
  () =>
    inPlace("a page", async (run, context) => {
      await using broker = await startBroker({
        context,
        listen: ["ws://127.0.0.1:0/log", "tcp://127.0.0.1:0"],
      });
      const [page, node] = broker.endpoints;
      assertEquals(await run("publish", page, "clicks", ["a", "b", "c"]), ["0", "1", "2"]);
      await using log = await connectLog(node!);
      const values: string[] = [];
      for await (const { value } of log.subscribe("clicks", { from: "earliest" })) {
        if (values.push(new TextDecoder().decode(value)) === 3) break;
      }
      assertEquals(values, ["a", "b", "c"]);
      assertStringIncludes(await run("withoutPublishing", page) as string, "features: { publishing }");
    }),
);

test(
  "a page is told what may be wrong where it cannot connect",
  { skip },
  () =>
    inPlace("a page without WebSocketStream", async (run) => {
      const failure = await run("failure", `${pages.origin.replace("http", "ws")}/nothing`) as string;
      for (const part of ["ERR_WEBSOCKET", "/nothing", "did not switch to a WebSocket", "connect-src"]) {
        assertStringIncludes(failure, part);
      }
    }),
);
