// runtimes: node
import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { detectRuntime } from "../../adapters/detect.ts";
import {
  type Block,
  commandFault,
  commentBlocks,
  isProgram,
  markdownBlocks,
  promisedLines,
  relativeLinks,
  shellCommands,
} from "./blocks.ts";
import { Programs } from "./programs.ts";

// A finder that overlooks a block, or a runner that calls a broken one well, would let the documents rot unseen.

const FENCE = "```";

function blockOf(code: string, language = "ts"): Block {
  return { path: "some/document.md", line: 10, language, marks: [], code };
}

test("blocks of a document are found with their lines, languages and marks", () => {
  const text = [
    "# Title",
    `${FENCE}ts ignore`,
    "const a = 1;",
    "",
    "const b = 2;",
    FENCE,
    "1. a list",
    "",
    `   ${FENCE}sh`,
    "   npm test",
    "     indented",
    `   ${FENCE}`,
    FENCE,
    "no language",
    FENCE,
    "````md",
    `${FENCE}ts`,
    "shown, not run",
    FENCE,
    "````",
    "~~~js",
    "tilde",
    "~~~",
    `${FENCE}inline${FENCE} text`,
  ].join("\n");
  const found = markdownBlocks("a.md", text).map((
    { line, language, marks, code },
  ) => [line, language, marks, code]);
  assertEquals(found, [
    [3, "ts", ["ignore"], "const a = 1;\n\nconst b = 2;\n"],
    [10, "sh", [], "npm test\n  indented\n"],
    [14, "", [], "no language\n"],
    [17, "md", [], `${FENCE}ts\nshown, not run\n${FENCE}\n`],
    [22, "js", [], "tilde\n"],
  ]);
});

test("a block that is never closed is an error", () => {
  assertThrows(() => markdownBlocks("a.md", `text\n${FENCE}ts\ncode\n`), Error, "a.md:2");
});

test("blocks of doc comments are found, and those of other comments are not", () => {
  const text = [
    "/**",
    " * A module.",
    " *",
    ` * ${FENCE}ts`,
    " * const a = 1;",
    " *   const b = 2;",
    " *",
    " * const c = 3;",
    ` * ${FENCE}`,
    " */",
    `// ${FENCE}ts`,
    "export class A {",
    "  /**",
    `   * ${FENCE}`,
    "   * picture",
    `   * ${FENCE}`,
    "   */",
    "  b = 1; /* not one */",
    "}",
  ].join("\n");
  assertEquals(commentBlocks("a.ts", text), [
    {
      path: "a.ts",
      line: 5,
      language: "ts",
      marks: [],
      code: "const a = 1;\n  const b = 2;\n\nconst c = 3;\n",
    },
    { path: "a.ts", line: 15, language: "", marks: [], code: "picture\n" },
  ]);
});

test("programs are what is TypeScript or JavaScript and not marked otherwise", () => {
  assertEquals(isProgram(blockOf("")), true);
  assertEquals(isProgram(blockOf("", "js")), true);
  assertEquals(isProgram(blockOf("", "sh")), false);
  assertEquals(isProgram(blockOf("", "")), false);
  assertEquals(isProgram({ ...blockOf(""), marks: ["ignore"] }), false);
});

test("a comment behind console.log is a promise", () => {
  const code = [
    "console.log(a(b)); // one",
    "// console",
    "f(); // not this",
    "  console.log(`${x}`)   // two words ",
    "console.log(y);",
  ];
  assertEquals(promisedLines(blockOf(code.join("\n"))), ["one", "two words"]);
});

test("commands are read as a shell reads them", () => {
  const code =
    "$ npm ci # first\nA=1 B=x npm test -- --only y && npm start\n\n# a comment\nnpm run \\\n  bench | tail\n";
  assertEquals(shellCommands(blockOf(code, "sh")), [
    "npm ci",
    "npm test -- --only y",
    "npm start",
    "npm run bench",
    "tail",
  ]);
});

