// runtimes: node deno bun
import { test } from "node:test";
import { nodeAdapter } from "../../adapters/node/mod.ts";
import { factoryOf, freshPath } from "./support.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

transportSuite(test, "node ipc", {
  factory: factoryOf(nodeAdapter, "ipc"),
  address: () => `ipc://${freshPath()}`,
});
