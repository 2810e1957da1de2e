// runtimes: node
import { after, before, test } from "node:test";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertFalse, assertMatch, assertStringIncludes } from "@std/assert";
import { resolvePath } from "../../tools/tidy_rules.ts";
import { isProgram, markdownBlocks, relativeLinks } from "../docs/blocks.ts";
import { binary, ENVIRONMENT, PROJECT, Stranger } from "./stranger.ts";

// What npm would publish is packed, installed into an empty folder and used from there, as a stranger would.

const stranger = new Stranger("pack");
const { folder, installed } = stranger;
const execute = (command: readonly string[], input?: string): string => stranger.execute(command, input);
const programs = {
  node: [process.execPath],
  deno: [binary("deno"), "run", "-A", "--no-check", "--node-modules-dir=manual"],
  bun: [binary("bun"), "run"],
} as const;

/** The program that the package brings, as its users start it: by its name, as `deno run npm:hawser`, as `bunx`. */
const tools = {
  node: [join(folder, "node_modules", ".bin", "hawser")],
  deno: [...programs.deno, "npm:hawser"],
  bun: [binary("bun"), "x", "--no-install", "--bun", "hawser"],
} as const;

before(() => stranger.install());
after(() => stranger.remove());

test("the package holds the built library and its papers, and nothing else", () => {
  for (const path of ["package.json", "LICENSE", "README.md", "dist/mod.js", "dist/mod.d.ts"]) {
    assert(stranger.packed.includes(path), `${path} is missing`);
  }
  const foreign = stranger.packed.filter((path) =>
    !/^(?:package\.json|LICENSE|README\.md|CHANGELOG\.md|CONTRIBUTING\.md|docs\/\w+\.md|docs\/benchmarks\/\w+\.svg|examples\/tail_topic\.py)$/
      .test(
        path,
      ) &&
    !/^dist\/.*\.(?:js|d\.ts)$/.test(path)
  );
  assertEquals(foreign, []);
  assertEquals(stranger.packed.filter((path) => /_test\.|^dist\/(?:bench|examples|tools)\//.test(path)), []);
});

test("every link of its papers leads to something that the package holds", () => {
  const papers = stranger.packed.filter((path) => path.endsWith(".md"));
  const dead = papers.flatMap((paper) =>
    relativeLinks(readFileSync(join(installed, paper), "utf8"))
      .map(({ line, target }) => ({ place: `${paper}:${line}`, path: resolvePath(paper, decodeURI(target)) }))
      .filter(({ path }) => !stranger.packed.includes(path))
      .map(({ place, path }) => `${place}: ${path}`)
  );
  assert(papers.length > 2, "the package has no documents");
  assertEquals(dead, []);
});

test("a source that its papers for users name is in the package, as declarations and as JavaScript", () => {
  const named = ["ADAPTERS", "PROTOCOL", "ARCHITECTURE", "CONFIGURATION", "METRICS"].flatMap((name) => {
    const text = readFileSync(join(installed, "docs", `${name}.md`), "utf8");
    return [...text.matchAll(/`((?:src|adapters|cli|testing)\/[\w/]+)\.ts`/g)].map(([, path]) => path!);
  });
  assert(named.includes("src/ports"), "ADAPTERS.md does not name the ports");
  const missing = named.filter((path) =>
    ![".js", ".d.ts"].every((ending) => stranger.packed.includes(`dist/${path}${ending}`))
  );
  assertEquals(missing, []);
});

test("installing it brings its dependencies alone, and builds nothing", () => {
  const names = readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."));
  assertEquals(names.sort(), ["hawser", "yaml", "zod"]);
  assertFalse(existsSync(join(installed, "src")));
});

const IMPORTER = `
const names = JSON.parse(process.argv[2]);
for (const name of names) {
  const entry = await import(name);
  if (Object.keys(entry).length === 0) throw new Error(name + " exports nothing");
}
console.log(names.length + " entries");
`;

const EXCHANGE = `
import { Pull, Push } from "hawser";
const pull = new Pull();
await pull.bind("tcp://127.0.0.1:0");
const push = new Push();
push.connect(pull.lastEndpoint);
await push.send("hi");
const [message] = await pull.receive();
console.log("received " + new TextDecoder().decode(message));
push.close();
pull.close();
`;

const LOG = `
import { openLog } from "hawser/log";
const log = await openLog({ dir: process.argv[2] });
const orders = log.publisher("orders");
const { position } = await orders.publish("socks");
console.log("published at " + position);
for await (const record of log.subscribe("orders", { from: "earliest" })) {
  console.log("read " + new TextDecoder().decode(record.value));
  break;
}
await log.close();
`;

/** A broker that is ready. `stop` answers how it ended by SIGTERM. */
async function startBroker(command: readonly string[], dir: string): Promise<{
  readonly endpoint: string;
  readonly stop: () => Promise<{ readonly code: number | null; readonly said: string }>;
}> {
  const [program = "", ...args] = [...command, "broker", "--listen", "tcp://127.0.0.1:0", "--dir", dir];
  const child = spawn(program, args, { cwd: folder, env: ENVIRONMENT, stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  let said = "";
  const ending = new Promise<number | null>((resolve) => child.on("close", resolve))
    .finally(() => clearTimeout(timer));
  const endpoint = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const ready = /ready on (\S+), /.exec(said)?.[1];
        if (ready !== undefined) resolve(ready);
      });
    }
    ending.then(() => reject(new Error(`the broker ended: ${said}`)), reject);
  });
  const stop = async (): Promise<{ readonly code: number | null; readonly said: string }> => {
    child.kill("SIGTERM");
    return { code: await ending, said };
  };
  return { endpoint, stop };
}

