import { test } from "node:test";
import { queueTransport } from "../../examples/queue_transport.ts";
import { netTransport } from "../../examples/socket_transport.ts";
import { transportSuite } from "../../testing/transport_suite.ts";

let names = 0;

// The transports of docs/ADAPTERS.md; tests/docs/transport_samples_test.ts compares their text.
transportSuite(test, "sockets", { factory: netTransport, address: () => "net://0" });
transportSuite(test, "queues", { factory: queueTransport(), address: () => `queue://${++names}` });
