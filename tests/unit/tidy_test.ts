import { test } from "node:test";
import { readdirSync, readFileSync } from "node:fs";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { listImports, maskSource } from "../../tools/source_mask.ts";
import { resolvePath, type SourceFile, tidyFindings } from "../../tools/tidy_rules.ts";

const LEFT_OUT = new Set(["node_modules", "dist", "coverage"]);
const READ = /\.(?:ts|mts|js|mjs|json|md|ya?ml)$/;

/** The project's own files. The runners start in its folder. */
function projectFiles(folder = "."): SourceFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (LEFT_OUT.has(entry.name) || (entry.name.startsWith(".") && entry.name !== ".ci")) return [];
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return projectFiles(path);
    if (!READ.test(entry.name) && folder !== "./.ci") return [];
    return [{ path: path.slice(2), text: readFileSync(path, "utf8") }];
  });
}

/** What the rules say about a file with this text, without its path. */
function findings(path: string, text: string): string[] {
  return tidyFindings({ path, text }).map((finding) => finding.slice(path.length + 1));
}

function assertFound(path: string, text: string, expected: RegExp): void {
  const found = findings(path, text);
  assert(
    found.some((one) => expected.test(one)),
    `${path}: ${expected} not in [${found.join(" | ")}] for:\n${text}`,
  );
}

test("every file of the project keeps the house rules", () => {
  const files = projectFiles();
  assert(files.some(({ path }) => path === "src/ports.ts"), "the test must run in the project's folder");
  assertGreater(files.filter(({ path }) => path.startsWith("src/")).length, 10);
  assertEquals(files.flatMap(tidyFindings), []);
});

test("the core may not know the time, chance or speed", () => {
  assertFound("src/zmtp/a.ts", "const now = Date.now();", /^1: Date /);
  assertFound("src/zmtp/a.ts", "const a = 1;\nconst b = Math.random();", /^2: Math.random /);
  assertFound("src/zmtp/a.ts", "performance.now();", /^1: performance /);
  assertEquals(
    findings("src/zmtp/a.ts", 'const Dates = "Date.now()"; // Math.random() and performance\n'),
    [],
  );
  assertEquals(findings("adapters/node/a.ts", "const now = Date.now();\n"), []);
});

test("promises begin in the socket layer", () => {
  assertFound("src/engine/a.ts", "async function a() {}", /^1: async below/);
  assertFound("src/session/a.ts", "const a = async () => {};", /^1: async below/);
  assertFound("src/pattern/a.ts", "for await (const a of b) {}", /^1: await below/);
  assertFound("src/core.ts", "class A {\n  async a() {}\n}", /^2: async below/);
  assertFound("src/log/broker/a.ts", "async function a() {}", /^1: async below/);
  for (const folder of ["src/socket", "src/log/client", "src/log/server"]) {
    assertEquals(findings(`${folder}/a.ts`, "export async function a(): Promise<void> {}\n"), []);
  }
  assertEquals(findings("src/engine/a.ts", "// An async transport.\nconst a = b.async;\n"), []);
});

test("text becomes bytes in one file", () => {
  assertFound("src/zmtp/a.ts", "new TextEncoder();", /^1: TextEncoder outside/);
  assertFound("src/socket/a.ts", "new TextDecoder();", /^1: TextDecoder outside/);
  assertEquals(findings("src/bytes/utf8.ts", "new TextEncoder();\n"), []);
});

