/** SHA-256, of contents and of files in pieces. */

import { createHash } from "node:crypto";

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/**
 * The digest of a file of which only the digests of its pieces are known. One piece: the file's own SHA-256. Several,
 * which several workers may have digested side by side: the SHA-256 of their digests in order.
 */
export function fileDigest(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : sha256(...pieces);
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
