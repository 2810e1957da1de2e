/**
 * How bytes are written in the vectors: `FF 00*8 'READY'`. See README.md.
 *
 * @module
 */

import { concat } from "../../src/bytes/bytes.ts";

const TOKEN = /\s*(?:'([\x20-\x26\x28-\x7e]*)'|((?:[0-9A-Fa-f]{2})+))(?:\*(\d+))?(?=\s|$)/y;

/** The bytes that `text` stands for. Throws `SyntaxError` for text that is not in the notation. */
export function bytesOf(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text);
    if (token === null) throw new SyntaxError(`Cannot read bytes at ${at} of ${JSON.stringify(text)}`);
    const [, ascii, hex, repeat] = token;
    const once = ascii !== undefined
      ? Uint8Array.from(ascii, (character) => character.charCodeAt(0))
      : Uint8Array.from(hex!.match(/../g)!, (pair) => parseInt(pair, 16));
    for (let i = 0; i < Number(repeat ?? 1); i++) parts.push(once);
  }
  return concat(parts);
}
