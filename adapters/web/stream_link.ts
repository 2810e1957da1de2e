/**
 * A {@link MessageLink} over `WebSocketStream`, which Chromium has: it can pause, as nothing is read from the
 * network while nobody reads from the stream.
 *
 * @module
 */

import { copyOf } from "../../src/bytes/bytes.ts";
import type {
  LinkFailure,
  MessageHandlers,
  MessageLink,
  OpenMessageLink,
} from "../../src/websocket/message_link.ts";
import { closingError, openingFailed, openingForbidden } from "./failures.ts";
import { type LinkPlace, privateCode } from "./socket_link.ts";
import { type NativeStream, type StreamOpened, webGlobals } from "./types.ts";

/** Above this, what is sent next is lent. */
const BUFFERED_BYTES_MAX = 1_048_576;
/** Messages up to this size are copied. */
const COPIED_BYTES_MAX = 65_536;

/** Opens a `WebSocketStream`. */
export function openStream(place: LinkPlace): OpenMessageLink {
  return (handlers) => new StreamLink(place, handlers);
}

type Reader = ReturnType<StreamOpened["readable"]["getReader"]>;
type Writer = ReturnType<StreamOpened["writable"]["getWriter"]>;

class StreamLink implements MessageLink {
  readonly #place: LinkPlace;
  readonly #handlers: MessageHandlers;
  readonly #stream: NativeStream;
  #reader: Reader | undefined;
  #writer: Writer | undefined;
  #reading = false;
  #paused = false;
  #flushing = false;
  #closed = false;
  /** Bytes whose write has not ended. */
  #bufferedBytes = 0;
  #lent = false;

  constructor(place: LinkPlace, handlers: MessageHandlers) {
    const { address, protocols } = place;
    this.#place = place;
    this.#handlers = handlers;
    try {
      this.#stream = new webGlobals.WebSocketStream!(address, { protocols });
    } catch (cause) {
      throw openingForbidden(address, cause);
    }
    this.#stream.opened.then((opened) => this.#opened(opened), () => {
      this.#lost(openingFailed(address, ""));
    });
    this.#stream.closed.then(
      ({ closeCode, reason }) => this.#lost(closingError(address, closeCode, reason)),
      // Before it was open, the other promise tells.
      () => this.#reader !== undefined && this.#lost(closingError(address, undefined)),
    );
  }

  send(message: Uint8Array): boolean {
    const copied = message.length <= COPIED_BYTES_MAX;
    const bytes = message.length;
    this.#bufferedBytes += bytes;
    // A failed write is told by `closed` as well.
    this.#writer!.write(copied ? copyOf(message) : message).then(() => this.#written(bytes), () => {});
    this.#lent = !copied || this.#bufferedBytes > BUFFERED_BYTES_MAX;
    return !this.#lent;
  }

  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.#read();
  }

  close(mode: "flush" | "abort", failure?: LinkFailure): void {
    if (this.#closed) return;
    if (mode === "flush" && this.#writer !== undefined) {
      this.#flushing = true;
      // What nobody reads would keep the peer's close frame from us.
      this.setPaused(false);
      this.#writer.close().catch(() => {});
      return;
    }
    this.#closed = true;
    const told = failure && { closeCode: privateCode(failure.code), reason: failure.reason };
    this.#stream.close(this.#writer === undefined ? undefined : told);
    this.#place.host.turn(() => this.#handlers.close());
  }

  #opened({ protocol, readable, writable }: StreamOpened): void {
    if (this.#closed) return;
    const { address, http } = this.#place;
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    this.#handlers.open({
      protocol,
      localAddress: webGlobals.location?.origin ?? "",
      remoteAddress: address,
      http: { ...http, protocol },
    });
    this.#read();
  }

  #lost(cause: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.close(cause);
  }

  #written(bytes: number): void {
    this.#bufferedBytes -= bytes;
    if (!this.#lent || this.#closed || this.#bufferedBytes > 0) return;
    this.#lent = false;
    this.#handlers.drain();
  }

  /** Reads until it is paused. */
  #read(): void {
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    this.#reader!.read().then(({ done, value }) => {
      this.#reading = false;
      if (done || this.#closed) return;
      if (!this.#flushing) this.#deliver(value);
      if (!this.#paused) this.#read();
    }, () => {});
  }

  #deliver(value: unknown): void {
    if (value instanceof Uint8Array) this.#handlers.message(value);
    else if (value instanceof ArrayBuffer) this.#handlers.message(new Uint8Array(value));
    else this.#handlers.text();
  }
}
