// runtimes: node
import { after, test } from "node:test";
import { readFileSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { Entries, type Meant, SURFACE_FILE } from "./surface.ts";

// Users see what is exported: in their editors, from declarations on npm and from sources on JSR. A member that is there for
// other files of hawser is marked @internal, at the beginning of its comment: then both leave it out.

const meant = JSON.parse(readFileSync(SURFACE_FILE, "utf8")) as Meant;
const shown = { sources: Entries.ofSources(), declarations: Entries.ofDeclarations() };
after(() => shown.declarations.remove());

for (const [where, entries] of Object.entries(shown)) {
  test(`exported classes show in ${where} the members that are meant for users, and no others`, () => {
    const { classes } = entries.shown();
    assertEquals(classes, meant.classes, "if that is meant: node tools/run.mjs tests/package/surface");
  });

  test(`the core exports in ${where} what authors of transports, simulators and tools need, and no more`, () => {
    const { core } = entries.shown();
    assertEquals(core, meant.core, "if that is meant: node tools/run.mjs tests/package/surface");
  });

  test(`every type that an exported one names in ${where} is exported as well`, () => {
    assertEquals(entries.unexportedTypes(), []);
  });

  test(`a class in ${where} that users cannot make has a private constructor`, () => {
    assertEquals(entries.hiddenConstructors(), []);
  });
}
