// runtimes: node
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { markdownBlocks } from "./blocks.ts";

// tests/examples/transports_test.ts runs the compliance suite over the examples; here the page is held to them.

/** What an example says between its marks, with the imports that a user of the package has. */
function sampleOf(path: string): string {
  const [, sample] = /\/\/ #region sample\n([\s\S]*?)\/\/ #endregion/.exec(readFileSync(path, "utf8")) ?? [];
  assert(sample !== undefined, `${path} has no sample`);
  return sample.replaceAll("../adapters/kit/mod.ts", "hawser/transport");
}

for (const path of ["examples/socket_transport.ts", "examples/queue_transport.ts"]) {
  test(`docs/ADAPTERS.md shows ${path} as it passes the compliance suite`, () => {
    const sample = sampleOf(path);
    const blocks = markdownBlocks("docs/ADAPTERS.md", readFileSync("docs/ADAPTERS.md", "utf8"));
    const first = sample.trim().split("\n")[0]!;
    const shown = blocks.find(({ code }) => code.startsWith(first));
    assertEquals(shown?.code, sample);
  });
}
