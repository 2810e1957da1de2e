/**
 * The bridge over a native WebSocket, which sends and receives whole messages: to our engine it is a stream
 * of ZMTP, to the peer it is ZWS 2.0 (zws/wire.ts). The bridge over bytes is stream_bridge.ts.
 *
 * @module
 */

import { NO_BYTES, viewOf } from "../bytes/bytes.ts";
import type { PeerError } from "../errors.ts";
import type { Dial, Transport, TransportHandlers } from "../ports.ts";
import type { BridgeSetup } from "./bridge_setup.ts";
import type { MessageLink, MessageLinkInfo, OpenMessageLink } from "./message_link.ts";
import { RECEIVE_WINDOW_BYTES } from "./zws/flow.ts";
import { ZwsInbound } from "./zws/inbound.ts";
import {
  ZWS_ALIVE,
  ZWS_DONE,
  ZWS_MESSAGE,
  ZWS_PART,
  ZWS_PING,
  ZWS_WHOLE,
  ZwsOutbound,
} from "./zws/outbound.ts";
import { ZwsSession } from "./zws/session.ts";
import {
  CLOSE_UNSUPPORTED,
  encodeCredit,
  parseProtocol,
  peerGreeting,
  pongFrame,
  type Violation,
  violation,
  ZWS_COMMAND,
} from "./zws/wire.ts";

/** Makes a native WebSocket a stream of ZMTP. */
export function bridgeLink(open: OpenMessageLink, setup: BridgeSetup): Dial {
  return (handlers) => {
    const bridge = new LinkBridge(handlers, setup);
    bridge.use(open({
      open: (info) => bridge.opened(info),
      message: (bytes) => bridge.message(bytes),
      text: () => bridge.text(),
      drain: () => bridge.drained(),
      pong: (payload) => bridge.pong(payload),
      close: (cause) => bridge.closed(cause),
    }));
    return bridge;
  };
}

/** What fits a close frame (RFC 6455 §5.5). Our messages are ASCII. */
const REASON_LENGTH_MAX = 123;
/** Messages up to this size are written into the same memory one after another. */
const SCRATCH_BYTES = 65_536;

/**
 * One connection. What the engine writes is read message by message; a message leaves when it is whole, the
 * link took the one before it, and the peer's credit allows it. Until the end of a chunk has left, the chunk
 * is lent.
 */
class LinkBridge implements Transport {
  readonly #handlers: TransportHandlers;
  readonly #setup: BridgeSetup;
  #link: MessageLink | undefined;
  /** Set when the link is open. */
  #session: ZwsSession | undefined;
  #inbound: ZwsInbound | undefined;
  #outbound: ZwsOutbound | undefined;
  /** Memory for small messages; `undefined` while it is lent to the link. */
  #scratch: Uint8Array | undefined;
  /** The message that is being collected, or waits for credit, and how much of it is there. */
  #message: Uint8Array | undefined;
  #filled = 0;
  /** Whether the link has all that it takes at present. */
  #blocked = false;
  #chunk: Uint8Array = NO_BYTES;
  /** Whether the engine's chunk is lent. */
  #lent = false;
  #closing: "flush" | "abort" | undefined;
  #over = false;
  /** Why we ended the connection, if that was the peer's fault. */
  #failure: PeerError | undefined;
  #cancelPing: (() => void) | undefined;
  /** Whether something was sent since the last look. */
  #busy = false;

  constructor(handlers: TransportHandlers, setup: BridgeSetup) {
    this.#handlers = handlers;
    this.#setup = setup;
  }

  /** Takes the link, which calls nothing before that. */
  use(link: MessageLink): void {
    this.#link = link;
  }

  // What the engine asks.

  write(chunk: Uint8Array): boolean {
    this.#chunk = chunk;
    this.#outbound!.begin(chunk);
    this.#lent = !this.#send();
    return !this.#lent;
  }

  setPaused(paused: boolean): boolean {
    const link = this.#link!;
    if (link.setPaused !== undefined) {
      link.setPaused(paused);
      return true;
    }
    const { receiveFlow } = this.#session!;
    const holds = receiveFlow.setPaused(paused);
    if (!paused && !this.#over) {
      this.#inbound!.tellDropped(this.#handlers);
      this.#grant();
    }
    return holds;
  }

