/**
 * A real Chromium without a window, and a web server for its pages.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import * as esbuild from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";

/** Where Debian and others put it. */
const PLACES = [process.env["CHROMIUM"] ?? "", "/usr/bin/chromium", "/usr/bin/chromium-browser"];

/** The program, or `undefined` where there is none. */
export const CHROMIUM: string | undefined = PLACES.find((path) => path !== "" && existsSync(path));

/** Why tests in a browser are skipped, or `false`. */
export const skip: string | false = CHROMIUM === undefined
  ? "needs Chromium: apt-get install chromium, or its path in CHROMIUM"
  : false;

/** Starts a browser. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM!, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** Bundles a program as a browser gets it, from the built package. */
export function bundle(entry: string, root: string): Promise<string> {
  return build({ entryPoints: [join(root, entry)] });
}

/** Bundles the text of a program that stands in `root`. */
export function bundleText(text: string, root: string): Promise<string> {
  return build({ stdin: { contents: text, resolveDir: root, loader: "ts" } });
}

async function build(program: esbuild.BuildOptions): Promise<string> {
  const { outputFiles } = await esbuild.build({
    ...program,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
    // The project's own names lead to its sources; here they lead where the package's lead.
    tsconfigRaw: "{}",
  });
  return outputFiles[0]!.text;
}

/** Files by path, on a port of the system's choice. Whatever else is asked for is not found. */
export class Pages {
  readonly origin: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(files: Readonly<Record<string, string>>): Promise<Pages> {
    const server = createServer(({ url = "" }, response) => {
      const text = files[url];
      const type = url.endsWith(".js") ? "text/javascript" : "text/html";
      response.writeHead(text === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` });
      response.end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Pages(server);
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Runs scenes of program.ts. */
export type Run = (scene: string, ...args: unknown[]) => Promise<unknown>;

/** Runs them in a page. */
export function inPage(page: Page): Run {
  return (...call) =>
    page.evaluate((call) => (globalThis as unknown as { run(call: unknown): unknown }).run(call), call);
}

interface PageWorker {
  onmessage: (event: { readonly data: { readonly result?: unknown; readonly error?: string } }) => void;
  postMessage(call: unknown): void;
}

/** Runs them in a worker of the page, one after another. */
export async function inWorker(page: Page, script: string): Promise<Run> {
  await page.evaluate((script) => {
    const { Worker } = globalThis as unknown as { Worker: new (url: string, options: object) => PageWorker };
    (globalThis as { worker?: PageWorker }).worker = new Worker(script, { type: "module" });
  }, script);
  return (...call) =>
    page.evaluate((call) => {
      const { worker } = globalThis as unknown as { worker: PageWorker };
      return new Promise((resolve, reject) => {
        worker.onmessage = ({ data: { result, error } }) =>
          error === undefined ? resolve(result) : reject(new Error(error));
        worker.postMessage(call);
      });
    }, call);
}
