/**
 * Opens many connections to `endpoint` and holds them, idle. Each says the ZMTP greeting and a PUSH's READY; from a
 * hawser socket (`api=hawser`) the answer is awaited, so that the handshake is over when RESULT is said.
 */

import { createConnection, type Socket } from "node:net";
import { fail, follow, readParameters, say, sayReady } from "./control.ts";
import { parseEndpoint, type Place } from "./raw_frames.ts";

const parameters = readParameters();
const IN_FLIGHT_MAX = 50;
/** A greeting (64 bytes) and a READY command that names a PULL. */
const ANSWER_BYTES = 64 + 2 + 6 + 1 + 11 + 4 + 4;
const held: Socket[] = [];

function hello(): Uint8Array {
  const text = new TextEncoder();
  const greeting = new Uint8Array(64);
  greeting[0] = 0xff;
  greeting[9] = 0x7f;
  greeting[10] = 3;
  greeting[11] = 1;
  greeting.set(text.encode("NULL"), 12);
  const ready = [
    5,
    ...text.encode("READY"),
    11,
    ...text.encode("Socket-Type"),
    0,
    0,
    0,
    4,
    ...text.encode("PUSH"),
  ];
  return Uint8Array.from([...greeting, 4, ready.length, ...ready]);
}

function open(place: Exclude<Place, { path: string }>, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: place.host, port: place.port, noDelay: true });
    let answered = 0;
    socket.on("error", fail);
    socket.on("close", () => fail("a connection was closed by the server"));
    socket.on("connect", () => {
      socket.write(bytes);
      if (parameters.api === "bare") resolve();
    });
    socket.on("data", (chunk) => {
      answered += chunk.length;
      if (parameters.api !== "bare" && answered >= ANSWER_BYTES) resolve();
    });
    held.push(socket);
  });
}

async function openAll(): Promise<void> {
  const place = parseEndpoint(parameters.endpoint);
  if ("path" in place) fail("only tcp is counted");
  const bytes = hello();
  let left = parameters.bytes;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await open(place, bytes);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, worker));
  say("RESULT {}");
}

follow({ start: () => void openAll().catch(fail) });
sayReady();
