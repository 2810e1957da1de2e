/**
 * Plays engine vectors: one end of a connection, step by step, on a clock that only the vector moves. It does what the
 * driver would do, and records all that leaves.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { concat, copyOf } from "../../src/bytes/bytes.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineEvent } from "../../src/engine/engine_events.ts";
import type { Timings } from "../../src/engine/liveness.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/engine/limits.ts";
import { PendingTotal } from "../../src/engine/pending_chunks.ts";
import type { PeerCode } from "../../src/errors.ts";
import { nullMechanism } from "../../src/zmtp/mechanism/null.ts";
import { Segment } from "../../src/zmtp/segment.ts";
import type { SocketType } from "../../src/zmtp/socket_type.ts";
import { forEachChunking } from "./chunks.ts";
import { bytesOf } from "./notation.ts";
import { splitMessages, type VectorBase } from "./player.ts";

/** What an engine reports, as a vector tells it. */
export type EngineEventFact =
  | {
    readonly ready: {
      readonly socketType: SocketType | null;
      readonly identity: string;
      readonly version: string;
    };
  }
  | { readonly message: readonly string[] }
  | { readonly subscribe: string }
  | { readonly cancel: string }
  | { readonly closed: "local" | "remote" | "peer" | "transport"; readonly error?: PeerCode };

/** One input, and all that it causes. */
export interface EngineStep {
  readonly nowMs?: number;
  readonly in?: string;
  readonly end?: true;
  readonly broken?: true;
  readonly send?: readonly string[];
  readonly subscribe?: string;
  readonly cancel?: string;
  readonly close?: true;
  readonly out?: string;
  readonly events?: readonly EngineEventFact[];
}

/** A whole run. */
export interface EngineVector extends VectorBase {
  readonly play: "engine";
  readonly socket: {
    readonly type: SocketType;
    readonly identity?: string;
    readonly properties?: readonly (readonly [string, string])[];
    readonly timings?: Partial<Timings>;
    readonly limits?: Partial<Limits>;
  };
  readonly steps: readonly EngineStep[];
}

/** Plays a run with the bytes of each step whole, then cut at every size. */
export function playEngine(vector: EngineVector): void {
  const longest = vector.steps.reduce((bytes, step) => Math.max(bytes, bytesOf(step.in ?? "").length), 1);
  forEachChunking(new Uint8Array(longest), (_, chunkBytes) => {
    const played = new PlayedEngine(vector.socket);
    vector.steps.forEach((step, index) => {
      const actual = played.play(step, chunkBytes);
      const expected = { out: bytesOf(step.out ?? ""), events: (step.events ?? []).map(eventOf) };
      assertEquals(actual, expected, `step ${index}, chunks of ${chunkBytes}`);
    });
  });
}

/** All that one step caused. */
export interface Effects {
  readonly out: Uint8Array;
  readonly events: readonly unknown[];
}

/** An engine with a pipe that takes everything, a transport that takes everything, and a clock. */
export class PlayedEngine {
  readonly #engine: Engine;
  readonly #segments: Segment[] = [];
  #nowMs = 0;
  #out: Uint8Array[] = [];
  #events: unknown[] = [];
  #opened = false;
  /** Whether what is still queued may leave: not once the stream itself is over. */
  #writable = true;

