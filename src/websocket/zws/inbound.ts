/**
 * Turns the messages of a peer into the ZMTP that our engine reads. A bridge over bytes streams bodies as
 * they arrive ({@link ZwsInbound.begin}); one over whole messages uses {@link ZwsInbound.deliver}.
 *
 * @module
 */

import { NO_BYTES, readU53, viewOf } from "../../bytes/bytes.ts";
import type { TransportHandlers } from "../../ports.ts";
import { commandData, encodeCommandFrame } from "../../zmtp/commands.ts";
import { frameHeaderBytes, writeFrame, writeFrameHeader } from "../../zmtp/frame_encoder.ts";
import { FLAG_COMMAND, IDENTITY_BYTES_MAX } from "../../zmtp/wire.ts";
import { peerMetadata, readyOfIdentity, withMetadata } from "./metadata.ts";
import type { ZwsSession } from "./session.ts";
import { CREDIT_COMMAND, tooLarge, type Violation, violation, ZWS_COMMAND, ZWS_MORE } from "./wire.ts";

/** The body goes up as it is, behind a header of ZMTP. */
export const INBOUND_PASS = 0;
/** The body is collected whole, and given to {@link ZwsInbound.collected}. */
export const INBOUND_COLLECT = 1;
/** The body is thrown away: a SUB over a link that cannot pause. */
export const INBOUND_DROP = 2;
/** The connection ends; see {@link ZwsInbound.violation}. */
export const INBOUND_REFUSE = 3;

/** What {@link ZwsInbound.begin} returns. */
export type InboundStep = 0 | 1 | 2 | 3;

/** Bytes of a handshake command that are collected at most. Engines have the same bound. */
const HANDSHAKE_BYTES_MAX = 65_536;
/** Longer commands cannot be any that a bridge looks at. */
const COMMAND_BYTES_MAX = 64;
/** Larger bodies go up where they are, in a chunk of their own. */
const VIEW_BYTES_MIN = 16_384;

/** Why a SUB lost messages. */
export const DROPPED_WHY =
  "the application is too slow for a WebSocket that cannot pause, and its peer knows no credit";

/** The reader of one connection's incoming messages. */
export class ZwsInbound {
  /** Set by the first message that is refused. */
  violation: Violation | undefined;
  readonly #session: ZwsSession;
  readonly #frameBytesMax: number;
  /** Whether frames of messages need no look at anything but their size. */
  #plain = false;

  constructor(session: ZwsSession, frameBytesMax: number) {
    this.#session = session;
    this.#frameBytesMax = frameBytesMax;
  }

  /**
   * Whether frames with the flags 00 and 01 within the size limit may be passed on without {@link begin}: the
   * handshake is over, and the link can pause.
   */
  get plain(): boolean {
    return this.#plain;
  }

