/**
 * Two connected transports in a simulated world.
 *
 * @module
 */

import type { Listener, Transport } from "../../src/ports.ts";
import { dialRecording, RecordingHandlers } from "./recording_handlers.ts";
import type { Link, LinkOptions, World } from "./world.ts";

export type RecordingEnd = RecordingHandlers & { readonly transport: Transport };

export interface Pair {
  readonly link: Link;
  readonly listener: Listener;
  readonly client: RecordingEnd;
  readonly server: RecordingEnd;
}

/** Listens, dials and drives until both ends are open. The listener is closed again. */
export async function makePair(world: World, options: Partial<LinkOptions> = {}): Promise<Pair> {
  const server = new RecordingHandlers();
  const client = new RecordingHandlers();
  const listen = world.network.listen("sim://*", {});
  const listener = await listen((attach) => dialRecording(attach, server), (cause) => {
    throw cause;
  });
  const before = world.network.onLink;
  world.network.onLink = (link) => {
    before?.(link);
    link.configure(options);
  };
  dialRecording(world.network.dial(listener.address, {}), client);
  world.network.onLink = before;
  const link = world.links.at(-1)!;
  await world.drive(() => client.opened && server.opened, { waitingFor: "both ends to open" });
  await listener.close();
  return { link, listener, client: client as RecordingEnd, server: server as RecordingEnd };
}
