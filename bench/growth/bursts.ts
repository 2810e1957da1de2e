/**
 * What publisher and subscribers agree on. `bench/growth/libzmq.c` has the same numbers.
 *
 * @module
 */

const TOPICS_BURST = 16_384;
const SUBSCRIBERS_BURST = 64;
const DELIVERED = 32_768;

/** Messages between two answers: enough that waiting for the answer costs little, and no more than queues hold. */
export function burstOf(role: string, count: number): number {
  return role === "topics" ? TOPICS_BURST : Math.max(SUBSCRIBERS_BURST, Math.floor(DELIVERED / count));
}

const PREFIX = "sensor/";
const DIGITS = 7;
export const TOPIC_BYTES: number = PREFIX.length + DIGITS;

/** `sensor/0000042` */
export function topicName(number: number): string {
  return PREFIX + String(number).padStart(DIGITS, "0");
}

/** Writes any of the first `count` topics over `body` with each call, all of them equally often. */
export function topicWriter(body: Uint8Array, count: number): () => void {
  if (body.length === TOPIC_BYTES) new TextEncoder().encodeInto(topicName(0), body);
  let state = 1;
  return () => {
    // Marsaglia's xorshift: neighbours in time are no neighbours in the tree.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    let number = (state >>> 0) % count;
    for (let at = TOPIC_BYTES - 1; at >= PREFIX.length; at--) {
      body[at] = 48 + number % 10;
      number = Math.floor(number / 10);
    }
  };
}
