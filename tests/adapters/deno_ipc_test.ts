// runtimes: deno
import { test } from "node:test";
import { denoAdapter } from "../../adapters/deno/mod.ts";
import { factoryOf, freshPath } from "./support.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

transportSuite(test, "deno ipc", {
  factory: factoryOf(denoAdapter, "ipc"),
  address: () => `ipc://${freshPath()}`,
});