for (const [runtime, command] of Object.entries(programs)) {
  test(`a log of the installed package keeps a record on ${runtime}, and the program ends by itself`, () => {
    writeFileSync(join(folder, "log.mjs"), `import process from "node:process";\n${LOG}`);
    assertEquals(execute([...command, "log.mjs", `log-${runtime}`]), "published at 0\nread socks\n");
  });

  test(`the program hawser of the installed package runs a broker on ${runtime}, and stops it in order`, async () => {
    const tool = tools[runtime as keyof typeof tools];
    const { version } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
      version: string;
    };
    const told = execute([...tool, "version"]);
    assert(told.startsWith(`hawser ${version} (${runtime} `), told);
    assertStringIncludes(execute([...tool, "help"]), "run a broker");
    const dir = `broker-${runtime}`;
    const { endpoint, stop } = await startBroker(tool, dir);
    assertEquals(
      execute([...tool, "publish", "lines", "--connect", endpoint], "one\ntwo\n"),
      "published 2 records to lines, positions 0 to 1\n",
    );
    const { code, said } = await stop();
    assertEquals(code, 0, said);
    assertMatch(said, /\nhawser broker: stopping; a second signal ends it at once\n$/);
    const verified = execute([...tool, "segment", "verify", "--json", dir]);
    const { records, bytes, syncedThrough, findings } = JSON.parse(verified) as Record<string, unknown>;
    // The last entry of 48 bytes says that all before it is synced.
    assertEquals([records, findings, Number(bytes) - Number(syncedThrough)], [2, [], 48]);
  });

  test(`every entry of the installed package can be imported on ${runtime}`, () => {
    writeFileSync(join(folder, "importer.mjs"), `import process from "node:process";\n${IMPORTER}`);
    const names = stranger.entryNames();
    assertEquals(execute([...command, "importer.mjs", JSON.stringify(names)]), `${names.length} entries\n`);
  });

  test(`two sockets of the installed package exchange a message on ${runtime}, and the program ends by itself`, () => {
    writeFileSync(join(folder, "exchange.mjs"), EXCHANGE);
    assertEquals(execute([...command, "exchange.mjs"]), "received hi\n");
  });
}

