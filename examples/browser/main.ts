/**
 * `npm run example -- browser`: a web server whose page publishes, subscribes and follows a topic of the log.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { Context, Proxy, XPublisher, XSubscriber } from "../../mod.ts";
import { webSocketListener } from "../../adapters/http/mod.ts";
import { connectLog, startBroker } from "../../log.ts";

const SAMPLE_MS = 250;
const folder = dirname(fileURLToPath(import.meta.url));
const root = process.cwd();

/** The page's program, bundled from the built package. */
async function bundlePage(): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(root, "examples/browser/page.ts")],
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
    tsconfigRaw: "{}",
  });
  return outputFiles[0]!.text;
}

/** Serves the page's files. Resolves with where. */
async function servePage(): Promise<string> {
  const require = createRequire(import.meta.url);
  const files: Readonly<Record<string, readonly [string, string]>> = {
    "/": ["text/html", readFileSync(join(folder, "page.html"), "utf8")],
    "/page.css": ["text/css", readFileSync(join(folder, "page.css"), "utf8")],
    "/uplot.css": ["text/css", readFileSync(require.resolve("uplot/dist/uPlot.min.css"), "utf8")],
    "/page.js": ["text/javascript", await bundlePage()],
  };
  const server = createServer(({ url = "/" }, response) => {
    const [type, text] = files[new URL(url, "http://localhost").pathname] ?? [];
    response.writeHead(text === undefined ? 404 : 200, {
      "content-type": `${type ?? "text/plain"}; charset=utf-8`,
    });
    response.end(text ?? "Not found");
  });
  // Sockets share the server's port: they bind ws://web/path.
  webSocketListener().attach(server);
  const port = Number(process.argv[2] ?? 0);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Passes on what pages publish to the pages that subscribed. */
async function startHub(): Promise<void> {
  const published = new XSubscriber();
  const subscribed = new XPublisher();
  await published.bind("ws://web/publish");
  await subscribed.bind("ws://web/subscribe");
  void new Proxy(published, subscribed).run();
}

/** Publishes in the log how this process is. */
async function startLog(): Promise<void> {
  const context = new Context();
  const broker = await startBroker({ context, listen: ["ws://web/log", "inproc://log"] });
  const log = await connectLog(broker.endpoints.at(-1)!, { context });
  const samples = log.publisher("server");
  let [before, beforeMs] = [process.cpuUsage(), performance.now()];
  setInterval(() => {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage(before);
    const processor = (user + system) / 10 / (nowMs - beforeMs);
    [before, beforeMs] = [process.cpuUsage(), nowMs];
    const memory = process.memoryUsage().rss / 1_048_576;
    samples.publish(JSON.stringify({ timeMs: Date.now(), processor, memory })).catch(console.error);
  }, SAMPLE_MS);
}

const origin = await servePage();
await Promise.all([startHub(), startLog()]);
console.log(`Open ${origin} in a browser, or in two. Ctrl+C ends it.`);
