/**
 * A WebSocket of `Deno.upgradeWebSocket` as a link. It cannot pause and sends no PINGs. What it has not sent
 * yet shows in `bufferedAmount`, which nobody announces: above a bound it is looked at until it has fallen.
 *
 * @module
 */

import type { LinkFailure, MessageHandlers, MessageLinkInfo } from "../../src/websocket/message_link.ts";
import { host } from "../shared_host.ts";
import { closeCause, type ServedLink } from "./served_link.ts";
import type { DenoSocketLike } from "./types.ts";

/** Above this, nothing more is sent. */
const BUFFERED_BYTES_MAX = 1_048_576;
/** Below this, it is again. */
const BUFFERED_BYTES_LOW = 262_144;
/** First looks come with the next turns of the loop, later ones after this. */
const LOOK_MS = 1;
const TURN_LOOKS = 8;
/** RFC 6455 §7.4.1: no code that may be sent says that a connection was cut, and Deno cannot cut one. */
const CLOSE_ABNORMAL = 1006;
/** What Deno takes in one message. */
const MESSAGE_BYTES_MAX = 67_108_864;

/** Codes of RFC 6455 but 1000 are refused by Deno; those from 3000 on are the applications'. */
function privateCode(code: number): number {
  return code < 3000 ? code + 3000 : code;
}

/** See the module. */
export class DenoLink implements ServedLink<DenoSocketLike> {
  handlers: MessageHandlers | undefined;
  info: MessageLinkInfo | undefined;
  abandoned: () => void = () => {};
  #socket: DenoSocketLike | undefined;
  #open = false;
  #closed = false;
  #closing = false;
  /** What the runtime said of a failure. */
  #told = "";
  #looks = 0;

  send(message: Uint8Array): boolean {
    const socket = this.#socket!;
    // What is sent is copied at once, whatever waits.
    socket.send(message);
    if (socket.bufferedAmount <= BUFFERED_BYTES_MAX) return true;
    this.#looks = 0;
    this.#lookLater();
    return false;
  }

  close(mode: "flush" | "abort", failure?: LinkFailure): void {
    if (this.#closed) return;
    this.#closing = true;
    const socket = this.#socket;
    if (mode === "flush" && this.#open) return socket!.close(1000);
    this.#closed = true;
    if (socket === undefined) {
      this.abandoned();
    } else {
      // A peer that does not answer must not keep us: what it still says is not heard.
      socket.onopen = this.#open ? null : () => socket.close();
      socket.onmessage = socket.onclose = null;
      socket.onerror = () => {};
      if (this.#open) socket.close(privateCode(failure?.code ?? CLOSE_ABNORMAL), failure?.reason);
    }
    host.turn(() => this.handlers!.close());
  }

  switched(socket: DenoSocketLike): void {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#open = true;
      this.handlers!.open(this.info!);
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.handlers!.message(new Uint8Array(data));
      else this.handlers!.text();
    };
    socket.onerror = ({ message }) => {
      this.#told = message ?? "";
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#closed) return;
      this.#closed = true;
      const said = reason === "" ? this.#told : reason;
      const fact = { code, reason: said, bytesMax: MESSAGE_BYTES_MAX };
      this.handlers!.close(this.#closing ? undefined : closeCause(this.info!, fact));
    };
  }

  refused(cause: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    host.turn(() => this.handlers!.close(cause));
  }

  #lookLater(): void {
    const look = (): void => this.#look();
    if (this.#looks++ < TURN_LOOKS) host.turn(look);
    else host.schedule(LOOK_MS, look, true);
  }

  #look(): void {
    if (this.#closed) return;
    if (this.#socket!.bufferedAmount > BUFFERED_BYTES_LOW) this.#lookLater();
    else this.handlers!.drain();
  }
}