/**
 * Type-checks files as a stranger who checks declarations, too. `types` is none by default: neither Node's
 * types nor others.
 */
function compile(name: string, files: Readonly<Record<string, string>>, options: object): void {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(place, file), text);
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    types: [],
    typeRoots: [join(PROJECT, "node_modules", "@types")],
    outDir: "out",
    ...options,
  };
  writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*"] }));
  const compiler = join(PROJECT, "node_modules", "typescript", "bin", "tsc");
  execute([process.execPath, compiler, "-p", place, "--pretty", "false"]);
}

/** A module that imports every entry. */
function everyEntry(): string {
  return stranger.entryNames().map((name, index) =>
    `import * as entry${index} from "${name}";\nvoid entry${index};\n`
  ).join("");
}

test("the declarations of every entry need nothing but the language, whatever else is there", () => {
  const own = { module: "NodeNext", target: "ES2022", lib: ["ES2022"] };
  compile("alone", { "all.ts": everyEntry() }, own);
  compile("in_browsers", { "all.ts": everyEntry() }, { ...own, lib: ["ES2022", "DOM"] });
  compile("on_node", { "all.ts": everyEntry() }, { ...own, types: ["node"] });
  compile("for_bundlers", { "all.ts": everyEntry() }, { module: "Preserve", lib: ["ES2022"] });
});

/** The programs of README and the guides, as files. */
function readmePrograms(): Record<string, string> {
  const papers = ["README.md", "docs/LOG.md", "docs/SOCKETS.md"];
  const programs = papers.flatMap((path) =>
    markdownBlocks(path, readFileSync(join(installed, path), "utf8")).filter(isProgram)
  );
  assert(new Set(programs.map(({ path }) => path)).size === papers.length, "a paper shows no program");
  return Object.fromEntries(
    programs.map(({ path, line, code }) => [`${path.replaceAll(/\W/g, "_")}_${line}.ts`, code]),
  );
}

test("README's programs compile with what README says that tsc wants, and nothing else", () => {
  const text = readFileSync(join(installed, "README.md"), "utf8").replaceAll("\n", " ");
  const [, said = ""] = /`tsc` wants ((?:(?:, and |, | and )?`"\w+": [^`]+`)+)/.exec(text) ?? [];
  const options = [...said.matchAll(/`([^`]+)`/g)].map(([, option]) => option);
  assert(options.length > 0, "README does not say what tsc wants");
  // Who uses modules of Node has its types.
  const programs = Object.entries(readmePrograms()).filter(([, code]) => !code.includes('"node:'));
  compile("readme", Object.fromEntries(programs), JSON.parse(`{${options.join(",")}}`) as object);
});

test("README's programs compile with Node's types in place of the DOM's", () => {
  compile("readme_node", readmePrograms(), { module: "NodeNext", lib: ["ES2022"], types: ["node"] });
});

const COMMON_JS = `
import { Pull, Push } from "hawser";
import hawser = require("hawser");
import { type Log, openLog } from "hawser/log";

async function main(): Promise<void> {
  const pull = new Pull();
  await pull.bind("inproc://common");
  const push: Push = new hawser.Push();
  push.connect("inproc://common");
  await push.send("hi");
  console.log((await pull.receive())[0].length, push instanceof Push);
  push.close();
  pull.close();
  const log: Log = await openLog();
  console.log((await log.publisher("orders").publish("socks")).position);
  await log.close();
}
void main();
`;

test("TypeScript in CommonJS compiles with module nodenext, and runs on Node", () => {
  compile("common", { "main.cts": COMMON_JS }, { module: "NodeNext", target: "ES2022" });
  assertEquals(execute([process.execPath, join(folder, "common", "out", "main.cjs")]), "2 true\n0n\n");
});
