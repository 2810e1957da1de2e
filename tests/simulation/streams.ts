/**
 * Streams of numbered messages from one socket to another, driven by the test between any two events of the world.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { ReceivingSocket, SendingSocket } from "../../src/socket/socket.ts";
import type { World } from "../support/world.ts";
import { makeMessage, type MessageShape, type Numbered, readMessage } from "./messages.ts";

/** Sends messages 0 … count-1 as far as there is room, in bursts of a size that chance decides. */
export class Source {
  sent = 0;
  readonly #send: (message: Uint8Array[]) => boolean;
  readonly #init: SourceInit;
  #restUntilMs = 0;

  constructor(socket: Pick<SendingSocket, "trySend">, init: SourceInit) {
    const { envelope } = init;
    this.#send = envelope === undefined
      ? (message): boolean => socket.trySend(message)
      : (message): boolean => socket.trySend([...envelope(), ...message]);
    this.#init = init;
  }

  get done(): boolean {
    return this.sent === this.#init.count;
  }

  /** One burst. */
  act(): void {
    const { world, series, count, shape } = this.#init;
    if (world.nowMs < this.#restUntilMs) return;
    for (let left = world.random.size(64); left > 0 && this.sent < count; left--) {
      if (!this.#send(makeMessage(series, this.sent, shape))) return;
      this.sent++;
    }
    if (this.done) return;
    if (count < Infinity) return wake(world);
    // An endless source must let time pass.
    const pauseMs = world.random.pick([1, 10, 100]);
    this.#restUntilMs = world.nowMs + pauseMs;
    world.host.schedule(pauseMs + 1, () => {}, true);
  }
}

/** What a {@link Source} is made of. */
export interface SourceInit {
  readonly world: World;
  readonly count: number;
  readonly series: number;
  readonly shape?: MessageShape;
  /** Frames in front of every message. */
  readonly envelope?: () => readonly Uint8Array[];
}

/** Receives, in bursts and with rests, and reads what it gets. */
export class Sink {
  readonly received: Numbered[] = [];
  readonly #socket: Pick<ReceivingSocket, "tryReceive">;
  readonly #init: SinkInit;
  #restUntil = 0;

  constructor(socket: Pick<ReceivingSocket, "tryReceive">, init: SinkInit) {
    this.#socket = socket;
    this.#init = init;
  }

  /** The numbers of one series, in the order of their arrival. */
  numbersOf(series: number): number[] {
    return this.received.filter((one) => one.series === series).map((one) => one.number);
  }

  /** One burst, unless this is a time of rest. */
  act(): void {
    const { world, shape, restChance = 0, skip = 0, took } = this.#init;
    if (world.eventCount < this.#restUntil) return;
    if (world.random.chance(restChance)) {
      // A rest lasts some events, and ends with time at the latest.
      this.#restUntil = world.eventCount + world.random.size(40);
      world.host.schedule(world.random.upTo(20), () => this.#restUntil = 0, true);
      return;
    }
    for (let left = world.random.size(64); left > 0; left--) {
      const message = this.#socket.tryReceive();
      if (message === undefined) return;
      const numbered = readMessage(message.slice(skip), shape);
      this.received.push(numbered);
      took?.(numbered, message);
    }
    wake(world);
  }
}

/** Sees to it that actors act again, even if nothing else happens: one of them may have more to do. */
export function wake(world: World): void {
  world.host.schedule(0, () => {}, true);
}

/** What a {@link Sink} is made of. */
export interface SinkInit {
  readonly world: World;
  readonly shape?: MessageShape;
  readonly restChance?: number;
  /** Frames in front of every message that are not its own. */
  readonly skip?: number;
  readonly took?: (numbered: Numbered, message: Uint8Array[]) => void;
}

/** A count whose order of magnitude the seed decides. Links that carry a few bytes at a time get less to carry. */
export function drawCount(world: World, countMax: number): number {
  const slow = world.options.link.bufferBytes < 1_000 || world.options.link.splitBytesMax < 10;
  return world.random.size(slow ? Math.ceil(countMax / 6) : countMax);
}

/** Lets everybody act between any two events until `until` holds. */
export function play(
  world: World,
  actors: readonly { act(): void }[],
  until: () => boolean,
  waitingFor: string,
): void {
  world.run(() => {
    for (const actor of actors) actor.act();
    return until();
  }, { waitingFor, withinMs: 1e9 });
}

/** High-water marks as seeds draw them: tiny ones most often, in messages or bytes or both. */
export function drawMarks(world: World): {
  readonly send: { sendHighWaterMark: number; sendHighWaterMarkBytes: number };
  readonly receive: {
    receiveHighWaterMark: number;
    receiveHighWaterMarkBytes: number;
    pendingBytesMax: number;
  };
} {
  const { random } = world;
  const messages = (): number => random.pick([1, 2, 10, 10, 1_000, 0]);
  const bytes = (): number => random.pick([0, 0, 1, 100, 5_000]);
  return {
    send: { sendHighWaterMark: messages(), sendHighWaterMarkBytes: bytes() },
    receive: {
      receiveHighWaterMark: messages(),
      receiveHighWaterMarkBytes: bytes(),
      // A transport that cannot pause closes a peer that runs past the bound: there it must be out of reach.
      pendingBytesMax: world.options.link.canPause ? random.pick([1, 2_000, 50_000, 10_485_760]) : 10_485_760,
    },
  };
}

/** Fails unless a sink got all of a series once and in order. */
export function assertComplete(sink: Sink, series: number, count: number): void {
  const numbers = sink.numbersOf(series);
  for (let index = 0; index < numbers.length; index++) {
    if (numbers[index] !== index) {
      assertEquals(
        numbers[index],
        index,
        `series ${series}: ${numbers.slice(index, index + 5)} after ${index - 1}`,
      );
    }
  }
  assertEquals(numbers.length, count, `series ${series}`);
}
