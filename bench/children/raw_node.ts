/**
 * Bare `node:net` sockets on Node, which read 64 KiB at a time, and `node:tls` sockets on all three runtimes: a
 * batch encoded once, one reader that counts frames.
 */

import { readFileSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import * as tls from "node:tls";
import { fail, follow, Meter, readParameters, RoundTrips, say, sayReady, turn } from "./control.ts";
import { encodeBatch, encodeFrame, FrameCounter, parseEndpoint } from "./raw_frames.ts";

const parameters = readParameters();
const encrypted = parameters.endpoint.startsWith("tls://");
const place = parseEndpoint(parameters.endpoint);
/** Bytes written in one turn before the loop lets others in. */
const BYTES_PER_TURN = 1048576;

function pem(name: string): Buffer {
  return readFileSync(join(parameters.certificates, name));
}

function serverOf(serve: (socket: Socket) => void): Server {
  if (!encrypted) return createServer({ noDelay: true }, serve);
  return tls.createServer({ cert: pem("server.pem"), key: pem("server-key.pem"), noDelay: true }, serve);
}

function accept(serve: (socket: Socket) => void): void {
  const server = serverOf(serve);
  server.on("error", fail);
  server.listen("path" in place ? { path: place.path } : { host: place.host, port: place.port }, () => {
    const address = server.address();
    const bound = typeof address === "object" && address !== null
      ? `${encrypted ? "tls" : "tcp"}://127.0.0.1:${address.port}`
      : parameters.endpoint;
    sayReady(bound);
  });
}

function connect(opened: (socket: Socket) => void): void {
  const target = "path" in place ? { path: place.path } : { ...place, noDelay: true };
  const socket = encrypted ? tls.connect({ ...target, ca: pem("authority.pem") }) : createConnection(target);
  socket.on("error", fail);
  socket.on(encrypted ? "secureConnect" : "connect", () => opened(socket));
}

function receive(): void {
  const meter = new Meter();
  const counter = new FrameCounter();
  follow({ start: (warmupMs, windowMs) => meter.start(warmupMs, windowMs), stop: () => meter.stop() });
  accept((socket) => {
    socket.on("data", (chunk: Buffer) => {
      counter.read(chunk);
      meter.check(counter.messages, counter.bytes);
    });
    socket.on("error", fail);
  });
}

function send(): void {
  const batch = encodeBatch(parameters.bytes);
  let running = false;
  connect((socket) => {
    async function run(): Promise<void> {
      running = true;
      let written = 0;
      while (running) {
        socket.write(batch);
        if (socket.writableLength > 0) await new Promise((resolve) => socket.once("drain", resolve));
        else if ((written += batch.length) % BYTES_PER_TURN < batch.length) await turn();
      }
      say("STOPPED");
    }
    follow({ start: () => void run().catch(fail), stop: () => void (running = false) });
    sayReady();
  });
}

function echo(): void {
  follow({ start: () => {} });
  accept((socket) => void socket.on("data", (chunk) => void socket.write(chunk)));
}

function ping(): void {
  const frame = encodeFrame(parameters.bytes);
  connect((socket) => {
    let trips: RoundTrips | undefined;
    let sentMs = 0;
    let missing = 0;
    function next(): void {
      missing = frame.length;
      sentMs = performance.now();
      socket.write(frame);
    }
    socket.on("data", (chunk) => {
      missing -= chunk.length;
      if (missing === 0 && trips?.add(sentMs, performance.now())) next();
    });
    follow({
      start: (warmupMs, windowMs) => {
        trips = new RoundTrips(warmupMs, windowMs, parameters.bytes);
        next();
      },
    });
    sayReady();
  });
}

const roles: Record<string, () => void> = { receive, send, echo, ping };
(roles[parameters.role] ?? (() => fail(`unknown role ${parameters.role}`)))();
