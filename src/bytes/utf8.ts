/**
 * Converts text to UTF-8 bytes and back. The only file of the core that uses `TextEncoder` and `TextDecoder`,
 * which every runtime has but the ECMAScript library does not declare.
 *
 * @module
 */

interface Encoder {
  encode(text: string): Uint8Array;
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number };
}

interface Decoder {
  decode(bytes: Uint8Array): string;
}

interface DecoderOptions {
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
}

interface Globals {
  readonly TextEncoder: new () => Encoder;
  readonly TextDecoder: new (label: string, options: DecoderOptions) => Decoder;
}

const globals = globalThis as unknown as Globals;
const encoder = new globals.TextEncoder();
// Bundlers may leave out the decoders.
// `ignoreBOM` means "keep it": text that begins with U+FEFF must come back unchanged.
const lossyDecoder = /* @__PURE__ */ new globals.TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
const strictDecoder = /* @__PURE__ */ new globals.TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of `text`. A lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/**
 * Writes `text` as UTF-8 at `at` and returns the offset after it, or -1 when it may not fit. `into` must have
 * room for the worst case, three bytes per UTF-16 unit.
 */
export function writeUtf8(into: Uint8Array, at: number, text: string): number {
  if (at + text.length * 3 > into.length) return -1;
  return at + encoder.encodeInto(text, into.subarray(at)).written;
}

/** The text of UTF-8 bytes. Invalid UTF-8 becomes U+FFFD; use {@link decodeUtf8Strict} to detect it. */
export function decodeUtf8(bytes: Uint8Array): string {
  return lossyDecoder.decode(bytes);
}

/** The text of UTF-8 bytes, or `undefined` for bytes that are not UTF-8. */
export function decodeUtf8Strict(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}