  close(mode: "flush" | "abort"): void {
    if (this.#over || this.#closing === "abort" || this.#closing === mode) return;
    this.#closing = mode;
    // A lent chunk leaves first.
    if (mode === "abort" || !this.#lent) this.#link!.close(mode);
  }

  setReferenced(on: boolean): void {
    this.#link!.setReferenced?.(on);
  }

  // What the link reports.

  opened(info: MessageLinkInfo): void {
    if (this.#closing !== undefined) return;
    const protocol = parseProtocol(info.protocol);
    if (protocol === undefined) {
      const told = info.protocol === "" ? "none" : `"${info.protocol}"`;
      return this.#fail(
        violation(`of the sub-protocols of ZeroMQ (ZWS2.0) it chose ${told}: it is no ZeroMQ socket`),
      );
    }
    const link = this.#link!;
    const session = new ZwsSession(protocol, {
      pings: link.ping !== undefined,
      windowBytes: link.setPaused === undefined ? RECEIVE_WINDOW_BYTES : 0,
    });
    this.#session = session;
    this.#inbound = new ZwsInbound(session, this.#setup.frameBytesMax);
    this.#outbound = new ZwsOutbound(session);
    if (link.ping !== undefined && this.#setup.pingIntervalMs > 0) this.#pingLater();
    const { localAddress, remoteAddress, http } = info;
    this.#handlers.open({ localAddress, remoteAddress, http });
    this.#handlers.data(peerGreeting(protocol));
  }

  message(bytes: Uint8Array): void {
    if (this.#over || this.#closing !== undefined) return;
    const inbound = this.#inbound!;
    inbound.deliver(bytes, this.#handlers);
    if (inbound.violation !== undefined) return this.#fail(inbound.violation);
    this.#grant();
    // The message may have been credit.
    if (this.#lent && !this.#blocked) this.#resume();
  }

  text(): void {
    if (this.#over || this.#closing !== undefined) return;
    this.#fail(violation("a text message, which ZeroMQ over WebSocket does not have", CLOSE_UNSUPPORTED));
  }

  drained(): void {
    this.#blocked = false;
    if (this.#over || this.#closing === "abort") return;
    this.#grant();
    if (this.#lent && !this.#blocked) this.#resume();
  }

  pong(payload: Uint8Array): void {
    if (this.#over || this.#closing !== undefined) return;
    const { established, readable } = this.#session!;
    if (established && readable) this.#handlers.data(pongFrame(payload));
  }

  closed(cause?: unknown): void {
    if (this.#over) return;
    // A peer that closes in order has ended, too. What we still had to send is lost: it hears nothing more.
    const ended = cause === undefined && this.#closing === undefined && this.#session !== undefined;
    if (ended) this.#handlers.end();
    this.#over = true;
    this.#cancelPing?.();
    this.#handlers.close(this.#failure ?? cause);
  }

  // Sending

  /** Goes on with the lent chunk. */
  #resume(): void {
    if (!this.#send()) return;
    this.#lent = false;
    if (this.#closing === "flush") this.#link!.close("flush");
    this.#handlers.drain();
  }

  /** Sends what the chunk has. Returns whether all of it was used. */
  #send(): boolean {
    const outbound = this.#outbound!;
    for (;;) {
      if (this.#blocked) return false;
      if (this.#message !== undefined && this.#filled === this.#message.length && !this.#sendMessage()) {
        return false;
      }
      switch (outbound.next()) {
        case ZWS_DONE:
          this.#chunk = NO_BYTES;
          return true;
        case ZWS_MESSAGE:
          this.#begin(outbound.flags, outbound.bodyBytes);
          this.#collect(outbound);
          break;
        case ZWS_PART:
          this.#collect(outbound);
          break;
        case ZWS_WHOLE:
          this.#hand(withFlags(outbound.flags, outbound.body));
          break;
        case ZWS_PING:
          this.#link!.ping!(outbound.body);
          break;
        case ZWS_ALIVE:
          this.#setup.host.turn(() => this.pong(NO_BYTES));
          break;
      }
    }
  }

  #begin(flags: number, bodyBytes: number): void {
    const bytes = 1 + bodyBytes;
    if (bytes <= SCRATCH_BYTES) {
      this.#scratch ??= new Uint8Array(SCRATCH_BYTES);
      this.#message = viewOf(this.#scratch, 0, bytes);
    } else {
      this.#message = new Uint8Array(bytes);
    }
    this.#message[0] = flags;
    this.#filled = 1;
  }

  #collect({ partStart, partEnd }: ZwsOutbound): void {
    this.#message!.set(viewOf(this.#chunk, partStart, partEnd), this.#filled);
    this.#filled += partEnd - partStart;
  }

  /** Sends the collected message, if the peer's credit allows it. */
  #sendMessage(): boolean {
    const { sendCredit } = this.#session!;
    if (!sendCredit.maySend) return false;
    const message = this.#message!;
    this.#message = undefined;
    sendCredit.begun(message.length - 1);
    this.#hand(message);
    return true;
  }

  #hand(message: Uint8Array): void {
    this.#busy = true;
    if (this.#link!.send(message)) return;
    this.#blocked = true;
    // It may be the memory that is lent.
    this.#scratch = undefined;
  }

  /** Grants what was used. Commands wait for no credit of ours. */
  #grant(): void {
    if (this.#blocked || this.#closing !== undefined) return;
    const total = this.#session!.receiveFlow.takeGrant();
    if (total >= 0) this.#hand(withFlags(ZWS_COMMAND, encodeCredit(total)));
  }

  #pingLater(): void {
    const { host, pingIntervalMs } = this.#setup;
    this.#cancelPing = host.schedule(pingIntervalMs, () => {
      if (!this.#busy && this.#closing === undefined) this.#link!.ping!(NO_BYTES);
      this.#busy = false;
      this.#pingLater();
    }, false);
  }

  /** Ends the connection through the peer's fault. */
  #fail({ error, closeCode }: Violation): void {
    if (this.#over) return;
    this.#closing = "abort";
    this.#failure = error;
    this.#link!.close("abort", { code: closeCode, reason: error.message.substring(0, REASON_LENGTH_MAX) });
  }
}

function withFlags(flags: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + body.length);
  message[0] = flags;
  message.set(body, 1);
  return message;
}
