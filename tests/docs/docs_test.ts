import { test } from "node:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import {
  type Block,
  commandFault,
  commentBlocks,
  isProgram,
  markdownBlocks,
  relativeLinks,
  shellCommands,
} from "./blocks.ts";
import { placeOf, Programs } from "./programs.ts";

// What the documents and doc comments show is run: every block of `ts` or `js` is a program of its own that ends by
// itself, imports from "hawser", and prints what the comments behind its console.log lines say.

const DOCUMENTS = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "docs/ADAPTERS.md",
  "docs/ARCHITECTURE.md",
  "docs/BENCHMARKS.md",
  "docs/DECISIONS.md",
  "docs/LOG.md",
  "docs/PROTOCOL.md",
  "docs/SOCKETS.md",
  "docs/TESTING.md",
];

/** The documents that are there, named or not. */
function documents(): string[] {
  const found = readdirSync("docs").filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  return [...new Set([...DOCUMENTS, ...found])].filter((path) => existsSync(path));
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? sources(path) : path.endsWith(".ts") ? [path] : [];
  });
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}

const inDocuments = documents().flatMap((path) => markdownBlocks(path, read(path)));
const inComments = ["mod.ts", "log.ts", ...sources("src"), ...sources("adapters")].flatMap((path) =>
  commentBlocks(path, read(path))
);
const blocks: readonly Block[] = [...inDocuments, ...inComments];

for (const path of DOCUMENTS) {
  test(`the document ${path} is there`, () => assert(existsSync(path), `${path} is missing`));
}

test("every program in the documents and doc comments runs, prints what it says, and ends by itself", async () => {
  const programs = new Programs(blocks.filter(isProgram), "documents");
  assert(inComments.some(isProgram), "no program was found in any doc comment");
  assertEquals([...await programs.compile(), ...await programs.run()], []);
});

/** What a newcomer reads and types. */
const GUIDES = ["README.md", "docs/LOG.md", "docs/SOCKETS.md"];

test("every program in README.md and the guides runs on the oldest Node as it stands, without a compiler", async () => {
  const shown = GUIDES.map((path) => markdownBlocks(path, read(path)).filter(isProgram));
  assert(shown.every((inGuide) => inGuide.length > 0), "a guide without a program");
  const programs = new Programs(shown.flat(), "as_they_stand");
  programs.copy();
  assertEquals(await programs.run(), []);
});

test("README.md is short, and its first screen has the two commands, ten lines of sockets and ten of the log", () => {
  const lines = read("README.md").trimEnd().split("\n");
  assert(lines.length <= 200, `${lines.length} lines`);
  const screen = markdownBlocks("README.md", read("README.md")).filter(({ line }) => line < 45);
  const [commands, sockets, log] = screen;
  assertEquals(screen.map(({ language }) => language), ["sh", "ts", "ts"]);
  assertEquals(commands!.code, "npm start\nnpm test\n");
  for (const program of [sockets!, log!]) {
    {
      assert(program.code.split("\n").filter((line) => line !== "").length <= 10, placeOf(program));
    }
  }
});

test("every command in the documents names a script or file that is there", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const faults = blocks.filter(({ language }) => ["sh", "bash", "shell"].includes(language)).flatMap((
    block,
  ) =>
    shellCommands(block).flatMap((command) => {
      const fault = commandFault(command, scripts, existsSync);
      return fault === undefined ? [] : [`${placeOf(block)}: ${command}: ${fault}`];
    })
  );
  assertEquals(faults, []);
});

test("every link between the documents leads somewhere", () => {
  const faults = documents().flatMap((path) =>
    relativeLinks(read(path)).filter(({ target }) => !existsSync(join(dirname(path), decodeURI(target))))
      .map(({ line, target }) => `${path}:${line}: there is no ${target}`)
  );
  assertEquals(faults, []);
});
