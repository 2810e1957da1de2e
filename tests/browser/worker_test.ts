// runtimes: node
import { test } from "node:test";
import process from "node:process";
import { assertEquals } from "@std/assert";
import { within } from "../interop/support/deadline.ts";
import { bundleText, launch, Pages, skip } from "./browser.ts";

// worker:// between a page and its web worker in a real Chromium, each side binding once.

const IMPORTS = `
import { Context, listening, Pull, Push, Reply, Request } from "hawser";
import { connectWorker, workerTransport } from "hawser/worker";
const context = new Context({ features: { listening }, transports: { worker: workerTransport } });
const text = (frame: Uint8Array | undefined) => new TextDecoder().decode(frame);
`;

const WORKER = `${IMPORTS}
const reply = new Reply({ context });
await reply.bind("worker://echo");
const push = new Push({ context });
push.connect("worker://numbers");
for (let index = 0; index < 1_000; index++) await push.send(String(index));
await push.send(new Uint8Array(1_048_576).fill(7));
for await (const frames of reply) await reply.send(frames);
`;

const PAGE = `${IMPORTS}
const pull = new Pull({ context });
await pull.bind("worker://numbers");
connectWorker(new Worker("/worker.js", { type: "module" }));
const request = new Request({ context });
request.connect("worker://echo");
const [echoed] = await request.request("hello");
let next = 0;
while (next < 1_000 && text((await pull.receive())[0]) === String(next)) next++;
const [large] = await pull.receive();
console.log(text(echoed), next, large!.length, large!.every((byte) => byte === 7));
`;

test("a page and its worker find each other's names, and messages go both ways", { skip }, async () => {
  const [page, worker] = await Promise.all([PAGE, WORKER].map((code) => bundleText(code, process.cwd())));
  const html = '<!doctype html><script type="module" src="/page.js"></script>';
  const pages = await Pages.open({ "/": html, "/page.js": page!, "/worker.js": worker! });
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    const printed = new Promise<string>((resolve, reject) => {
      tab.on("console", (message) => message.type() === "log" && resolve(message.text()));
      tab.on("pageerror", reject);
    });
    await tab.goto(pages.origin);
    assertEquals(await within(printed, "what the page prints"), "hello 1000 1048576 true");
  } finally {
    await browser.close();
    await pages.close();
  }
});
