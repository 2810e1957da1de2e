// runtimes: bun
import { test } from "node:test";
import { bunAdapter } from "../../adapters/bun/mod.ts";
import { factoryOf, freshPath } from "./support.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

transportSuite(test, "bun ipc", {
  factory: factoryOf(bunAdapter, "ipc"),
  address: () => `ipc://${freshPath()}`,
});
