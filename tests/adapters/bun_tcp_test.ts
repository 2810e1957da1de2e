// runtimes: bun
import { test } from "node:test";
import { bunAdapter } from "../../adapters/bun/mod.ts";
import { factoryOf } from "./support.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

transportSuite(test, "bun tcp", {
  factory: factoryOf(bunAdapter, "tcp"),
  address: () => "tcp://127.0.0.1:*",
});
