import { test } from "node:test";
import { pipeTransport } from "../../examples/duplex_transport.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

let names = 0;

transportSuite(test, "pipe", { factory: pipeTransport(), address: () => `pipe://${++names}` });
