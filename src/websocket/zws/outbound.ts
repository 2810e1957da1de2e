/**
 * Reads the ZMTP that our engine writes, in pieces that are cut anywhere, and says message by message what a
 * bridge is to send. Bodies are not copied: they are ranges of the chunks that the engine gave.
 *
 * ```ts ignore
 * outbound.begin(chunk);
 * for (;;) {
 *   switch (outbound.next()) {
 *     case ZWS_DONE: return;      // the chunk is used up; `bodyLeft` > 0: in the middle of a body
 *     case ZWS_MESSAGE: …         // send `flags`, `bodyBytes`; its body begins at chunk[partStart, partEnd)
 *     case ZWS_PART: …            // its body goes on in chunk[partStart, partEnd)
 *     case ZWS_WHOLE: …           // send `flags` and `body`, which is ours
 *     case ZWS_PING: case ZWS_PONG: …  // send a control frame with `body` as its payload
 *     case ZWS_ALIVE: …           // deliver `pongFrame(NO_BYTES)` upward
 *   }
 * }
 * ```
 * In front of each step, if `between` and not `usedUp`: only while `session.sendCredit.maySend`. At each
 * `ZWS_MESSAGE`: `session.sendCredit.begun(bodyBytes)`.
 *
 * @module
 */

import { NO_BYTES, viewOf } from "../../bytes/bytes.ts";
import { commandData } from "../../zmtp/commands.ts";
import { readSize } from "../../zmtp/frame_decoder.ts";
import { FLAG_COMMAND, FLAG_LONG, FLAG_MORE, GREETING_BYTES, LONG_HEADER_BYTES } from "../../zmtp/wire.ts";
import type { ZwsSession } from "./session.ts";
import { ourMetadata, withMetadata } from "./metadata.ts";
import { ZWS_COMMAND, ZWS_LAST } from "./wire.ts";

/** Nothing is left of the chunk. */
export const ZWS_DONE = 0;
/** A message begins. What the chunk has of its body is `[partStart, partEnd)`. */
export const ZWS_MESSAGE = 1;
/** More of the body of the message that has begun. */
export const ZWS_PART = 2;
/** A whole message with `flags` and `body`. */
export const ZWS_WHOLE = 3;
/** A WebSocket PING with the payload `body`. */
export const ZWS_PING = 4;
/** A WebSocket PONG with the payload `body`. */
export const ZWS_PONG = 5;
/**
 * A PING that can reach nobody: neither can the link send one, nor would the peer understand it as a command.
 * Our engine must not take the silence for a lost peer: tell it that the peer is there.
 */
export const ZWS_ALIVE = 6;

/** What {@link ZwsOutbound.next} returns. */
export type OutboundStep = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** The reader of one connection's outgoing bytes. */
export class ZwsOutbound {
  /** The flags byte of the message. */
  flags = 0;
  /** Bytes of its body. */
  bodyBytes = 0;
  /** Bytes of the body that no part has covered yet. */
  bodyLeft = 0;
  /** The part of the body in the chunk. */
  partStart = 0;
  partEnd = 0;
  /** The body of a whole message, or the payload of a control frame. */
  body: Uint8Array = NO_BYTES;
  readonly #session: ZwsSession;
  #chunk: Uint8Array = NO_BYTES;
  #at = 0;
  #greetingLeft = GREETING_BYTES;
  readonly #header = new Uint8Array(LONG_HEADER_BYTES);
  #headerBytes = 0;
  #command: Uint8Array | undefined;
  #commandBytes = 0;
  /** Our READY or INITIATE has not left yet. */
  #handshaking = true;

  constructor(session: ZwsSession) {
    this.#session = session;
  }

  /** Whether the message that began last is complete, so that something else may be sent in between. */
  get between(): boolean {
    return this.bodyLeft === 0;
  }

  /** Whether nothing is left of the chunk: the next step is `ZWS_DONE`. */
  get usedUp(): boolean {
    return this.#at === this.#chunk.length;
  }

  /** Where in the chunk the next step begins. For loops that read whole short frames by themselves. */
  get at(): number {
    return this.#at;
  }

  /**
   * Whether a frame's header begins at {@link at}, or nothing at all: a loop of its own may read on there and
   * tell with {@link skipTo} how far it came, if it leaves commands to {@link next}.
   */
  get atHeader(): boolean {
    return this.bodyLeft === 0 && this.#headerBytes === 0 && this.#command === undefined &&
      this.#greetingLeft === 0;
  }

  /** Whole frames of messages, and no commands, were read up to `at`. */
  skipTo(at: number): void {
    this.#at = at;
  }