  /** A message with this flags byte begins. */
  begin(flags: number, bodyBytes: number): InboundStep {
    if (flags > ZWS_COMMAND) return this.#refuse(violation(`a message of ZWS with the flags ${flags}`));
    if (bodyBytes > this.#frameBytesMax) return this.#refuse(tooLarge(bodyBytes, this.#frameBytesMax));
    const session = this.#session;
    if (!session.peerReady && session.readable) return this.#beginHandshake(flags, bodyBytes);
    if (flags === ZWS_COMMAND) {
      if (session.readable && bodyBytes <= COMMAND_BYTES_MAX) return INBOUND_COLLECT;
      const excess = session.receiveFlow.admitCommand(bodyBytes);
      return excess === undefined ? INBOUND_PASS : this.#refuse(excess);
    }
    if (session.receiveFlow.windowBytes === 0) return INBOUND_PASS;
    const admission = session.receiveFlow.admit(bodyBytes, flags === ZWS_MORE);
    if (admission === "take") return INBOUND_PASS;
    return admission === "drop" ? INBOUND_DROP : this.#refuse(admission);
  }

  /** Takes a body for which {@link begin} returned `INBOUND_COLLECT`. Returns the ZMTP for our engine. */
  collected(flags: number, body: Uint8Array): Uint8Array {
    const session = this.#session;
    if (!session.peerReady) return this.#handshake(flags, body);
    const credit = commandData(body, CREDIT_COMMAND);
    if (credit !== undefined) {
      const wrong = credit.length === 8
        ? session.sendCredit.granted(readU53(credit, 0))
        : violation("a CREDIT without a total of 8 bytes");
      if (wrong !== undefined) this.#refuse(wrong);
      return NO_BYTES;
    }
    const excess = session.receiveFlow.admitCommand(body.length);
    if (excess !== undefined) {
      this.#refuse(excess);
      return NO_BYTES;
    }
    if (commandData(body, "PING") !== undefined) session.pingedInBand = true;
    return encodeCommandFrame(body);
  }

  /**
   * Delivers a whole message, `flags body`, to our engine, which owns its memory from then on. Nothing is
   * delivered after a {@link violation}.
   */
  deliver(message: Uint8Array, handlers: TransportHandlers): void {
    if (this.violation !== undefined) return;
    if (message.length === 0) {
      this.#refuse(violation("a message of ZWS without flags"));
      return;
    }
    const flags = message[0]!;
    const bodyBytes = message.length - 1;
    const step = this.begin(flags, bodyBytes);
    if (step === INBOUND_PASS) this.#pass(message, handlers);
    else if (step === INBOUND_COLLECT) {
      const frame = this.collected(flags, viewOf(message, 1, message.length));
      if (frame.length > 0) handlers.data(frame);
    } else if (step === INBOUND_DROP) this.tellDropped(handlers);
  }

  /** Tells how many messages were dropped, if it is time. Call also after a pause has ended. */
  tellDropped(handlers: TransportHandlers): void {
    const count = this.#session.receiveFlow.takeDropped();
    if (count > 0) handlers.dropped?.(count, DROPPED_WHY);
  }

  #pass(message: Uint8Array, handlers: TransportHandlers): void {
    const flags = zmtpFlags(message[0]!);
    const body = viewOf(message, 1, message.length);
    if (body.length >= VIEW_BYTES_MIN) {
      const header = new Uint8Array(9);
      writeFrameHeader(header, 0, flags, body.length);
      handlers.data(header);
      handlers.data(body);
      return;
    }
    const frame = new Uint8Array(frameHeaderBytes(body.length) + body.length);
    writeFrame(frame, 0, flags, body);
    handlers.data(frame);
  }

  #beginHandshake(flags: number, bodyBytes: number): InboundStep {
    if (this.#session.protocol.bare) {
      if (flags !== 0) return this.#refuse(violation("ZWS2.0 begins with an identity, flags 00"));
      if (bodyBytes > IDENTITY_BYTES_MAX) {
        return this.#refuse(violation(`an identity of ${bodyBytes} bytes, more than ${IDENTITY_BYTES_MAX}`));
      }
      return INBOUND_COLLECT;
    }
    if (flags !== ZWS_COMMAND) return this.#refuse(violation("a message before the end of the handshake"));
    if (bodyBytes > HANDSHAKE_BYTES_MAX) return this.#refuse(tooLarge(bodyBytes, HANDSHAKE_BYTES_MAX));
    return INBOUND_COLLECT;
  }

  #handshake(_flags: number, body: Uint8Array): Uint8Array {
    const session = this.#session;
    if (session.protocol.bare) {
      const ready = readyOfIdentity(body, session.socketType);
      session.peerIs(undefined);
      this.#settlePlain();
      return encodeCommandFrame(ready);
    }
    const metadata = commandData(body, "READY") ?? commandData(body, "INITIATE");
    if (metadata === undefined) return encodeCommandFrame(body);
    const peer = peerMetadata(metadata);
    const wrong = session.peerIs(peer.windowBytes);
    if (wrong !== undefined) {
      this.#refuse(wrong);
      return NO_BYTES;
    }
    this.#settlePlain();
    return encodeCommandFrame(withMetadata(body, peer.metadata));
  }

  #settlePlain(): void {
    this.#plain = this.#session.receiveFlow.windowBytes === 0;
  }

  #refuse(wrong: Violation): InboundStep {
    this.violation = wrong;
    return INBOUND_REFUSE;
  }
}

/** The flags of ZMTP for those of ZWS. */
export function zmtpFlags(flags: number): number {
  return flags === ZWS_COMMAND ? FLAG_COMMAND : flags;
}
