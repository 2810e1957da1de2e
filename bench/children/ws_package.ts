/**
 * The npm package `ws` on Node: a message in a frame of its own, no compression. The sender is the client, so its
 * frames are masked.
 */

import { WebSocket, WebSocketServer } from "ws";
import {
  fail,
  follow,
  messagesPerCheck,
  Meter,
  readParameters,
  RoundTrips,
  say,
  sayReady,
  turn,
} from "./control.ts";

const parameters = readParameters();
/** Bytes that wait in the socket before the sender lets the event loop turn. */
const WAITING_BYTES_MAX = 1_048_576;

function accept(serve: (socket: WebSocket) => void): void {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  server.on("error", fail);
  server.on("connection", serve);
  server.on("listening", () => {
    const address = server.address();
    sayReady(typeof address === "string" ? address : `ws://127.0.0.1:${address?.port}`);
  });
}

function connect(opened: (socket: WebSocket) => void): void {
  const socket = new WebSocket(parameters.endpoint, { perMessageDeflate: false });
  socket.on("error", fail);
  socket.on("open", () => opened(socket));
}

function receive(): void {
  const meter = new Meter();
  const perCheck = messagesPerCheck(parameters.bytes);
  let messages = 0;
  let bytes = 0;
  follow({ start: (warmupMs, windowMs) => meter.start(warmupMs, windowMs), stop: () => meter.stop() });
  accept((socket) => {
    socket.on("message", (data: Uint8Array) => {
      messages++;
      bytes += data.length;
      if (messages % perCheck === 0) meter.check(messages, bytes);
      else meter.messages = messages;
    });
  });
}

function send(): void {
  const body = new Uint8Array(parameters.bytes).fill(104);
  let running = false;
  connect((socket) => {
    async function run(): Promise<void> {
      running = true;
      while (running) {
        while (socket.bufferedAmount < WAITING_BYTES_MAX) socket.send(body);
        await turn();
      }
      say("STOPPED");
    }
    follow({ start: () => void run().catch(fail), stop: () => void (running = false) });
    sayReady();
  });
}

function echo(): void {
  follow({ start: () => {} });
  accept((socket) => void socket.on("message", (data) => socket.send(data)));
}

function ping(): void {
  const body = new Uint8Array(parameters.bytes).fill(104);
  connect((socket) => {
    let trips: RoundTrips | undefined;
    let sentMs = 0;
    function next(): void {
      sentMs = performance.now();
      socket.send(body);
    }
    socket.on("message", () => {
      if (trips?.add(sentMs, performance.now())) next();
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
