/**
 * A {@link MessageLink} over the standard `WebSocket`. It cannot pause and sends no PINGs. What it has not
 * sent yet shows in `bufferedAmount`, which nobody announces: above a bound, what was sent last counts as
 * lent, and the amount is looked at until it has fallen.
 *
 * @module
 */

import type { Host } from "../../src/ports.ts";
import type { HttpInfo } from "../../src/transport_options.ts";
import type {
  LinkFailure,
  MessageHandlers,
  MessageLink,
  OpenMessageLink,
} from "../../src/websocket/message_link.ts";
import { closingError, openingFailed, openingForbidden } from "./failures.ts";
import { type NativeSocket, webGlobals } from "./types.ts";

/** Where a link leads. */
export interface LinkPlace {
  readonly address: string;
  /** The sub-protocols to offer. */
  readonly protocols: string[];
  readonly http: Omit<HttpInfo, "protocol">;
  readonly host: Host;
}

/** Above this, nothing more is sent. */
const BUFFERED_BYTES_MAX = 1_048_576;
/** Below this, it is again. */
const BUFFERED_BYTES_LOW = 262_144;
/** First looks come with the next turns of the loop, later ones after this: browsers wait no less. */
const LOOK_MS = 4;
const TURN_LOOKS = 2;

/** Opens a `WebSocket`. */
export function openSocket(place: LinkPlace): OpenMessageLink {
  return (handlers) => new SocketLink(place, handlers);
}

class SocketLink implements MessageLink {
  readonly #place: LinkPlace;
  readonly #handlers: MessageHandlers;
  readonly #socket: NativeSocket;
  #open = false;
  #closed = false;
  /** What the runtime said of a failure. */
  #told = "";
  #looks = 0;

  constructor(place: LinkPlace, handlers: MessageHandlers) {
    this.#place = place;
    this.#handlers = handlers;
    const { WebSocket } = webGlobals;
    if (WebSocket === undefined) throw new Error("This runtime has no global WebSocket");
    let socket: NativeSocket;
    try {
      socket = new WebSocket(place.address, place.protocols);
    } catch (cause) {
      throw openingForbidden(place.address, cause);
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) handlers.message(new Uint8Array(data));
      else handlers.text();
    };
    socket.onerror = ({ message }) => {
      this.#told = message ?? "";
    };
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  send(message: Uint8Array): boolean {
    // What is sent is copied at once, whatever waits.
    this.#socket.send(message);
    if (this.#socket.bufferedAmount <= BUFFERED_BYTES_MAX) return true;
    this.#looks = 0;
    this.#lookLater();
    return false;
  }

  close(mode: "flush" | "abort", failure?: LinkFailure): void {
    if (this.#closed) return;
    if (mode === "flush" && this.#open) return this.#socket.close(1000);
    // A peer that does not answer must not keep us: what it still says is not heard.
    this.#closed = true;
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // An error without a listener is an uncaught one on some runtimes.
    socket.onerror = () => {};
    if (this.#open && failure !== undefined) socket.close(privateCode(failure.code), failure.reason);
    else socket.close();
    this.#place.host.turn(() => this.#handlers.close());
  }

  #opened(): void {
    const { address, http } = this.#place;
    this.#open = true;
    const { protocol } = this.#socket;
    this.#handlers.open({
      protocol,
      localAddress: webGlobals.location?.origin ?? "",
      remoteAddress: address,
      http: { ...http, protocol },
    });
  }

  #lost(code: number | undefined, reason: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    const { address } = this.#place;
    this.#handlers.close(
      this.#open ? closingError(address, code, reason) : openingFailed(address, this.#told),
    );
  }

  #lookLater(): void {
    const look = (): void => this.#look();
    if (this.#looks++ < TURN_LOOKS) this.#place.host.turn(look);
    else this.#place.host.schedule(LOOK_MS, look, true);
  }

  #look(): void {
    if (this.#closed) return;
    if (this.#socket.bufferedAmount > BUFFERED_BYTES_LOW) this.#lookLater();
    else this.#handlers.drain();
  }
}

/** A page may close with codes from 3000 on only. */
export function privateCode(code: number): number {
  return code < 3000 ? code + 3000 : code;
}
