/**
 * The ways in which a stream may cut the same bytes: whole, byte by byte, and at every chunk size between.
 *
 * @module
 */

/** Cuts `bytes` into chunks of `chunkBytes`; the last may be shorter. Each has memory of its own. */
export function chunksOf(bytes: Uint8Array, chunkBytes: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.slice(at, at + chunkBytes));
  return chunks;
}

/**
 * Calls `play` with `bytes` whole, then cut at every chunk size. Of long inputs only the sizes up to 80 and a few large
 * ones are played: they reach every border inside a header.
 */
export function forEachChunking(
  bytes: Uint8Array,
  play: (chunks: Uint8Array[], chunkBytes: number) => void,
): void {
  const whole = Math.max(bytes.length, 1);
  play(chunksOf(bytes, whole), whole);
  const sizes = Array.from({ length: Math.min(whole - 1, 80) }, (_, i) => i + 1);
  for (let size = 4_096; size < whole; size *= 4) sizes.push(size, size + 1);
  for (const size of sizes) {
    // Single bytes of a large body prove nothing that its first kilobytes do not.
    if (whole / size <= 20_000) play(chunksOf(bytes, size), size);
  }
}
