// libzmq under Node, through the npm package zeromq: does what `support/peer_process.ts` describes. It is a process of
// its own on every runtime, because the native addon works in Node alone. With `--check` it only tells its version.
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import process from "node:process";
import * as zmq from "zeromq";

const CLASSES = {
  PAIR: zmq.Pair,
  PUSH: zmq.Push,
  PULL: zmq.Pull,
  PUB: zmq.Publisher,
  SUB: zmq.Subscriber,
  XPUB: zmq.XPublisher,
  XSUB: zmq.XSubscriber,
  REQ: zmq.Request,
  REP: zmq.Reply,
  DEALER: zmq.Dealer,
  ROUTER: zmq.Router,
};
const EVENTS = ["handshake", "disconnect", "connect:retry"];
const PERIOD = 4093;
const HEX_BYTES_MAX = 32;
const sockets = new Map();
/** Files of ipc sockets: libzmq leaves them. */
const files = new Set();

function makeBody(body) {
  if (body.text !== undefined) return Buffer.from(body.text);
  if (body.hex !== undefined) return Buffer.from(body.hex, "hex");
  const bytes = Buffer.alloc(body.bytes);
  let state = body.seed >>> 0;
  for (let i = 0; i < Math.min(PERIOD, bytes.length); i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  for (let at = PERIOD; at < bytes.length; at *= 2) bytes.copyWithin(at, 0, at);
  return bytes;
}

function describeFrame(bytes) {
  if (bytes.length <= HEX_BYTES_MAX) return bytes.toString("hex");
  return `${bytes.length} bytes, sha256 ${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}`;
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function open({ socket: name, type, options }) {
  const socket = new CLASSES[type]({ linger: 0, ...options });
  for (const event of EVENTS) socket.events.on(event, () => say({ event, socket: name }));
  sockets.set(name, socket);
}

/** A Router that is `mandatory` refuses until its peer has said who it is. */
async function send(socket, frames) {
  const message = frames.map(makeBody);
  for (;;) {
    try {
      return await socket.send(message);
    } catch (error) {
      if (error.code !== "EHOSTUNREACH") throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function receive(socket, count) {
  const messages = [];
  for (let i = 0; i < count; i++) messages.push((await socket.receive()).map(describeFrame));
  return messages;
}

async function subscribe(socket, prefix, count) {
  const topics = count === 0 ? [prefix] : Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  if (socket instanceof zmq.Subscriber) return socket.subscribe(...topics);
  for (const topic of topics) await socket.send(Buffer.from(`\x01${topic}`));
}

/** Message number `index` of a flow: its number, then a length of its own. */
function flowBody(index) {
  const body = Buffer.alloc(4 + (index * 7919) % 200, index & 0xff);
  body.writeUInt32BE(index);
  return body;
}

async function pour(socket, count) {
  for (let index = 0; index < count; index++) await socket.send(flowBody(index));
}

/** Answers with the number of the first message that is not the one expected; -1: there is none. */
async function drain(socket, count) {
  let wrong = -1;
  for (let index = 0; index < count; index++) {
    const [body] = await socket.receive();
    if (wrong < 0 && !flowBody(index).equals(body)) wrong = index;
  }
  return wrong;
}

async function carryOut(request) {
  if (request.do === "open") return open(request);
  const socket = sockets.get(request.socket);
  switch (request.do) {
    case "bind":
      await socket.bind(request.address);
      if (request.address.startsWith("ipc://")) files.add(request.address.slice("ipc://".length));
      return socket.lastEndpoint;
    case "connect":
      return socket.connect(request.address);
    case "disconnect":
      return socket.disconnect(request.address);
    case "send":
      return send(socket, request.frames);
    case "receive":
      return receive(socket, request.count);
    case "pour":
      return pour(socket, request.count);
    case "drain":
      return drain(socket, request.count);
    case "subscribe":
      return subscribe(socket, request.prefix, request.count);
    case "close":
      sockets.delete(request.socket);
      return socket.close();
  }
}

async function answer(request) {
  try {
    say({ id: request.id, value: await carryOut(request) });
  } catch (error) {
    say({ id: request.id, error: String(error) });
  }
}

if (process.argv[2] === "--check") {
  console.log(`libzmq ${zmq.version}`);
} else {
  // Whoever asked is gone.
  process.stdout.on("error", () => process.exit(1));
  const requests = createInterface({ input: process.stdin });
  requests.on("line", (line) => void answer(JSON.parse(line)));
  requests.on("close", () => {
    for (const socket of sockets.values()) socket.close();
    for (const file of files) rmSync(file, { force: true });
    process.exit(0);
  });
}