  constructor(socket: EngineVector["socket"]) {
    this.#engine = new Engine({
      socketType: socket.type,
      identity: bytesOf(socket.identity ?? ""),
      properties: (socket.properties ?? []).map(([name, value]) => [name, bytesOf(value)] as const),
      mechanism: nullMechanism,
      limits: { ...DEFAULT_LIMITS, ...socket.limits },
      timings: {
        handshakeMs: 0,
        heartbeatIntervalMs: 0,
        heartbeatTimeoutMs: 0,
        heartbeatTtlMs: 0,
        ...socket.timings,
      },
      pendingTotal: new PendingTotal(Infinity),
      random: (into) => into.fill(0),
    });
  }

  /** Plays one step with its bytes cut into chunks of `chunkBytes`. */
  play(step: EngineStep, chunkBytes: number): Effects {
    return this.playBytes(step, bytesOf(step.in ?? ""), chunkBytes);
  }

  /** As {@link play}, with `bytes` instead of the step's own. */
  playBytes(step: EngineStep, bytes: Uint8Array, chunkBytes: number): Effects {
    if (!this.#opened) this.#engine.started(step.nowMs ?? 0);
    this.#opened = true;
    this.#settle();
    if (step.nowMs !== undefined) this.#advance(step.nowMs);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      this.#engine.receive(bytes.slice(at, at + chunkBytes), this.#nowMs);
      this.#settle();
    }
    this.#input(step);
    this.#settle();
    const effects = { out: concat(this.#out), events: this.#events };
    this.#out = [];
    this.#events = [];
    return effects;
  }

  /** Moves the clock, and looks at every deadline on the way at its own time. */
  #advance(nowMs: number): void {
    for (let fired = 0; this.#engine.pollTimeoutMs() <= nowMs; fired++) {
      assert(fired < 1_000, "deadlines must move on");
      this.#nowMs = Math.max(this.#nowMs, this.#engine.pollTimeoutMs());
      this.#engine.handleTimeout(this.#nowMs);
      this.#settle();
    }
    assert(nowMs >= this.#nowMs, "the time of a vector never falls");
    this.#nowMs = nowMs;
  }

  #input(step: EngineStep): void {
    const engine = this.#engine;
    if (step.end) engine.receiveEnd(this.#nowMs);
    if (step.broken) engine.transportFailed(new Error("broken by the vector"), this.#nowMs);
    if (step.subscribe !== undefined) engine.subscribe(bytesOf(step.subscribe), true);
    if (step.cancel !== undefined) engine.subscribe(bytesOf(step.cancel), false);
    if (step.close) engine.close(this.#nowMs);
    if (step.send !== undefined) {
      const segment = new Segment(65_536);
      segment.addMessage(step.send.map(bytesOf));
      this.#segments.push(segment);
    }
  }

  #settle(): void {
    const engine = this.#engine;
    do {
      for (let event = engine.pollEvent(); event !== undefined; event = engine.pollEvent()) {
        this.#record(event);
      }
      this.#transmit();
      if (engine.state === "closing" && !engine.inFlight && !engine.hasOutput) engine.flushed();
    } while (engine.hasEvents);
  }

  #transmit(): void {
    while (this.#writable) {
      const chunks = this.#engine.pollTransmit();
      if (chunks === undefined) return;
      this.#out.push(...chunks.map(copyOf));
      this.#engine.transmitted(true, this.#nowMs);
    }
  }

  #record(event: EngineEvent): void {
    switch (event.type) {
      case "ready": {
        const { socketType, identity, version } = event.peer;
        this.#events.push({ ready: { socketType: socketType ?? null, identity, version } });
        this.#attach();
        break;
      }
      case "closed": {
        const { reason } = event;
        // A peer that broke the rules may still be told so; nobody else is listening.
        this.#writable = reason.kind === "peer";
        this.#events.push({
          closed: reason.kind,
          error: reason.kind === "peer" ? reason.error.code : undefined,
        });
        break;
      }
      default:
        throw new TypeError(`no vector tells of "${event.type}"`);
    }
  }

  #attach(): void {
    const message = (frames: readonly Uint8Array[]): void => {
      this.#events.push({ message: frames.map(copyOf) });
    };
    const segments = this.#segments;
    this.#engine.attach({
      credit: 1_000,
      run: (bytes, start, end) => splitMessages(bytes.subarray(start, end)).forEach(message),
      message,
      subscription: (topic, on) => void this.#events.push(on ? { subscribe: topic } : { cancel: topic }),
      announce: () => {},
    }, {
      get hasSegments() {
        return segments.length > 0;
      },
      presses: false,
      take: () => segments.shift(),
      release: () => {},
      discard: () => {},
    });
    this.#engine.resumeDecoding(this.#nowMs);
  }
}

function eventOf(fact: EngineEventFact): unknown {
  if ("ready" in fact) return { ready: { ...fact.ready, identity: bytesOf(fact.ready.identity) } };
  if ("message" in fact) return { message: fact.message.map(bytesOf) };
  if ("subscribe" in fact) return { subscribe: bytesOf(fact.subscribe) };
  if ("cancel" in fact) return { cancel: bytesOf(fact.cancel) };
  return { closed: fact.closed, error: fact.error };
}