test("commands that name what is not there are found", () => {
  const scripts = { start: "x", bench: "y" };
  const fault = (command: string): string | undefined =>
    commandFault(command, scripts, (path) => path === "tools/there.mjs");
  for (
    const command of [
      "npm start",
      "npm run bench -- --quick",
      "npm ci",
      "npm install hawser",
      "deno add npm:hawser",
      "node tools/there.mjs",
      "git clone https://example.org/a.ts",
      "cat notes",
    ]
  ) {
    assertEquals(fault(command), undefined, command);
  }
  assertEquals(fault("npm test"), 'package.json has no script "test"');
  assertEquals(fault("npm run lint"), 'package.json has no script "lint"');
  assertEquals(fault("npm toString"), 'npm has no command "toString"');
  assertEquals(fault("npm run toString"), 'package.json has no script "toString"');
  assertEquals(fault("deno run -A examples/gone.ts"), "there is no examples/gone.ts");
});

test("links are found, but for those in code and to elsewhere", () => {
  const text = [
    "[a](docs/A.md) and [b](B.md#part) [c](https://example.org) [d](#here)",
    "`[e](e.md)`",
    `${FENCE}`,
    "[f](f.md)",
    `${FENCE}`,
    "![g](g.png)",
  ].join("\n");
  assertEquals(relativeLinks(text), [
    { line: 1, target: "docs/A.md" },
    { line: 1, target: "B.md" },
    { line: 6, target: "g.png" },
  ]);
});

/** What is wrong with these programs. */
async function findings(...codes: readonly string[]): Promise<readonly string[]> {
  const blocks = codes.map((code, index) => ({ ...blockOf(code), line: 10 * (index + 1) }));
  // One of them never ends, and is waited for.
  const programs = new Programs(blocks, "self_test", 3_000);
  return [...await programs.compile(), ...await programs.run()];
}

const GOOD =
  'import { Pull } from "hawser";\nconst pull: Pull = new Pull();\nconsole.log(pull.type); // PULL\npull.close();\n';

test("programs that keep their promises pass", async () => {
  const helper = "// helper.ts\nexport const two: number = 2;\n";
  const user = 'import { two } from "./helper.ts";\nconsole.log(two); // 2\nconsole.log(two + 1); // 3\n';
  assertEquals(await findings(GOOD, helper, user, "for (const a of [1]) console.log(a); // 1\n"), []);
});

test("a program that prints something else is named", async () => {
  const [finding, ...others] = await findings(GOOD, "console.log(1 + 1); // 3\n");
  assertEquals(others, []);
  assertEquals(finding?.split(";")[0], 'some/document.md:20 promises to print "3"');
});

test("a program that throws is named, with what it threw", async () => {
  const all = await findings(GOOD, 'throw new Error("broken glass");\n', GOOD);
  assertEquals(all.length, 1);
  assertEquals(all[0]!.split("\n")[0], "some/document.md:20 failed, or did not end:");
  assertEquals(all[0]!.includes("broken glass"), true);
});

test("a program that keeps the process alive is named", async () => {
  const all = await findings(GOOD, "setInterval(() => {}, 1_000_000);\n");
  assertEquals(all.filter((line) => line.startsWith("some/")), [
    "some/document.md:20 does not end by itself",
  ]);
});

test("a program that ends the process early is named", async () => {
  const all = await findings("process.exit(0);\n", GOOD);
  assertEquals(all.length, 1);
  assertEquals(all[0]!.split("\n")[0], "some/document.md:10 failed, or did not end:");
});

test("a program with wrong types is named, on Node", async () => {
  const all = await findings(GOOD, "\nconst a: number = 'x' as never as string;\nvoid a;\n");
  if (detectRuntime() === "node") {
    assertEquals(all[0]?.slice(0, 44), "some/document.md:21: error TS2322: Type 'str");
  } else assertEquals(all, []);
});
