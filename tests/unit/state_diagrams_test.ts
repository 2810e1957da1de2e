import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertStringIncludes } from "@std/assert";
import { DIAGRAMS, LOG_DIAGRAMS } from "../../tools/state_diagrams.ts";

const PAGES = { "docs/PROTOCOL.md": DIAGRAMS, "docs/ARCHITECTURE.md": LOG_DIAGRAMS };

for (const [path, diagrams] of Object.entries(PAGES)) {
  test(`${path} shows the state tables as they are`, () => {
    const page = readFileSync(path, "utf8");
    for (const [name, diagram] of Object.entries(diagrams)) {
      assertStringIncludes(page, `### ${name}\n`);
      assertStringIncludes(page, `\`\`\`mermaid\n${diagram}\n\`\`\``);
    }
  });
}
