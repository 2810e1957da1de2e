// runtimes: deno
import { test } from "node:test";
import { denoAdapter } from "../../adapters/deno/mod.ts";
import { factoryOf } from "./support.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

transportSuite(test, "deno tcp", {
  factory: factoryOf(denoAdapter, "tcp"),
  address: () => "tcp://127.0.0.1:*",
});
