/**
 * Opens `bytes` connections to `endpoint` and holds them, idle. Each says the ZMTP greeting and a PUSH's
 * READY and awaits a PULL's, so that every handshake is over when RESULT is said.
 */

import { createConnection, type Socket } from "node:net";
import { fail, follow, readParameters, say, sayReady } from "./control.ts";
import { greetingOf, HELLO_BYTES, readyOf } from "./memory_handshake.ts";
import { parseEndpoint, type Place } from "./raw_frames.ts";

const parameters = readParameters();
const IN_FLIGHT_MAX = 50;
const hello = new Uint8Array([...greetingOf(), ...readyOf("PUSH")]);
const held: Socket[] = [];

function open(place: Exclude<Place, { path: string }>): Promise<void> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: place.host, port: place.port, noDelay: true });
    let answered = 0;
    socket.on("error", fail);
    socket.on("close", () => fail("a connection was closed by the server"));
    socket.on("connect", () => socket.write(hello));
    socket.on("data", (chunk) => {
      answered += chunk.length;
      if (answered >= HELLO_BYTES) resolve();
    });
    held.push(socket);
  });
}

async function openAll(): Promise<void> {
  const place = parseEndpoint(parameters.endpoint);
  if ("path" in place) fail("only tcp is counted");
  const beganMs = performance.now();
  let left = parameters.bytes;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await open(place);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, worker));
  say(`RESULT ${JSON.stringify({ seconds: (performance.now() - beganMs) / 1000 })}`);
}

follow({ start: () => void openAll().catch(fail) });
sayReady();
