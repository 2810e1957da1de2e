// hawser in a process of its own, on any runtime: does what `support/peer_process.ts` describes.
import process from "node:process";
import { createInterface } from "node:readline";
import type { PeerRequest } from "./support/peer_process.ts";
import { OwnSpeaker } from "./support/speakers.ts";

const speakers = new Map<string, OwnSpeaker>();

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function open(name: string, speaker: OwnSpeaker): void {
  for (const event of ["handshake", "disconnect", "connect:retry"] as const) {
    speaker.socket.events.on(event, () => say({ event, socket: name }));
  }
  speakers.set(name, speaker);
}

async function carryOut(request: PeerRequest): Promise<unknown> {
  if (request.do === "open") return open(request.socket, new OwnSpeaker(request.type, request.options));
  const speaker = speakers.get(request.socket)!;
  switch (request.do) {
    case "bind":
      return await speaker.bind(request.address);
    case "connect":
      return speaker.connect(request.address);
    case "disconnect":
      return speaker.disconnect(request.address);
    case "send":
      return await speaker.send(request.frames);
    case "receive":
      return await speaker.receive(request.count);
    case "subscribe":
      return speaker.subscribe(request.prefix, request.count);
    case "pour":
    case "drain":
      throw new Error("flows are between libzmq and the test itself");
    case "close":
      speakers.delete(request.socket);
      return await speaker.close();
  }
}

async function answer(request: PeerRequest & { readonly id: number }): Promise<void> {
  try {
    say({ id: request.id, value: await carryOut(request) });
  } catch (error) {
    say({ id: request.id, error: String(error) });
  }
}

const requests = createInterface({ input: process.stdin });
requests.on("line", (line) => void answer(JSON.parse(line) as PeerRequest & { readonly id: number }));
requests.on("close", () => {
  for (const speaker of speakers.values()) speaker.socket.close();
});
