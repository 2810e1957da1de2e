// runtimes: node
import { test } from "node:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import {
  anchorLinks,
  codeNames,
  headingAnchors,
  missingInDrawings,
  missingPaths,
  namedScripts,
  type Reference,
  Tree,
} from "./references.ts";

// What the documents say about the tree is held to the tree.

const LEFT_OUT = ["node_modules", "dist", "coverage"];

/** The project's files. The runners start in its folder. */
function projectFiles(folder = "."): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (LEFT_OUT.includes(entry.name) || (entry.name.startsWith(".") && entry.name !== ".ci")) return [];
    const path = folder === "." ? entry.name : `${folder}/${entry.name}`;
    return entry.isDirectory() ? projectFiles(path) : [path];
  });
}

const files = projectFiles();
const tree = new Tree(files);
const documents = files.filter((path) => path.endsWith(".md"));

function read(path: string): string {
  return readFileSync(path, "utf8");
}

/** What `find` finds in each of the documents, as text. */
function faults(paths: readonly string[], find: (path: string, text: string) => Reference[]): string[] {
  return paths.flatMap((path) =>
    find(path, read(path)).map(({ line, name }) => `${path}:${line}: there is no ${name}`)
  );
}

test("every path that a document names is there", () => {
  for (const path of ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/ARCHITECTURE.md"]) {
    assert(documents.includes(path), `${path} is missing`);
  }
  assertEquals(faults(documents, (path, text) => missingPaths(path, text, tree)), []);
});

test("every path that a comment names is there", () => {
  const sources = files.filter((path) => /\.(?:ts|mjs)$/.test(path));
  const found = faults(sources, (path, text) => {
    const comments = text.split("\n").map((line) => /^\s*(?:\*|\/\*\*|\/\/)/.test(line) ? line : "");
    return missingPaths(path, comments.join("\n"), tree);
  });
  assertEquals(found, []);
});

test("every file and folder in the drawings of the tree is there", () => {
  assertEquals(
    faults(["docs/ARCHITECTURE.md"], (_, text) => missingInDrawings(text, ["src/", "adapters/"], tree)),
    [],
  );
});

test("every link to a heading finds it", () => {
  const found = faults(documents, (path, text) =>
    anchorLinks(text).filter(({ document, name }) => {
      const target = document === "" ? path : join(dirname(path), document);
      return !headingAnchors(read(target)).has(decodeURIComponent(name));
    }).map(({ line, document, name }) => ({ line, name: `${document}#${name}` })));
  assertEquals(found, []);
});

test("every npm script that a document names is in package.json", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const found = faults(
    documents,
    (_, text) => namedScripts(text).filter(({ name }) => !Object.hasOwn(scripts, name)),
  );
  assertEquals(found, []);
});

test("every name of the code in ARCHITECTURE and DECISIONS stands in the code", () => {
  const code = files.filter((path) => /\.(?:ts|mjs|py)$/.test(path) || path === "package.json").map(read)
    .join("\n");
  const words = new Set(code.match(/[A-Za-z_$][\w$]*/g));
  const named = ["docs/ARCHITECTURE.md", "docs/DECISIONS.md"];
  assertEquals(faults(named, (_, text) => codeNames(text).filter(({ name }) => !words.has(name))), []);
});

test("a path that is not there is found", () => {
  const small = new Tree(["src/a/one.ts", "src/a/two.ts", "src/b/two.ts", "docs/A.md", "docs/three.ts"]);
  const missing = (text: string): string[] => missingPaths("docs/A.md", text, small).map(({ name }) => name);
  assertEquals(missing("`src/a/one.ts`, `two.ts`, `src/a/`, [it](../src/b/two.ts), `src/a/*.ts`"), []);
  assertEquals(missing("`one.ts`, `three.ts` and src/b/<name>.ts"), []);
  assertEquals(missing("`src/a/three.ts`"), ["src/a/three.ts"]);
  assertEquals(missing("see src/c."), ["src/c"]);
  assertEquals(missing("`two.ts`"), ["two.ts"], "two have this name");
  assertEquals(missing("`src/a/one.ts`, `four.ts`"), ["four.ts"]);
  assertEquals(missing("`src/a/*.py`, `src/x<name>.ts`"), ["src/a/*.py", "src/x<name>.ts"]);
  assertEquals(missing("https://example.org/src/x.ts and ./x/src/x.ts"), []);
  assertEquals(missing("```ts\nsrc/x.ts\n```\n```\nsrc/y.ts\n```"), ["src/y.ts"]);
  const drawn = (text: string): string[] =>
    missingInDrawings(`\`\`\`\n${text}\n\`\`\``, ["src/"], small).map(({ name }) => name);
  assertEquals(drawn("src/a/  ─▶ b/  two.ts"), []);
  assertEquals(drawn("c/ ─▶ five.ts  three.ts"), ["c", "five.ts", "three.ts"]);
});

test("an anchor, a script and a name of the code are found", () => {
  const anchors = headingAnchors("# A `b` – c?\n```sh\n# no\n```\n## [D](x) e\n## D e");
  assertEquals([...anchors], ["a-b--c", "d-e", "d-e-1"]);
  const links = anchorLinks("[a](#b) `[c](#d)` [e](F.md#g) [h](https://example.org/#i)");
  assertEquals(links.map(({ document, name }) => `${document}#${name}`), ["#b", "F.md#g"]);
  assertEquals(namedScripts("`npm run x`, npm test\n").map(({ name }) => name), ["x", "test"]);
  const names = codeNames("`aB`, `C.dE()`, `F_G`, `--no-x`, `word`, `src/hI.ts`, plainOne");
  assertEquals(names.map(({ name }) => name), ["aB", "dE", "F_G"]);
});
