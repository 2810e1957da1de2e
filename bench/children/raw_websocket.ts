/**
 * WebSockets without hawser: those of Deno and Bun themselves (`Deno.serve` or `Bun.serve` on one side and the global
 * `WebSocket` on the other), and on Node the npm package `ws`. A message in a frame of its own, no compression. The
 * sender is the client, so its frames are masked. Over wss too.
 */

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import * as ws from "ws";
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
const encrypted = parameters.endpoint.startsWith("wss://");
/** Bytes that wait in the socket before the sender lets the event loop turn. */
const WAITING_BYTES_MAX = 1_048_576;

/** Takes a message; what it returns is sent back. */
type Serve = (message: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined;

interface BunWebSocket {
  send(data: Uint8Array): number;
}
declare const Bun: {
  serve(options: object): { readonly port: number };
};
interface DenoServer {
  readonly addr: { readonly port: number };
}
declare const Deno: {
  serve(options: object, handler: (request: Request) => Response): DenoServer;
  upgradeWebSocket(request: Request): { readonly socket: WebSocket; readonly response: Response };
  createHttpClient(options: object): unknown;
};

function pem(name: string): string {
  return readFileSync(join(parameters.certificates, name), "utf8");
}

function accept(serve: Serve): void {
  if ("Bun" in globalThis) return ready(serveBun(serve));
  if ("Deno" in globalThis) return ready(serveDeno(serve));
  serveNode(serve);
}

function ready(port: number): void {
  sayReady(`${encrypted ? "wss" : "ws"}://127.0.0.1:${port}`);
}

function serveNode(serve: Serve): void {
  const options = { perMessageDeflate: false };
  const secure = encrypted
    ? createServer({ cert: pem("server.pem"), key: pem("server-key.pem") })
    : undefined;
  const sockets = secure === undefined
    ? new ws.WebSocketServer({ ...options, host: "127.0.0.1", port: 0 })
    : new ws.WebSocketServer({ ...options, server: secure });
  sockets.on("error", fail);
  sockets.on("connection", (socket) => {
    socket.on("message", (data: Uint8Array<ArrayBuffer>) => {
      const reply = serve(data);
      if (reply !== undefined) socket.send(reply);
    });
  });
  sockets.on("listening", () => ready((sockets.address() as { readonly port: number }).port));
  secure?.listen(0, "127.0.0.1");
}

function serveBun(serve: Serve): number {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(encrypted ? { tls: { cert: pem("server.pem"), key: pem("server-key.pem") } } : {}),
    fetch: (request: Request, { upgrade }: { upgrade(request: Request): boolean }) =>
      upgrade.call(server, request) ? undefined : new Response("no WebSocket", { status: 400 }),
    websocket: {
      perMessageDeflate: false,
      message: (socket: BunWebSocket, data: Uint8Array<ArrayBuffer>) => {
        const reply = serve(data);
        if (reply !== undefined) socket.send(reply);
      },
    },
  });
  return server.port;
}

function serveDeno(serve: Serve): number {
  const options = {
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    ...(encrypted ? { cert: pem("server.pem"), key: pem("server-key.pem") } : {}),
  };
  const server = Deno.serve(options, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      const reply = serve(new Uint8Array(data as ArrayBuffer));
      if (reply !== undefined) socket.send(reply);
    };
    return response;
  });
  return server.addr.port;
}

/** What the loops below need of a WebSocket. */
type Sender = Pick<WebSocket, "send" | "bufferedAmount" | "onmessage">;

/** How they are told whom to trust: Bun and the package by an option, Deno by a client. */
function socketTo(endpoint: string): WebSocket {
  if (!("Bun" in globalThis) && !("Deno" in globalThis)) {
    const trust = encrypted ? { ca: pem("authority.pem") } : {};
    return new ws.WebSocket(endpoint, { perMessageDeflate: false, ...trust }) as unknown as WebSocket;
  }
  if (!encrypted) return new WebSocket(endpoint);
  const trust = "Bun" in globalThis
    ? { tls: { ca: pem("authority.pem") } }
    : { client: Deno.createHttpClient({ caCerts: [pem("authority.pem")] }) };
  return new WebSocket(endpoint, trust as unknown as string[]);
}

function connect(opened: (socket: Sender) => void): void {
  const socket = socketTo(parameters.endpoint);
  socket.binaryType = "arraybuffer";
  socket.onerror = (event) => fail((event as ErrorEvent).message);
  socket.onopen = () => opened(socket);
}

function receive(): void {
  const meter = new Meter();
  const perCheck = messagesPerCheck(parameters.bytes);
  let messages = 0;
  let bytes = 0;
  follow({ start: (warmupMs, windowMs) => meter.start(warmupMs, windowMs), stop: () => meter.stop() });
  accept((data) => {
    messages++;
    bytes += data.length;
    if (messages % perCheck === 0) meter.check(messages, bytes);
    else meter.messages = messages;
    return undefined;
  });
}

function send(): void {
  const body = new Uint8Array(parameters.bytes).fill(104);
  let running = false;
  connect((socket) => {
    async function run(): Promise<void> {
      running = true;
      while (running) {
        // A socket that takes everything at once still has to let the event loop turn.
        for (let sent = 0; sent < WAITING_BYTES_MAX; sent += body.length) {
          if (socket.bufferedAmount >= WAITING_BYTES_MAX) break;
          socket.send(body);
        }
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
  accept((data) => data);
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
    socket.onmessage = () => {
      if (trips?.add(sentMs, performance.now())) next();
    };
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
