/**
 * WebSocket over a byte stream as a transport of ZMTP: a bridge wrapped round the `Dial` of the stream below.
 * Upward it keeps the contract of src/ports.ts for transports; downward it keeps the core's side of it.
 *
 * - **Opening**: the HTTP upgrade (opening.ts) comes first. Our engine hears `open` when it is done, and then
 *   the greeting that the peer would have sent.
 * - **Out**: the engine's chunk becomes frames in an output buffer. If the stream keeps that buffer, the
 *   engine's chunk counts as lent until all of it was written. Control frames go between frames, before what
 *   the engine sends next.
 * - **In**: a chunk is unmasked and becomes ZMTP where it is (frame_decoder.ts).
 * - **Closing**: a close frame behind what was begun, then the stream's end. Ours answers the peer's.
 *
 * @module
 */

import { NO_BYTES } from "../bytes/bytes.ts";
import type { PeerError } from "../errors.ts";
import type { Dial, Transport, TransportHandlers, TransportInfo } from "../ports.ts";
import { next } from "../state_table.ts";
import type { BridgeSetup } from "./bridge_setup.ts";
import { decodeClose, encodeClose, failureOf } from "./close_frame.ts";
import { FrameDecoder, type FrameDecoderSink } from "./frame_decoder.ts";
import { FrameEncoder } from "./frame_encoder.ts";
import { FrameSender, type FrameSenderOwner } from "./frame_sender.ts";
import { fragmentsTotalOf } from "./fragments.ts";
import { maskKeysOf } from "./mask.ts";
import type { Opened, Opening, OpeningStream } from "./opening.ts";
import { SOCKET_TRANSITIONS, type SocketInput, type SocketState } from "./states.ts";
import { ZwsInbound } from "./zws/inbound.ts";
import { ZwsOutbound } from "./zws/outbound.ts";
import { ZwsSession } from "./zws/session.ts";
import {
  CLOSE_NORMAL,
  parseProtocol,
  peerGreeting,
  pongFrame,
  type Violation,
  violation,
  type ZwsProtocol,
} from "./zws/wire.ts";

/** Milliseconds that the stream may take to end after we closed it because of the peer. */
const CLOSE_MS = 1_000;

/** What a stream can do: it pauses, and its frames include PING and PONG. */
const SERVER = { pings: true, windowBytes: 0 } as const;
const CLIENT = { ...SERVER, sparesServers: true } as const;

/**
 * Makes a transport of ZMTP of the stream that `raw` opens. `opening` is used for this one connection. The
 * transport ends with a `PeerError` as its cause if the peer breaks RFC 6455 or RFC 45 (`ERR_WEBSOCKET`,
 * `ERR_PEER_FRAME_SIZE`), closes with a failure (`ERR_WEBSOCKET`), or the upgrade fails (what `opening`
 * says).
 */
export function bridgeStream(raw: Dial, opening: Opening, setup: BridgeSetup): Dial {
  return (handlers) => new StreamBridge(raw, opening, setup, handlers);
}

class StreamBridge implements Transport, FrameDecoderSink, FrameSenderOwner {
  readonly #setup: BridgeSetup;
  readonly #handlers: TransportHandlers;
  readonly #opening: Opening;
  readonly #raw: Transport;
  readonly #sender: FrameSender;
  #state: SocketState = "dialing";
  #info: TransportInfo | undefined;
  /** These two are made when the upgrade is done. */
  #session: ZwsSession | undefined;
  #decoder: FrameDecoder | undefined;
  /** What the stream told while a chunk was read, and waits for its turn. */
  readonly #arrived: Uint8Array[] = [];
  #reading = false;
  #endArrived = false;
  #closeArrived: { readonly cause: unknown } | undefined;
  /** Why the connection ends, if it is the peer's doing. */
  #cause: PeerError | undefined;
  /** Of the next PING, or of the time that the peer has to take our close frame. */
  #cancelTimer: (() => void) | undefined;

