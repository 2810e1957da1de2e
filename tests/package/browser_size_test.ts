// runtimes: node
import { after, before, test } from "node:test";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { assertEquals, assertLessOrEqual } from "@std/assert";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import * as vite from "vite";
import { Stranger } from "./stranger.ts";

// What a page loads, from the package as npm would publish it: minified, compressed, and without a module of
// any runtime. Limits are for the largest of the three bundlers' results.

const SOCKETS_BYTES_MAX = 41_400;
const LOG_BYTES_MAX = 20_000;

const SOCKETS = `
import { Request, Subscriber } from "hawser";
globalThis.made = [new Request(), new Subscriber()];
`;
const LOG = `${SOCKETS}
import { connectLog } from "hawser/log";
globalThis.log = connectLog("wss://example.org/log");
`;

const stranger = new Stranger("browser");
before(() => {
  stranger.install();
  stranger.write("sockets.mjs", SOCKETS);
  stranger.write("log.mjs", LOG);
});
after(() => stranger.remove());

/** Bundles a program for browsers. Whatever it cannot resolve is an error, or stays as an import. */
type Bundler = (entry: string) => Promise<string>;

async function minified(code: string): Promise<string> {
  return (await esbuild.transform(code, { minify: true, format: "esm" })).code;
}

const BUNDLERS: Readonly<Record<string, Bundler>> = {
  esbuild: async (entry) => {
    const options = { bundle: true, minify: true, platform: "browser", format: "esm", write: false } as const;
    const { outputFiles } = await esbuild.build({ entryPoints: [entry], ...options });
    return outputFiles[0]!.text;
  },
  rollup: async (input) => {
    const bundle = await rollup({
      input,
      plugins: [nodeResolve({ browser: true })],
      onwarn(warning) {
        throw new Error(warning.message);
      },
    });
    const { output } = await bundle.generate({ format: "es" });
    await bundle.close();
    assertEquals(output.length, 1);
    return await minified(output[0].code);
  },
  vite: async (entry) => {
    const result = await vite.build({
      root: stranger.folder,
      logLevel: "error",
      configFile: false,
      build: { write: false, rollupOptions: { input: entry } },
    }) as { readonly output: readonly { readonly code?: string }[] };
    assertEquals(result.output.length, 1);
    return result.output[0]!.code!;
  },
};

async function sizeOf(bundler: string, program: string): Promise<number> {
  const code = await BUNDLERS[bundler]!(join(stranger.folder, program));
  const stdin = { contents: code, resolveDir: stranger.folder };
  const { metafile } = await esbuild.build({
    stdin,
    bundle: true,
    packages: "external",
    write: false,
    metafile: true,
  });
  assertEquals(Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path)), []);
  return gzipSync(code, { level: 9 }).length;
}

for (const bundler of Object.keys(BUNDLERS)) {
  test(`${bundler} makes a small bundle for browsers, without a module of Node`, async (context) => {
    const [sockets, log] = [await sizeOf(bundler, "sockets.mjs"), await sizeOf(bundler, "log.mjs")];
    context.diagnostic(`Subscriber and Request ${sockets} bytes, a log client ${log - sockets} more`);
    assertLessOrEqual(sockets, SOCKETS_BYTES_MAX);
    assertLessOrEqual(log - sockets, LOG_BYTES_MAX);
  });
}
