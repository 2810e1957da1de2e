import { test } from "node:test";
import { readFileSync } from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { OPTION_ROWS, type OptionName } from "../../src/socket/options.ts";
import { optionComments, optionTable, withoutDefault } from "../../tools/socket_options.ts";

test("docs/CONFIGURATION.md lists every option of a socket as it is declared (tools/socket_options.ts prints the table)", () => {
  const section = readFileSync("docs/CONFIGURATION.md", "utf8").split("\n## Options of sockets\n")[1] ?? "";
  const rows = section.split("\n## ")[0]!.split("\n").filter((line) => line.startsWith("| `"));
  assertEquals(rows.join("\n"), optionTable().join("\n"));
});

test("the default that an option's doc comment states is its default", () => {
  const comments = optionComments(readFileSync("src/socket/options.ts", "utf8"));
  let stated = 0;
  for (const [name, texts] of comments) {
    const { value } = OPTION_ROWS[name as OptionName];
    for (const text of texts) {
      const [, number, mebi, word] = /Default (?:(-?[\d ]+)( MiB)?|(true|false|null))[.:]/.exec(text) ?? [];
      if (number === undefined && word === undefined) continue;
      stated++;
      const said = word ?? Number(number!.replaceAll(" ", "")) * (mebi === undefined ? 1 : 1_048_576);
      assertEquals(String(said), String(value), name);
    }
  }
  assert(stated > 30, `only ${stated} comments state a default`);
});

test("every option of a socket has a doc comment, and one that is missing is found", () => {
  const comments = optionComments(readFileSync("src/socket/options.ts", "utf8"));
  for (const name of Object.keys(OPTION_ROWS)) assert(comments.has(name), `${name} has no doc comment`);
  assertEquals(
    optionComments("  /** One. */\n  one?: number;\n  two?: number;\n"),
    new Map([["one", ["One."]]]),
  );
  assertEquals(withoutDefault("One. Default 1 000. At once."), "One. At once.");
});
