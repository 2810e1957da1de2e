import { test } from "node:test";
import { memoryAdapter, memoryTransport } from "../../adapters/memory/mod.ts";
import { factoryOf } from "./support.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

transportSuite(test, "memory", { factory: factoryOf(memoryAdapter, "memory"), address: () => "memory://*" });
// So little room that nearly every write is lent.
transportSuite(test, "tight memory", {
  factory: memoryTransport({ capacityBytes: 10 }),
  address: () => "memory://*",
});
