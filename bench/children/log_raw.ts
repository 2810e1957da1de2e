/** For comparison: a plain stream of 64 KiB writes over tcp, on Node, Deno and Bun through `node:net`. */

import { createConnection, createServer } from "node:net";
import { fail, sayReady } from "./control.ts";
import { type JobResult, readValues, serveJob } from "./log_control.ts";

const values = readValues();
const total = Number(values.get("total"));
const CHUNK_BYTES = 65_536;

/** Answers one byte for each `total` bytes that arrived. */
function receive(): void {
  const server = createServer({ noDelay: true }, (socket) => {
    let received = 0;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (received < total) return;
      received -= total;
      socket.write(Uint8Array.of(1));
    });
  });
  server.on("error", fail);
  server.listen(0, "127.0.0.1", () => {
    sayReady(`tcp://127.0.0.1:${(server.address() as { port: number }).port}`);
  });
}

function send(): void {
  const port = Number(values.get("endpoint")!.split(":").at(-1));
  const chunk = new Uint8Array(CHUNK_BYTES).fill(7);
  const sendAll = (): Promise<JobResult> =>
    new Promise<JobResult>((resolve) => {
      const began = performance.now();
      let sent = 0;
      const write = (): void => {
        while (sent < total) {
          const bytes = Math.min(CHUNK_BYTES, total - sent);
          sent += bytes;
          if (!socket.write(bytes === CHUNK_BYTES ? chunk : chunk.subarray(0, bytes))) break;
        }
      };
      socket.on("drain", write);
      socket.once("data", () => {
        socket.off("drain", write);
        const seconds = (performance.now() - began) / 1_000;
        resolve({ messages: Math.round(total / 1_024), bytes: total, seconds });
      });
      write();
    });
  // Once without a clock, as everybody else.
  const socket = createConnection({ host: "127.0.0.1", port, noDelay: true }, () => {
    sendAll().then(() => sayReady(), fail);
  });
  socket.on("error", fail);
  serveJob(sendAll);
}

if (values.get("role") === "send") send();
else receive();