  constructor(raw: Dial, opening: Opening, setup: BridgeSetup, handlers: TransportHandlers) {
    this.#setup = setup;
    this.#handlers = handlers;
    this.#opening = opening;
    this.#raw = raw({
      open: (info) => this.#opened(info),
      data: (chunk) => this.#received(chunk),
      bodyMemory: () => this.#bodyMemory(),
      drain: () => this.#sender.drained(),
      end: () => this.#ended(),
      close: (cause) => this.#closed(cause),
    });
    this.#sender = new FrameSender(this, this.#raw, setup.host);
  }

  // What our engine's driver calls.

  write(chunk: Uint8Array): boolean {
    return this.#sender.send([chunk]);
  }

  writev(chunks: readonly Uint8Array[]): boolean {
    return this.#sender.send(chunks);
  }

  setPaused(paused: boolean): boolean {
    return this.#raw.setPaused(paused);
  }

  pull(): boolean {
    return this.#raw.pull?.() ?? false;
  }

  setReferenced(on: boolean): void {
    this.#raw.setReferenced?.(on);
  }

  close(mode: "flush" | "abort"): void {
    if (mode === "abort") return this.#abort();
    if (this.#state !== "open" && this.#state !== "left") return;
    this.#go("leave");
    this.#endInput();
    this.#sender.finish(encodeClose(CLOSE_NORMAL), false);
  }

  // What the stream below reports.

  #opened(info: TransportInfo): void {
    if (this.#state !== "dialing") return;
    this.#go("opened");
    this.#info = info;
    const stream: OpeningStream = {
      write: (bytes) => void (this.#state === "upgrading" && this.#sender.upgrade(bytes)),
      done: (opened) => this.#upgraded(opened),
      fail: (error) => this.#refused(error),
    };
    this.#opening.start(stream, info);
  }

  /** Takes a chunk. Those that arrive while one is read, from inside a call of ours, wait for it. */
  #received(chunk: Uint8Array): void {
    if (this.#reading) return void this.#arrived.push(chunk);
    this.#reading = true;
    this.#read(chunk);
    for (let next = this.#arrived.shift(); next !== undefined; next = this.#arrived.shift()) this.#read(next);
    this.#reading = false;
    if (this.#endArrived) this.#ended();
    if (this.#closeArrived !== undefined) this.#closed(this.#closeArrived.cause);
  }

  #read(chunk: Uint8Array): void {
    if (this.#state === "upgrading") return this.#opening.receive(chunk);
    if (this.#state !== "open") return;
    this.#decoder!.receive(chunk);
    // PINGs, or credit, may have been among it.
    if (this.#sender.waits) this.#sender.resume();
  }

  #bodyMemory(): Uint8Array | undefined {
    const bodyLeft = this.#decoder?.bodyLeft ?? 0;
    if (bodyLeft === 0 || this.#reading) return undefined;
    const memory = this.#handlers.bodyMemory?.();
    return memory !== undefined && memory.length <= bodyLeft ? memory : undefined;
  }

  #ended(): void {
    this.#endArrived = this.#reading;
    if (this.#reading) return;
    if (this.#state === "upgrading") return this.#opening.ended();
    if (this.#state === "open") this.#peerLeft();
  }

  #closed(cause: unknown): void {
    if (this.#state === "gone") return;
    if (this.#reading) {
      this.#sender.stop();
      this.#closeArrived = { cause };
      return;
    }
    const upgrading = this.#state === "upgrading";
    this.#go("gone");
    this.#stop();
    if (upgrading) this.#opening.abandoned();
    this.#handlers.close(this.#cause ?? cause);
  }

  // What the upgrade does.

  #upgraded(opened: Opened): void {
    if (this.#state !== "upgrading") return;
    const protocol = parseProtocol(opened.protocol);
    if (protocol === undefined) {
      return this.#refused(violation(`"${opened.protocol}" is no sub-protocol of ZWS 2.0`).error);
    }
    this.#begin(protocol);
    this.#go("upgraded");
    this.#armPing(this.#setup.pingIntervalMs);
    const info = this.#info!;
    const { http, localAddress = info.localAddress, remoteAddress = info.remoteAddress, rest } = opened;
    this.#handlers.open({ ...info, localAddress, remoteAddress, http });
    this.data(peerGreeting(protocol));
    if (rest.length === 0) return;
    // Ahead of what has arrived since.
    if (this.#reading) this.#arrived.unshift(rest);
    else this.#received(rest);
  }

  #refused(error: PeerError): void {
    if (this.#state !== "upgrading") return;
    this.#cause = error;
    this.#endForPeer(undefined);
  }

  /** Makes the machines of an open WebSocket. */
  #begin(protocol: ZwsProtocol): void {
    const { role, frameBytesMax, host } = this.#setup;
    const session = new ZwsSession(protocol, role === "client" ? CLIENT : SERVER);
    const outbound = new ZwsOutbound(session);
    const keys = role === "client" ? maskKeysOf(host) : undefined;
    this.#session = session;
    this.#decoder = new FrameDecoder(this, {
      masked: role === "server",
      inbound: new ZwsInbound(session, frameBytesMax),
      frameBytesMax,
      fragmentsTotal: fragmentsTotalOf(host),
      memory: (bytes) => host.memory?.(bytes) ?? new Uint8Array(bytes),
    });
    this.#sender.upgraded(new FrameEncoder(outbound, session.sendCredit, keys));
  }

  // What the decoder finds.

  data(chunk: Uint8Array): void {
    if (this.#state === "open") this.#handlers.data(chunk);
  }

  ping(payload: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#sender.pong(payload);
    this.#alive(NO_BYTES);
  }

  pong(payload: Uint8Array): void {
    this.#alive(payload);
  }

  closed(payload: Uint8Array): void {
    if (this.#state !== "open") return;
    const told = decodeClose(payload);
    if ("error" in told) return this.violated(told);
    const answer = encodeClose(told.code);
    this.#cause = failureOf(told);
    if (this.#cause !== undefined) return this.#endForPeer(answer);
    this.#peerLeft(answer);
  }

  violated(why: Violation): void {
    if (this.#state !== "open") return;
    this.#cause = why.error;
    this.#endForPeer(encodeClose(why.closeCode, why.error.message));
  }

  /** Tells our engine that the peer is there, and what it answers. */
  #alive(context: Uint8Array): void {
    const session = this.#session!;
    if (session.established && session.readable) this.data(pongFrame(context));
  }

  // Closing.

  /** The peer sends no more. `answer`: to its close frame. */
  #peerLeft(answer?: Uint8Array): void {
    this.#go("peerLeft");
    this.#endInput();
    if (answer !== undefined) this.#sender.finish(answer, true);
    this.#handlers.end();
  }

  /** Ends the connection without our engine, which hears why when the stream has closed. */
  #endForPeer(close: Uint8Array | undefined): void {
    this.#go("leave");
    this.#endInput();
    this.#cancelTimer = this.#setup.host.schedule(CLOSE_MS, () => this.#abort(), false);
    this.#sender.finish(close, true);
  }

  #endInput(): void {
    if (this.#decoder !== undefined) this.#decoder.stopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  // What the sender reports.

  sent(): void {
    this.#handlers.drain();
  }

  finished(complete: boolean): void {
    if (!complete) return this.#abort();
    this.#go("finished");
    this.#raw.close("flush");
  }

  #abort(): void {
    if (this.#state === "cut" || this.#state === "gone") return;
    const upgrading = this.#state === "upgrading";
    this.#go("abort");
    this.#stop();
    if (upgrading) this.#opening.abandoned();
    if (this.#closeArrived === undefined) this.#raw.close("abort");
  }

  #stop(): void {
    this.#endInput();
    this.#sender.stop();
    this.#decoder?.release();
  }

  // PINGs that keep the connection from looking idle.

  #armPing(delayMs: number): void {
    if (this.#setup.pingIntervalMs > 0) {
      this.#cancelTimer = this.#setup.host.schedule(delayMs, () => this.#pingDue(), false);
    }
  }

  #pingDue(): void {
    this.#cancelTimer = undefined;
    if (this.#state !== "open") return;
    const { pingIntervalMs, host } = this.#setup;
    const idleMs = host.nowMs() - this.#sender.lastSentMs;
    // Timers may come a little early; then the PING does, too.
    if (idleMs < 0.9 * pingIntervalMs) return this.#armPing(pingIntervalMs - idleMs);
    this.#armPing(pingIntervalMs);
    if (!this.#sender.busy) this.#sender.ping(NO_BYTES);
  }

  #go(input: SocketInput): void {
    this.#state = next(SOCKET_TRANSITIONS, this.#state, input);
  }
}
