// A program for `idle_connections_test.ts`: a server that prints what its heap holds once so many connections, its
// second argument, are idle, and again at each later argument. `bare`: sockets that only carry the same bytes.
import { createServer, type Socket } from "node:net";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Router } from "../../mod.ts";
import { freshAddress } from "../interop/support/addresses.ts";
import { loopTurn } from "../interop/support/deadline.ts";
import { greeting, ready } from "../conformance/raw_peer.ts";

const [role = "", ...counts] = process.argv.slice(2);
setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");
/** What a collection has found dead may be finished only in the next one. */
const COLLECTIONS = 4;

async function report(): Promise<void> {
  for (let i = 0; i < COLLECTIONS; i++) {
    collect();
    await loopTurn();
  }
  console.log(process.memoryUsage().heapUsed);
}

let connected = 0;
function count(): void {
  if (++connected === Number(counts[0])) {
    counts.shift();
    void report();
  }
}

const held: unknown[] = [];

async function serve(): Promise<void> {
  const router = new Router();
  held.push(router);
  await router.bind(freshAddress("tcp"));
  console.log(router.lastEndpoint);
  for (const peers of counts) {
    await router.ready({ peers: Number(peers) });
    await report();
  }
}

function serveBare(): void {
  const answer = ready("ROUTER", new Uint8Array(0));
  const hello = greeting();
  function answered(this: Socket): void {
    this.write(answer);
    count();
  }
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    held.push(socket);
    socket.on("data", answered).on("error", ignore);
    socket.write(hello);
  });
  server.listen({ host: "127.0.0.1", port: 0 }, () => {
    const address = server.address();
    console.log(`tcp://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
  });
}

function ignore(): void {}

if (role === "bare") serveBare();
else await serve();
// The test ends it: its connections do not keep it alive.
setInterval(ignore, 1_000_000);
