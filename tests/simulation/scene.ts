/**
 * Sockets in a simulated world, with a tap on everything that they hand to their transports: what was handed over, what
 * arrived, and that nothing is left behind at the end.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { TotalLimits } from "../../src/engine/limits.ts";
import type { Dial, StreamOptions, Transport, TransportFactory, TransportHandlers } from "../../src/ports.ts";
import { Context } from "../../src/socket/context.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { FLAG_COMMAND, FLAG_LONG, FLAG_MORE } from "../../src/zmtp/wire.ts";
import type { World } from "../support/world.ts";

/** What one end of one connection did. */
export class Tap {
  readonly side: "dialled" | "accepted";
  readonly handed: Uint8Array[] = [];
  readonly heard: Uint8Array[] = [];
  /** Lent writes that are not drained yet. */
  lent = 0;
  closed = false;
  pauses = 0;
  #messages: Uint8Array[][] = [];
  #messagesOf = 0;

  constructor(side: "dialled" | "accepted") {
    this.side = side;
  }

  /** Whole messages that were handed to the transport, which may have taken the last ones in part only. */
  get handedMessages(): readonly Uint8Array[][] {
    if (this.#messagesOf !== this.handed.length) this.#messages = messagesIn(this.handed);
    this.#messagesOf = this.handed.length;
    return this.#messages;
  }

  /** Whole messages in what arrived. */
  get heardMessages(): Uint8Array[][] {
    return messagesIn(this.heard);
  }
}

/** A context in a world. */
export class Scene {
  readonly world: World;
  readonly context: Context;
  readonly taps: Tap[] = [];
  readonly #sockets: Socket[] = [];
  readonly #wrap: (transport: Transport) => Transport;

  /** `wrap`: changes the transports, to plant a fault between socket and world. */
  constructor(world: World, options: SceneOptions = {}) {
    this.world = world;
    this.#wrap = options.wrap ?? ((transport): Transport => transport);
    const { wrap: _, streams = (network): TransportFactory => network, ...limits } = options;
    this.context = new Context({
      host: world.host,
      transports: { sim: this.#tapped(streams(world.network)) },
      ...limits,
    });
  }

  /** Remembers a socket for {@link end}. */
  add<Kind extends Socket>(socket: Kind): Kind {
    this.#sockets.push(socket);
    return socket;
  }

  /** Binds and drives until that is done. */
  async bind(socket: Socket, address: string): Promise<void> {
    await this.world.driveTo(socket.bind(address));
  }

  /** Faults stop after so many connections, so that everything comes to an end. */
  calmAfter(links: number): void {
    const { network } = this.world;
    network.onLink = () => {
      if (network.links.length < links) return;
      const calm = { cutBytesMean: 0, silenceBytesMean: 0, refuseChance: 0, blackholeChance: 0 };
      network.links.at(-1)!.configure(calm);
    };
  }

  /** Closes every socket and proves that nothing is left: no stream, no timer, no memory, no hold on the process. */
  async end(options: { readonly lingerMs?: number } = {}): Promise<void> {
    const ended = this.#sockets.map((socket) => {
      if (!socket.closed) (socket as unknown as { linger: number }).linger = options.lingerMs ?? 0;
      return socket[Symbol.asyncDispose]();
    });
    await this.world.driveTo(Promise.all(ended), { waitingFor: "the sockets to be gone" });
    await this.world.driveIdle();
    assertEquals(this.world.holdsProcess, false, "something still keeps the process alive");
    assertEquals(this.world.network.addresses, [], "somebody still listens");
    this.#assertHoldsBalance();
    const { pendingTotal, queuedTotal, receivedTotal, subscriptionsTotal } = this.context.runtime;
    assertEquals(pendingTotal.bytes, 0, "pending memory is not given back");
    assertEquals([queuedTotal.bytes, queuedTotal.queues], [0, 0], "queued memory is not given back");
    assertEquals(
      [receivedTotal.bytes, receivedTotal.queues, receivedTotal.waiting.size],
      [0, 0, 0],
      "received memory is not given back",
    );
    assertEquals(subscriptionsTotal?.bytes ?? 0, 0, "subscriptions are not given back");
    for (const link of this.world.links) assert(link.closed || link.broken, link.describe());
    this.world.assertNoViolations();
    assertEquals(this.world.reported, [], "the application's own code threw");
  }