test("bytes are copied by the one helper that copies a Buffer too", () => {
  const paths = ["src/pattern/a.ts", "adapters/node/a.ts", "testing/a.ts"];
  const lines = [
    "keep(topic.slice());",
    "keep(topic\n  .slice(1));",
    "keep(this.#bytes?.slice());",
    "keep(read().slice(0, 2));",
    "keep(list[0].slice());",
    "const { slice } = bytes.slice;",
  ];
  for (const path of paths) for (const line of lines) assertFound(path, line, /slice: a Buffer's is a view/);
  // The same name in another file is another thing.
  assertFound("src/pattern/a.ts", "return message.slice(1);", /^1: message.slice/);
  assertEquals(findings("src/pattern/rep.ts", "return message.slice(1);\n"), []);
  assertEquals(findings("src/pattern/a.ts", '// bytes.slice()\nconst a = "b.slice()";\n'), []);
  assertEquals(findings("tests/unit/a.ts", "bytes.slice();\n"), []);
});

test("dependencies point one way", () => {
  const wrong: readonly (readonly [string, string])[] = [
    ["src/bytes/a.ts", "../zmtp/b.ts"],
    ["src/zmtp/a.ts", "../engine/b.ts"],
    ["src/zmtp/mechanism/a.ts", "../../engine/b.ts"],
    ["src/zmtp/a.ts", "../websocket/b.ts"],
    ["src/engine/a.ts", "../session/b.ts"],
    ["src/engine/a.ts", "../pattern/b.ts"],
    ["src/pattern/a.ts", "../socket/b.ts"],
    ["src/session/a.ts", "../socket/b.ts"],
    ["src/socket/a.ts", "../log/b.ts"],
    ["src/errors.ts", "./zmtp/b.ts"],
    ["src/socket/a.ts", "../core.ts"],
  ];
  for (const [path, specifier] of wrong) {
    assertFound(path, `import { b } from "${specifier}";`, /wrong direction/);
  }
  assertFound("src/socket/a.ts", 'import { b } from "../../adapters/node/mod.ts";', /point inward/);
  assertFound("src/socket/a.ts", 'const b = import("../../adapters/node/mod.ts");', /point inward/);
  assertFound("src/socket/a.ts", 'export * from "../../mod.ts";', /point inward/);
  assertFound("src/zmtp/a.ts", 'import { z } from "zod";', /cannot import "zod"/);
  assertFound("src/log/a.ts", 'import { z } from "zod";', /cannot import "zod"/);
  assertFound("src/socket/a.ts", 'import { connect } from "node:net";', /pure core cannot import "node:net"/);
  assertFound("src/elsewhere/a.ts", "", /belongs to no layer/);
  assertFound("src/loose.ts", "", /belongs to no layer/);
});

test("no files of the socket half import each other in a circle", () => {
  const files = projectFiles("./src").filter(({ path }) => !path.startsWith("src/log/"));
  assertGreater(files.length, 50);
  const imports = new Map(
    files.map(({ path, text }) => [
      path,
      listImports(text, maskSource(text)).filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => resolvePath(path, specifier)),
    ]),
  );
  // What imports nothing that is left is no part of a circle.
  for (let before = -1; before !== imports.size;) {
    before = imports.size;
    for (const [path, targets] of imports) {
      if (!targets.some((target) => imports.has(target))) imports.delete(path);
    }
  }
  assertEquals([...imports], []);
});

test("what points the right way passes", () => {
  const right: readonly (readonly [string, string])[] = [
    ["src/zmtp/a.ts", "../bytes/b.ts"],
    ["src/zmtp/mechanism/a.ts", "../../bytes/b.ts"],
    ["src/zmtp/a.ts", "../errors.ts"],
    ["src/engine/a.ts", "./b.ts"],
    ["src/session/a.ts", "../pattern/b.ts"],
    ["src/pattern/a.ts", "../session/b.ts"],
    ["src/socket/a.ts", "../pattern/b.ts"],
    ["src/core.ts", "./pattern/b.ts"],
    ["src/socket/context.ts", "#platform"],
    ["src/log/a.ts", "../socket/b.ts"],
    ["adapters/node/a.ts", "../../src/socket/b.ts"],
    ["adapters/node/a.ts", "node:net"],
  ];
  for (const [path, specifier] of right) {
    assertEquals(findings(path, `import { b } from "${specifier}";\n`), [], `${path} imports ${specifier}`);
  }
});

