// runtimes: node
import { after, before, test } from "node:test";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertExists, assertFalse } from "@std/assert";

// What npm would publish is packed, installed into an empty folder and used from there, as a stranger would.

const project = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "hawser-pack-"));
const installed = join(folder, "node_modules", "hawser");
const programs = {
  node: [process.execPath],
  deno: [
    join(project, "node_modules", ".bin", "deno"),
    "run",
    "-A",
    "--no-check",
    "--node-modules-dir=manual",
  ],
  bun: [join(project, "node_modules", ".bin", "bun"), "run"],
} as const;

/** Runs a program in the empty folder and answers what it printed; throws with its output if it fails. */
function execute(command: readonly string[]): string {
  const [program, ...args] = command;
  assertExists(program);
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  const child = spawnSync(program, args, { cwd: folder, encoding: "utf8", timeout: 90_000, env });
  assert(
    child.status === 0,
    `${command.join(" ")} ended with ${child.status ?? child.signal}:\n${child.stdout}${child.stderr}`,
  );
  return child.stdout;
}

/** npm without its network: everything it needs is on this machine. */
function npm(...args: string[]): string {
  const path = process.env["npm_execpath"];
  const command = path?.endsWith(".js") ? [process.execPath, path] : ["npm"];
  return execute([...command, ...args, "--offline", "--ignore-scripts", "--no-audit", "--no-fund"]);
}

/** The file names inside the packed archive, relative to the package. */
let packed: readonly string[] = [];

before(() => {
  writeFileSync(join(folder, "package.json"), '{ "name": "stranger", "private": true, "type": "module" }\n');
  const [own] = JSON.parse(npm("pack", project, "--json")) as {
    filename: string;
    files: { path: string }[];
  }[];
  assertExists(own);
  packed = own.files.map(({ path }) => path);
  // The dependencies are packed from where they are installed, so that this test needs no registry.
  const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
    dependencies: object;
  };
  const dependencies = Object.keys(manifest.dependencies).map((name) => {
    const [one] = JSON.parse(npm("pack", join(project, "node_modules", name), "--json")) as {
      filename: string;
    }[];
    assertExists(one);
    return `./${one.filename}`;
  });
  npm("install", ...dependencies, `./${own.filename}`);
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** The names under which the installed package offers something. */
function entryNames(): string[] {
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { exports: object };
  return Object.keys(manifest.exports).map((name) => name.replace(/^\./, "hawser"));
}

test("the package holds the built library and its papers, and nothing else", () => {
  for (const path of ["package.json", "LICENSE", "README.md", "dist/mod.js", "dist/mod.d.ts"]) {
    assert(packed.includes(path), `${path} is missing`);
  }
  const foreign = packed.filter((path) =>
    !/^(?:package\.json|LICENSE|README\.md|CHANGELOG\.md)$/.test(path) &&
    !/^dist\/.*\.(?:js|d\.ts)$/.test(path)
  );
  assertEquals(foreign, []);
  assertEquals(packed.filter((path) => /_test\.|^dist\/(?:bench|examples|tools)\//.test(path)), []);
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

for (const [runtime, command] of Object.entries(programs)) {
  test(`every entry of the installed package can be imported on ${runtime}`, () => {
    writeFileSync(join(folder, "importer.mjs"), `import process from "node:process";\n${IMPORTER}`);
    const names = entryNames();
    assertEquals(execute([...command, "importer.mjs", JSON.stringify(names)]), `${names.length} entries\n`);
  });

  test(`two sockets of the installed package exchange a message on ${runtime}, and the program ends by itself`, () => {
    writeFileSync(join(folder, "exchange.mjs"), EXCHANGE);
    assertEquals(execute([...command, "exchange.mjs"]), "received hi\n");
  });
}

test("the declarations of every entry type-check for a strict stranger", () => {
  const lines = entryNames().map((name, index) =>
    `import * as entry${index} from "${name}";\nvoid entry${index};`
  );
  mkdirSync(join(folder, "types"), { recursive: true });
  writeFileSync(join(folder, "types", "all.ts"), `${lines.join("\n")}\n`);
  const compilerOptions = {
    target: "ES2022",
    lib: ["ES2022", "ESNext.Disposable", "DOM"],
    module: "NodeNext",
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    types: ["node"],
    typeRoots: [join(project, "node_modules", "@types")],
  };
  writeFileSync(join(folder, "types", "tsconfig.json"), JSON.stringify({ compilerOptions }));
  const compiler = join(project, "node_modules", "typescript", "bin", "tsc");
  execute([process.execPath, compiler, "-p", join(folder, "types", "tsconfig.json"), "--pretty", "false"]);
});
