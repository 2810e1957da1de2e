import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertStringIncludes } from "@std/assert";
import { DIAGRAMS } from "../../tools/state_diagrams.ts";

test("docs/PROTOCOL.md shows the state tables as they are", () => {
  const page = readFileSync("docs/PROTOCOL.md", "utf8");
  for (const [name, diagram] of Object.entries(DIAGRAMS)) {
    assertStringIncludes(page, `### ${name}\n`);
    assertStringIncludes(page, `\`\`\`mermaid\n${diagram}\n\`\`\``);
  }
});
