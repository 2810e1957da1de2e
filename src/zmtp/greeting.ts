/**
 * The first 64 bytes in each direction (RFC 37 "greeting"). We send all of them at once: a peer that waits
 * for the other's version before it sends its own would deadlock with one that does the same.
 *
 * @module
 */

import { asciiBytes, asciiText, printableText } from "../bytes/bytes.ts";
import { assert } from "../assert.ts";
import { PeerError } from "../errors.ts";
import {
  AS_SERVER_AT,
  GREETING_BYTES,
  MAJOR_AT,
  MECHANISM_AT,
  MECHANISM_BYTES,
  MINOR_AT,
  SIGNATURE_FIRST,
  SIGNATURE_LAST,
  SIGNATURE_LAST_AT,
  VERSION_MAJOR,
  VERSION_MINOR,
} from "./wire.ts";

/** The content of a greeting. */
export interface Greeting {
  /** At least 3. A peer with a higher version is treated as 3.1. */
  readonly major: number;
  readonly minor: number;
  /** The name without its zero padding; two names are equal exactly when all 20 bytes are. */
  readonly mechanism: string;
  /** Unreliable: libzmq sends `false` for PLAIN and CURVE servers too. */
  readonly asServer: boolean;
}

/** The content of our own greeting. */
export interface GreetingOptions {
  /** 1 to 20 ASCII characters. */
  readonly mechanism: string;
  readonly asServer: boolean;
  /** The minor version to announce. Default: ours; a test that plays an older peer sets it. */
  readonly minor?: number;
}

/** Encodes our whole greeting, 64 bytes. */
export function encodeGreeting(options: GreetingOptions): Uint8Array {
  const name = asciiBytes(options.mechanism);
  assert(name.length >= 1 && name.length <= MECHANISM_BYTES, "a mechanism's name has 1 to 20 characters");
  const greeting = new Uint8Array(GREETING_BYTES);
  greeting[0] = SIGNATURE_FIRST;
  greeting[SIGNATURE_LAST_AT] = SIGNATURE_LAST;
  greeting[MAJOR_AT] = VERSION_MAJOR;
  greeting[MINOR_AT] = options.minor ?? VERSION_MINOR;
  greeting.set(name, MECHANISM_AT);
  greeting[AS_SERVER_AT] = options.asServer ? 1 : 0;
  return greeting;
}

/**
 * Reads a peer's greeting from chunks of any size and keeps at most 64 bytes. It decides as early as the
 * bytes allow: an old version is refused at the first byte that reveals it. Padding, filler and the as-server
 * flag are never checked.
 *
 * After an error or the 64th byte it consumes nothing: what follows a greeting belongs to the first frame.
 */
export class GreetingDecoder {
  readonly #bytes = new Uint8Array(GREETING_BYTES);
  #count = 0;
  #result: Greeting | undefined;
  #error: PeerError | undefined;

  /** Set once all 64 bytes have arrived. */
  get result(): Greeting | undefined {
    return this.#result;
  }

  /** Set once it is clear that we cannot talk to the peer: `ERR_PEER_VERSION`. Nothing is read after it. */
  get error(): PeerError | undefined {
    return this.#error;
  }

  /** Reads `chunk` from `offset` on and returns how many bytes it consumed. */
  push(chunk: Uint8Array, offset: number): number {
    let at = offset;
    while (at < chunk.length && this.#count < GREETING_BYTES && this.#error === undefined) {
      const byte = chunk[at++]!;
      this.#error = refusal(this.#count, byte);
      this.#bytes[this.#count++] = byte;
    }
    if (this.#count === GREETING_BYTES) this.#result ??= parse(this.#bytes);
    return at - offset;
  }
}

/** Checks that all 20 bytes of the peer's mechanism are ours. If not, returns why to close the connection. */
export function acceptMechanism(ours: string, greeting: Greeting): PeerError | undefined {
  if (greeting.mechanism === ours) return undefined;
  const theirs = printableText(asciiMechanism(greeting.mechanism));
  return new PeerError(
    "ERR_PEER_MECHANISM",
    `Cannot talk to peer: its mechanism is "${theirs}", ours is "${ours}"`,
  );
}

/** Whether a peer understands SUBSCRIBE and CANCEL commands (3.1). A 3.0 peer gets them as messages. */
export function understandsSubscribeCommand(greeting: Greeting): boolean {
  return greeting.major > VERSION_MAJOR || greeting.minor >= 1;
}

/** Why the byte at `index` means that the peer must be refused, if it does. */
function refusal(index: number, byte: number): PeerError | undefined {
  if (index === 0 && byte !== SIGNATURE_FIRST) {
    const told = byte.toString(16).padStart(2, "0");
    return new PeerError(
      "ERR_PEER_VERSION",
      `Cannot talk to peer: its first byte is 0x${told}, so it speaks ZMTP 1.0 or is not ZeroMQ at all; ` +
        "ZMTP 3.0 or later is required",
    );
  }
  if (index === SIGNATURE_LAST_AT && (byte & 1) === 0) {
    return new PeerError(
      "ERR_PEER_VERSION",
      "Cannot talk to peer: it speaks ZMTP 1.0; ZMTP 3.0 or later is required",
    );
  }
  if (index === MAJOR_AT && byte < VERSION_MAJOR) {
    const version = byte === 0 ? "1.0" : "2.0";
    return new PeerError(
      "ERR_PEER_VERSION",
      `Cannot talk to peer: it speaks ZMTP ${version}; ZMTP 3.0 or later is required`,
    );
  }
  return undefined;
}

function parse(bytes: Uint8Array): Greeting {
  let end = MECHANISM_AT + MECHANISM_BYTES;
  while (end > MECHANISM_AT && bytes[end - 1] === 0) end--;
  return {
    major: bytes[MAJOR_AT]!,
    minor: bytes[MINOR_AT]!,
    mechanism: asciiText(bytes.subarray(MECHANISM_AT, end)),
    asServer: bytes[AS_SERVER_AT] === 1,
  };
}

/** The bytes from which `asciiText` made `name`. */
function asciiMechanism(name: string): Uint8Array {
  return Uint8Array.from(name, (character) => character.charCodeAt(0));
}