test("published code imports only what is there for everyone", () => {
  assertFound(
    "adapters/bun/a.ts",
    'import type { Socket } from "bun";',
    /published code cannot import "bun"/,
  );
  assertFound("adapters/deno/a.ts", 'import type {} from "@types/deno";', /cannot import "@types\/deno"/);
  assertFound("mod.ts", 'import { assert } from "@std/assert";', /published code cannot import/);
  assertFound("adapters/node/a.ts", 'import { parse } from "yaml";', /published code cannot import "yaml"/);
  assertFound("src/log/a.ts", 'import { parse } from "yaml";', /the pure core cannot import "yaml"/);
  assertEquals(
    findings("cli/a.ts", 'import { parse } from "yaml";\nimport process from "node:process";\n'),
    [],
  );
  assertFound(
    "src/socket/a.ts",
    'import { platform } from "#platform";',
    /only src\/socket\/context.ts imports/,
  );
  assertFound("adapters/node/a.ts", 'import { b } from "./b";', /by its full name/);
  assertEquals(findings("adapters/bun/bun_test.ts", 'import { assert } from "@std/assert";\n'), []);
});

test("files and functions have a size", () => {
  const statements = (count: number): string => "  work();\n".repeat(count);
  assertEquals(findings("bench/a.ts", "a;\n".repeat(600)), []);
  assertFound("bench/a.ts", "a;\n".repeat(601), /^601: 601 lines/);
  assertEquals(findings("tests/a_test.ts", "a;\n".repeat(601)), []);
  const heads = [
    ["export function a(): void {", "}"],
    ["export async function* a(): AsyncGenerator<void> {", "}"],
    ["function a(\n  b: number,\n): { c: number } {", "}"],
    ["const a = (): void => {", "};"],
    ["use((b) => {", "});"],
    ["class A {\n  static #a<B>(b: B): void {", "  }\n}"],
    ["class A {\n  constructor(\n    b: number,\n  ) {", "  }\n}"],
  ] as const;
  for (const [head, tail] of heads) {
    const lines = (count: number): string => {
      const own = head.replace("class A {\n", "").split("\n").length + 1;
      return `${head}\n${"    work();\n".repeat(count - own)}${tail}\n`;
    };
    assertEquals(findings("bench/a.ts", lines(60)), [], head);
    assertFound("bench/a.ts", lines(61), /a function of 61 lines/);
  }
  assertEquals(findings("bench/a.ts", `const table = define({\n${"  a: 1,\n".repeat(80)}});\n`), []);
  assertEquals(findings("bench/a.ts", `if (a) {\n${statements(80)}}\n`), []);
});

test("lines end at 110 columns, but for tables, blocks and addresses", () => {
  const wide = "a".repeat(111);
  assertFound("mod.ts", `a;\n// ${"a".repeat(108)}\n`, /^2: 111 columns; 110 is the most/);
  assertFound("mod.ts", `const a = "${wide}";\n`, /^1: 124 columns/);
  assertFound("CONTRIBUTING.md", `${wide}\n`, /^1: 111 columns/);
  assertFound("CONTRIBUTING.md", `\`\`\`\na\n\`\`\`\n${wide}\n`, /^4: 111 columns/);
  assertFound("mod.ts", `// | ${wide} |\n`, /^1: 118 columns/);
  const right = [
    ["mod.ts", `// ${"a".repeat(107)}\n`],
    // A character is a column, whatever it takes in UTF-16.
    ["mod.ts", `// ${"🐚".repeat(107)}\n`],
    ["mod.ts", `/**\n * \`\`\`ts\n * ${wide}\n * \`\`\`\n */\n`],
    ["mod.ts", `// https://example.org/${wide}\n`],
    ["CONTRIBUTING.md", `| ${wide} |\n`],
    ["CONTRIBUTING.md", `\`\`\`\n${wide}\n\`\`\`\n`],
    ["CONTRIBUTING.md", `[a](https://example.org/${wide})\n`],
    ["deno.json", `${wide}\n`],
  ] as const;
  for (const [path, text] of right) assertEquals(findings(path, text), [], text);
});

