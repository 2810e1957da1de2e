// runtimes: node
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { assertGreater, assertLess } from "@std/assert";
import { concat } from "../../src/bytes/bytes.ts";
import { parseTcpEndpoint } from "../../src/socket/endpoint.ts";
import { greeting, ready } from "../conformance/raw_peer.ts";
import { within } from "../interop/support/deadline.ts";
import { Program } from "../stability/program.ts";

// What an idle connection costs a server, counted in bytes of its heap: above a bare socket of the runtime that has
// carried the same bytes. The heap is exact where resident memory depends on what the allocator keeps.

/** Code, pools and tables that grow by doubling come with the first ones. */
const CONNECTIONS_BEFORE = 500;
const CONNECTIONS = 1_000;
const AT_ONCE = 50;
/** What was measured, and a quarter. */
const BYTES_MAX = 4_600;

const HELLO = concat([greeting(), ready("DEALER", new Uint8Array(0))]);

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", reject);
    socket.on("connect", () => socket.write(HELLO));
    // The answer has begun.
    socket.once("data", () => resolve(socket));
  });
}

/** Bytes of heap that each connection to a server of this kind takes. */
async function bytesPerConnection(role: "hawser" | "bare"): Promise<number> {
  const total = CONNECTIONS_BEFORE + CONNECTIONS;
  const server = new Program("tests/memory/idle_program", role, `${CONNECTIONS_BEFORE}`, `${total}`);
  const sockets: Socket[] = [];
  try {
    const { port } = parseTcpEndpoint(await server.line());
    const openUpTo = async (count: number): Promise<number> => {
      while (sockets.length < count) {
        const more = Array.from({ length: AT_ONCE }, () => open(port));
        sockets.push(...await within(Promise.all(more), "connections"));
      }
      return Number(await server.line());
    };
    const before = await openUpTo(CONNECTIONS_BEFORE);
    return (await openUpTo(total) - before) / CONNECTIONS;
  } finally {
    server.kill();
    for (const socket of sockets) socket.on("error", () => {}).destroy();
    await server.ended;
  }
}

test("an idle connection of a Router holds little more than its socket does", async () => {
  const bare = await bytesPerConnection("bare");
  assertGreater(bare, 500);
  assertLess(await bytesPerConnection("hawser") - bare, BYTES_MAX);
});
