/**
 * The bytes of a ZMTP 3.1 handshake without security, as clients and the bare listener of the memory
 * measurements say them.
 */

const GREETING_BYTES = 64;

export function greetingOf(): Uint8Array {
  const greeting = new Uint8Array(GREETING_BYTES);
  greeting[0] = 0xff;
  greeting[9] = 0x7f;
  greeting[10] = 3;
  greeting[11] = 1;
  greeting.set(new TextEncoder().encode("NULL"), 12);
  return greeting;
}

/** A READY command that names the type of its socket. */
export function readyOf(socketType: string): Uint8Array {
  const text = new TextEncoder();
  const body = [
    5,
    ...text.encode("READY"),
    11,
    ...text.encode("Socket-Type"),
    ...[0, 0, 0, socketType.length],
    ...text.encode(socketType),
  ];
  return Uint8Array.from([4, body.length, ...body]);
}

/** What a PUSH says, and what a PULL does. */
export const HELLO_BYTES: number = GREETING_BYTES + readyOf("PUSH").length;
