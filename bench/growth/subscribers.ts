/**
 * Raw subscribers for `publisher.ts` and its twin in C: they speak just enough ZMTP 3.0 and count bytes. When
 * all have a burst, the first of them says so by subscribing to "!", or by taking that back.
 *
 * `role=subscribers`: `hwm` connections, each subscribed to everything, and to a topic of its own by which
 * the publisher sees that it is there. `role=topics`: one connection with `hwm` topics. `bytes` is the size
 * of a message.
 */

import { createConnection, type Socket } from "node:net";
import { fail, follow, readParameters, sayReady } from "../children/control.ts";
import { parseEndpoint } from "../children/raw_frames.ts";
import { burstOf, topicName } from "./bursts.ts";

const { role, bytes, endpoint, highWaterMark: count } = readParameters();
const GREETING_BYTES = 64;
const FRAME_HEADER_BYTES = 2;
const CHUNK_TOPICS = 10_000;
const IN_FLIGHT_MAX = 50;
const connections = role === "topics" ? 1 : count;
const burstBytes = connections * (bytes + FRAME_HEADER_BYTES) * burstOf(role, count);

function greeting(): Buffer {
  const hello = Buffer.alloc(GREETING_BYTES);
  hello[0] = 0xff;
  hello[9] = 0x7f;
  hello[10] = 3;
  hello.write("NULL", 12);
  const ready = Buffer.from("\x05READY\x0bSocket-Type\0\0\0\x03SUB", "latin1");
  return Buffer.concat([hello, Buffer.from([4, ready.length]), ready]);
}

function subscription(topic: string, add: boolean = true): Buffer {
  return Buffer.concat([Buffer.from([0, topic.length + 1, add ? 1 : 0]), Buffer.from(topic, "latin1")]);
}

/** Of all connections. */
let received = 0;
let acknowledged = false;
let first: Socket | undefined;

function countBytes(length: number): void {
  received += length;
  if (received < burstBytes) return;
  if (received > burstBytes) fail(`${received} bytes arrived in place of ${burstBytes}`);
  received = 0;
  acknowledged = !acknowledged;
  first?.write(subscription("!", acknowledged));
}

/** Reads past the greeting and READY, then counts. */
function connect(topics: () => Iterable<Buffer>, connected: () => void): void {
  const place = parseEndpoint(endpoint);
  if ("path" in place) fail("only tcp is counted");
  const socket = createConnection({ host: place.host, port: place.port, noDelay: true });
  first ??= socket;
  let head: Buffer | undefined = Buffer.alloc(0);
  socket.on("error", fail).on("close", () => fail("a connection was closed by the publisher"));
  socket.on("connect", () => socket.write(greeting()));
  socket.on("data", (chunk: Buffer) => {
    if (head === undefined) return countBytes(chunk.length);
    head = Buffer.concat([head, chunk]);
    const ready = head[GREETING_BYTES + 1];
    if (ready === undefined) return;
    const rest = head.length - GREETING_BYTES - FRAME_HEADER_BYTES - ready;
    if (rest < 0) return;
    head = undefined;
    // Not before: libzmq takes what comes ahead of its own READY for a part of the handshake, and closes.
    for (const topic of topics()) socket.write(topic);
    connected();
    if (rest > 0) countBytes(rest);
  });
}

function* manyTopics(): Iterable<Buffer> {
  for (let begin = 0; begin < count; begin += CHUNK_TOPICS) {
    const length = Math.min(CHUNK_TOPICS, count - begin);
    yield Buffer.concat(Array.from({ length }, (_, at) => subscription(topicName(begin + at))));
  }
}

let next = 0;

/** One after another in each of a few lines, so that no queue of connections overflows. */
function connectNext(): void {
  const number = next++;
  if (number < connections) connect(() => [subscription(""), subscription(`~${number}`)], connectNext);
}

if (role === "topics") connect(manyTopics, () => {});
else for (let line = 0; line < IN_FLIGHT_MAX; line++) connectNext();
follow({ start: () => {} });
sayReady();
