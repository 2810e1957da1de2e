// runtimes: node deno bun
import { test } from "node:test";
import { nodeAdapter } from "../../adapters/node/mod.ts";
import { factoryOf } from "./support.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

transportSuite(test, "node ws", {
  factory: factoryOf(nodeAdapter, "ws"),
  address: () => "ws://127.0.0.1:*/path",
});