  /** Whoever let go of the process more often than it held it would take away the hold of another. */
  #assertHoldsBalance(): void {
    const { keepAlive } = this.context.runtime;
    keepAlive.hold();
    keepAlive.hold();
    keepAlive.release();
    keepAlive.settle();
    assertEquals(this.world.keptAlive, true, "the process was let go of too often");
    keepAlive.release();
    keepAlive.settle();
    assertEquals(this.world.keptAlive, false);
  }

  #tapped(network: TransportFactory): TransportFactory {
    return {
      dial: (address: string, options: StreamOptions): Dial =>
        this.#tap(network.dial(address, options), "dialled"),
      listen: (address, options) => {
        const listen = network.listen(address, options);
        return (accept, failed) => listen((attach) => accept(this.#tap(attach, "accepted")), failed);
      },
    };
  }

  #tap(dial: Dial, side: Tap["side"]): Dial {
    return (handlers) => {
      const tap = new Tap(side);
      this.taps.push(tap);
      return this.#wrap(tapTransport(dial(tapHandlers(handlers, tap)), tap));
    };
  }
}

/** What {@link Scene} is made with. */
export interface SceneOptions extends Partial<TotalLimits> {
  readonly wrap?: (transport: Transport) => Transport;
  /** What the sockets use instead of the world's streams: something on top of them. */
  readonly streams?: (network: TransportFactory) => TransportFactory;
}

function tapHandlers(handlers: TransportHandlers, tap: Tap): TransportHandlers {
  return {
    open: (info) => handlers.open(info),
    data: (chunk) => {
      tap.heard.push(chunk.slice());
      handlers.data(chunk);
    },
    drain: () => {
      tap.lent--;
      handlers.drain();
    },
    end: () => handlers.end(),
    close: (cause) => {
      tap.closed = true;
      tap.lent = 0;
      handlers.close(cause);
    },
  };
}

function tapTransport(transport: Transport, tap: Tap): Transport {
  const told = (taken: boolean): boolean => {
    if (!taken) tap.lent++;
    assert(tap.lent <= 1, "more than one write in flight");
    return taken;
  };
  const { writev, pull, setReferenced } = transport;
  return {
    write: (chunk) => {
      tap.handed.push(chunk.slice());
      return told(transport.write(chunk));
    },
    setPaused: (paused) => {
      if (paused) tap.pauses++;
      return transport.setPaused(paused);
    },
    close: (mode) => transport.close(mode),
    ...(writev === undefined ? {} : {
      writev: (chunks: readonly Uint8Array[]): boolean => {
        tap.handed.push(...chunks.map((chunk) => chunk.slice()));
        return told(writev.call(transport, chunks));
      },
    }),
    ...(pull === undefined ? {} : { pull: (): boolean => pull.call(transport) }),
    ...(setReferenced === undefined
      ? {}
      : { setReferenced: (on: boolean) => setReferenced.call(transport, on) }),
  };
}

/** The whole messages in one direction of a connection; greeting and commands are left out. */
export function messagesIn(chunks: readonly Uint8Array[]): Uint8Array[][] {
  const messages: Uint8Array[][] = [];
  let frames: Uint8Array[] = [];
  for (const { flags, body } of framesIn(chunks)) {
    if ((flags & FLAG_COMMAND) !== 0) continue;
    frames.push(body);
    if ((flags & FLAG_MORE) !== 0) continue;
    messages.push(frames);
    frames = [];
  }
  return messages;
}

/** The whole frames behind the greeting. A naive reader of its own, so that it shares no fault with the decoder. */
export function framesIn(
  chunks: readonly Uint8Array[],
): { readonly flags: number; readonly body: Uint8Array }[] {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const stream = new Uint8Array(length);
  let filled = 0;
  for (const chunk of chunks) {
    stream.set(chunk, filled);
    filled += chunk.length;
  }
  const view = new DataView(stream.buffer);
  const frames: { flags: number; body: Uint8Array }[] = [];
  let at = 64;
  while (at + 2 <= length) {
    const flags = stream[at]!;
    const long = (flags & FLAG_LONG) !== 0;
    if (long && at + 9 > length) break;
    const size = long ? Number(view.getBigUint64(at + 1)) : stream[at + 1]!;
    const bodyAt = at + (long ? 9 : 2);
    if (bodyAt + size > length) break;
    frames.push({ flags, body: stream.subarray(bodyAt, bodyAt + size) });
    at = bodyAt + size;
  }
  return frames;
}
