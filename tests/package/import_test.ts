// runtimes: node
import { after, before, test } from "node:test";
import { realpathSync } from "node:fs";
import process from "node:process";
import { assertEquals, assertLessOrEqual } from "@std/assert";
import { binary, Stranger } from "./stranger.ts";

// What an import of the installed package loads, because that decides how long it takes: how many files,
// which of Node's modules.

const stranger = new Stranger("import");
before(() => stranger.install());
after(() => stranger.remove());

/** Reports every module that is loaded, on the line that the loader's hooks begin with "loaded ". */
const HOOKS = `
import { writeSync } from "node:fs";
export async function load(url, context, next) {
  writeSync(1, "loaded " + url + "\\n");
  return next(url, context);
}
`;

const REGISTER = `
import { register } from "node:module";
register("./hooks.mjs", import.meta.url);
`;

/** What a program loads, with the packages' files by their path in node_modules. */
function loadedBy(program: string): { readonly files: string[]; readonly builtins: string[] } {
  stranger.write("hooks.mjs", HOOKS);
  stranger.write("register.mjs", REGISTER);
  stranger.write("program.mjs", program);
  const printed = stranger.execute([process.execPath, "--import", "./register.mjs", "program.mjs"]);
  const packages = `file://${realpathSync(stranger.folder)}/node_modules/`;
  const urls = printed.split("\n").filter((line) => line.startsWith("loaded ")).map((line) => line.slice(7));
  return {
    files: urls.filter((url) => url.startsWith(packages)).map((url) => url.slice(packages.length)),
    builtins: urls.filter((url) => url.startsWith("node:")),
  };
}

const SOCKETS = ["mod.js", "chunks/sockets.js", "chunks/engine.js", "adapters/platform.js", "chunks/host.js"];

test('import "hawser" reads five files, and nothing of Node', () => {
  const { files, builtins } = loadedBy('import "hawser";');
  assertEquals(files.sort(), SOCKETS.map((file) => `hawser/dist/bundle/${file}`).sort());
  assertEquals(builtins, []);
});

test('import "hawser/log" reads ten files at most, and nothing of Node', () => {
  const { files, builtins } = loadedBy('import "hawser/log";');
  assertLessOrEqual(files.length, 10, files.join("\n"));
  assertEquals(files.filter((file) => !file.startsWith("hawser/dist/bundle/")), []);
  assertEquals(builtins, []);
});

const WHERE = `
import * as sockets from "hawser";
import { MisuseError } from "hawser/log";
console.log(import.meta.resolve("hawser").split("/node_modules/")[1], sockets.MisuseError === MisuseError);
`;

const RUNTIMES = {
  node: [process.execPath],
  deno: [binary("deno"), "run", "-A", "--no-check", "--node-modules-dir=manual"],
  bun: [binary("bun"), "run"],
} as const;

for (const [runtime, command] of Object.entries(RUNTIMES)) {
  test(`${runtime} loads the bundle, whose entries share their classes`, () => {
    stranger.write("where.mjs", WHERE);
    assertEquals(stranger.execute([...command, "where.mjs"]), "hawser/dist/bundle/mod.js true\n");
  });
}