  /** The next chunk. The one before it is used up. */
  begin(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
    const skipped = Math.min(this.#greetingLeft, chunk.length);
    this.#greetingLeft -= skipped;
    this.#at = skipped;
  }

  /** Goes on to the next thing to do. */
  next(): OutboundStep {
    for (;;) {
      if (this.bodyLeft > 0) {
        if (this.#at === this.#chunk.length) return this.#done();
        this.#takePart();
        return ZWS_PART;
      }
      if (this.#command === undefined) {
        const header = this.#readHeader();
        if (header === undefined) return this.#done();
        if (header) return ZWS_MESSAGE;
      }
      if (!this.#collect()) return this.#done();
      const step = this.#mapCommand();
      if (step !== ZWS_DONE) return step;
    }
  }

  #done(): OutboundStep {
    this.#chunk = NO_BYTES;
    this.#at = 0;
    return ZWS_DONE;
  }

  /** Reads a header. `true`: a message begins. `false`: a command does. `undefined`: it is not all there. */
  #readHeader(): boolean | undefined {
    const chunk = this.#chunk;
    const at = this.#at;
    const end = chunk.length;
    if (this.#headerBytes === 0 && at + 2 <= end) {
      const flags = chunk[at]!;
      if ((flags & FLAG_LONG) === 0) {
        this.#at = at + 2;
        return this.#begun(flags, chunk[at + 1]!);
      }
      if (at + LONG_HEADER_BYTES <= end) {
        this.#at = at + LONG_HEADER_BYTES;
        return this.#begun(flags, readSize(chunk, at + 1));
      }
    }
    const header = this.#header;
    while (this.#at < end) {
      header[this.#headerBytes++] = chunk[this.#at++]!;
      const long = (header[0]! & FLAG_LONG) !== 0;
      if (this.#headerBytes < (long ? LONG_HEADER_BYTES : 2)) continue;
      this.#headerBytes = 0;
      return this.#begun(header[0]!, long ? readSize(header, 1) : header[1]!);
    }
    return undefined;
  }

  #begun(flags: number, size: number): boolean {
    if ((flags & FLAG_COMMAND) !== 0) {
      this.#command = new Uint8Array(size);
      this.#commandBytes = 0;
      return false;
    }
    this.flags = flags & FLAG_MORE;
    this.bodyBytes = this.bodyLeft = size;
    this.#takePart();
    return true;
  }

  #takePart(): void {
    const start = this.#at;
    const end = Math.min(start + this.bodyLeft, this.#chunk.length);
    this.partStart = start;
    this.partEnd = end;
    this.bodyLeft -= end - start;
    this.#at = end;
  }

  /** Collects a command; `true` when it is whole. Ours are small. */
  #collect(): boolean {
    const command = this.#command!;
    const take = Math.min(command.length - this.#commandBytes, this.#chunk.length - this.#at);
    command.set(viewOf(this.#chunk, this.#at, this.#at + take), this.#commandBytes);
    this.#commandBytes += take;
    this.#at += take;
    return this.#commandBytes === command.length;
  }

  #mapCommand(): OutboundStep {
    const body = this.#command!;
    this.#command = undefined;
    const session = this.#session;
    if (!session.readable) return this.#whole(ZWS_COMMAND, body);
    if (this.#handshaking) {
      const metadata = commandData(body, "READY") ?? commandData(body, "INITIATE");
      if (metadata !== undefined) return this.#mapMetadata(body, metadata);
    }
    const ping = commandData(body, "PING");
    if (ping !== undefined) return this.#mapPing(body, viewOf(ping, 2, ping.length));
    const pong = commandData(body, "PONG");
    if (pong !== undefined) return this.#mapPong(body, pong);
    // Without a handshake there are no commands that the peer would know.
    return session.protocol.bare ? ZWS_DONE : this.#whole(ZWS_COMMAND, body);
  }

  #mapMetadata(body: Uint8Array, metadata: Uint8Array): OutboundStep {
    this.#handshaking = false;
    const session = this.#session;
    const ours = ourMetadata(metadata, session.link.windowBytes);
    session.weAre(ours.socketType);
    if (session.protocol.bare) return this.#whole(ZWS_LAST, ours.identity);
    return this.#whole(ZWS_COMMAND, withMetadata(body, ours.metadata));
  }

  #mapPing(body: Uint8Array, context: Uint8Array): OutboundStep {
    if (this.#session.heartbeatInBand) return this.#whole(ZWS_COMMAND, body);
    if (!this.#session.link.pings) return ZWS_ALIVE;
    this.body = context;
    return ZWS_PING;
  }

  #mapPong(body: Uint8Array, context: Uint8Array): OutboundStep {
    const session = this.#session;
    if (session.pingedInBand || session.heartbeatInBand) return this.#whole(ZWS_COMMAND, body);
    if (!session.link.pings) return ZWS_DONE;
    this.body = context;
    return ZWS_PONG;
  }

  #whole(flags: number, body: Uint8Array): OutboundStep {
    this.flags = flags;
    this.body = body;
    this.bodyBytes = body.length;
    return ZWS_WHOLE;
  }
}