test("nothing unfinished, lonely or local is committed", () => {
  const slash = "/";
  assertFound("docs/A.md", `a\n${"TO" + "DO"} later`, /^2: /);
  assertFound("src/zmtp/a.ts", `// ${"FIX" + "ME"}`, /finish it/);
  assertFound("bench/a.ts", `// ${"X" + "XX"}`, /finish it/);
  assertFound("tests/a_test.ts", `${"test"}.only("a", () => {});`, /hides all others/);
  assertFound("tests/a_test.ts", `test("a", (t) => ${"t"}.skip("why"));`, /skip a test with/);
  assertFound("README.md", `see ${slash}work/main`, /path of one machine/);
  assertFound("tests/a_test.ts", `const a = "${slash}home/me/x";`, /path of one machine/);
  assertFound("package-lock.json", `"a": "https://${"registry"}.npmjs.org/a"`, /names a package registry/);
  assertEquals(findings("bench/a.ts", `const a = "../${"work"}/main";\n`), []);
});

test("private members are private at run time, too", () => {
  for (const member of ["private a = 1;", "private readonly a = 1;", "static private a(): void {}"]) {
    assertFound("adapters/a.ts", `class A {\n  ${member}\n}\n`, /^2: .*#/);
  }
  const text = "class A {\n  #a = 1;\n  protected b = 1;\n  private constructor() {}\n  // private c\n}\n";
  assertEquals(findings("src/bytes/a.ts", text), []);
});

test("file names are snake_case", () => {
  for (const name of ["fooBar.ts", "Foo.ts", "foo-bar.ts", "foo__bar.mjs", "_foo.ts"]) {
    assertFound(`bench/${name}`, "", /snake_case/);
  }
  for (const name of ["foo_bar.ts", "z85.ts", "mod.d.ts", "foo_test.ts"]) {
    assertEquals(findings(`bench/${name}`, ""), []);
  }
});

test("the rules read code, not comments, strings and patterns", () => {
  const blank = (source: string): string => maskSource(source).replaceAll(/ +/g, " ").trim();
  assertEquals(blank("a /* b */ c // d"), "a c");
  assertEquals(blank("a('b\\'c', \"d\") + e"), "a( , ) + e");
  assertEquals(blank("a(`b ${c(`d ${e}`)} f`) + g"), "a( c( e ) ) + g");
  assertEquals(blank("a(`${{ b: {} }.b}`) + c"), "a( { b: {} }.b ) + c");
  assertEquals(blank("a = /b\"[/]'/g; c"), "a = g; c");
  assertEquals(blank("a = b / c / d; e"), "a = b / c / d; e");
  assertEquals(blank("return /'/.test(a)"), "return .test(a)");
  const source = "a\n/* b\n */ 'c'\n";
  assertEquals(
    maskSource(source).split("\n").map((line) => line.length),
    source.split("\n").map((line) => line.length),
  );
});

test("imports are found in every form, and only real ones", () => {
  const source = [
    'import a from "./a.ts";',
    'import type {\n  B,\n} from "./b.ts";',
    'export * from "./c.ts";',
    'const d = await import("./d.ts");',
    'import "./e.ts";',
    '// import f from "./f.ts";',
    "const g = 'import g from \"./g.ts\"';",
  ].join("\n");
  const found = listImports(source, maskSource(source));
  assertEquals(found.map(({ specifier }) => specifier), ["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts"]);
  assertEquals(found.map(({ line }) => line), [1, 4, 5, 6, 7]);
  assertEquals(resolvePath("src/zmtp/mechanism/a.ts", "../../bytes/b.ts"), "src/bytes/b.ts");
});
