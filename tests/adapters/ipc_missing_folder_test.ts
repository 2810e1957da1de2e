import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { codeOf } from "../../adapters/system_errors.ts";
import { MisuseError } from "../../src/errors.ts";
import { benchOf, candidates, errorOf, freshPath } from "./support.ts";

for (const candidate of await candidates("ipc")) {
  const { label } = candidate;

  test(`${label}: bind in a folder that does not exist says so, and which one`, async () => {
    const folder = `${freshPath()}/missing`;
    const bench = benchOf(candidate);
    const error = await errorOf(() => bench.listen(`ipc://${folder}/socket`));
    assertInstanceOf(error, MisuseError);
    assertEquals(error.code, "ERR_ADDRESS");
    assertEquals(error.message, `Cannot bind ipc://${folder}/socket: the folder ${folder} does not exist`);
    assert(error.cause !== undefined, "what the system said is lost");
  });

  test(`${label}: connect in a folder that does not exist says so, and which one`, async () => {
    const folder = `${freshPath()}/missing`;
    const bench = benchOf(candidate);
    const probe = bench.dial(`ipc://${folder}/socket`);
    await probe.until("close", () => probe.closed);
    assertStringIncludes(String(probe.cause), `the folder ${folder} does not exist`);
    // It may be made yet, so this is no misuse: a socket tries again.
    assertEquals([probe.cause instanceof MisuseError, codeOf(probe.cause)], [false, "ENOENT"]);
    await bench.clear();
  });

  test(`${label}: connect where only the socket is missing keeps the system's own words`, async () => {
    const bench = benchOf(candidate);
    const probe = bench.dial(`ipc://${freshPath()}`);
    await probe.until("close", () => probe.closed);
    assertEquals(codeOf(probe.cause), "ENOENT");
    assert(!String(probe.cause).includes("folder"), String(probe.cause));
    await bench.clear();
  });
}
