import { test } from "node:test";
import { workerTransport } from "../../../adapters/worker/mod.ts";
import { transportSuite } from "../../../testing/transport_suite.ts";

transportSuite(test, "worker, within one thread", { factory: workerTransport, address: () => "worker://*" });
