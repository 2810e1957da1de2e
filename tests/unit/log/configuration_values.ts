/**
 * For every option of the configuration: values that are allowed with everything else at its default, and values that
 * are not.
 *
 * @module
 */

/** See the module. At least three allowed values each, where there are so many. */
export interface OptionValues {
  readonly good: readonly unknown[];
  readonly bad: readonly unknown[];
}

const NOT_NUMBERS = ["1", null, true, 1.5, NaN, Infinity, -1, 1n, {}, [1]];
const MIB = 1_048_576;
const ENDPOINTS: OptionValues = {
  good: [["tcp://127.0.0.1:1"], ["tcp://*:0", "ipc:///tmp/x"], ["inproc://a"]],
  bad: [[], ["127.0.0.1:1"], [""], ["tcp://"], ["tcp://a:1", "tcp://a:1"], "tcp://a:1", [1], null, {}],
};
const PEM_FILE = { good: ["a.pem", "/etc/ssl/a.pem"], bad: ["", "a\0", 1] };
const NAME: OptionValues = {
  good: ["a", "é".repeat(127), "x y"],
  bad: ["", "a\n", "\x7f", "é".repeat(128), 5, null, ["a"]],
};

/** By path. */
export const VALUES: Readonly<Record<string, OptionValues>> = {
  connect: ENDPOINTS,
  listen: ENDPOINTS,
  dir: { good: ["data", "./a b", "/x"], bad: ["", "a\0b", 1, null, ["x"]] },
  http: {
    good: ["127.0.0.1:0", "[::1]:7781", "localhost:65535", "7781"],
    bad: ["", "65536", ":7781", "127.0.0.1", "127.0.0.1:65536", "::1:7781", "a b:1", 7781, null],
  },
  stagingBuffers: { good: [1, 2, 65_536], bad: [0, 65_537, ...NOT_NUMBERS] },
  stagingBufferBytes: { good: [MIB + 1, 2 * MIB, 64], bad: [63, 2 ** 30 + 1, ...NOT_NUMBERS] },
  batchBytesMax: { good: [64, 1_000, 2 * MIB], bad: [63, 2 ** 30 - 4_095, ...NOT_NUMBERS] },
  ringSlots: { good: [1, 2, MIB], bad: [0, MIB + 1, ...NOT_NUMBERS] },
  holdBatchesMax: { good: [1, 2, 16 * MIB], bad: [0, 16 * MIB + 1, ...NOT_NUMBERS] },
  holdBytesMax: { good: [MIB, 2 * MIB, 128 * MIB], bad: [63, MIB - 1, 128 * MIB + 1, ...NOT_NUMBERS] },
  grantBatchesMax: { good: [1, 2, 4_096], bad: [0, 4_097, ...NOT_NUMBERS] },
  grantBytesMax: { good: [MIB, 2 * MIB, 128 * MIB], bad: [63, MIB - 1, 128 * MIB + 1, ...NOT_NUMBERS] },
  runsKept: { good: [0, 1, 65_536], bad: [65_537, ...NOT_NUMBERS] },
  sessionsMax: { good: [1, 2, 10_000_000], bad: [0, 10_000_001, ...NOT_NUMBERS] },
  sessionIdleMs: { good: [1_000, 2_000, 315_360_000_000], bad: [999, 315_360_000_001, ...NOT_NUMBERS] },
  memoryBytesMax: { good: [32 * MIB, 64 * MIB, 2 ** 40], bad: [65_535, 2 ** 53, ...NOT_NUMBERS] },
  payloadTimeoutMs: { good: [1, 2, 2 ** 31 - 1], bad: [0, 2 ** 31, ...NOT_NUMBERS] },
  claimTimeoutMs: { good: [1, 2, 2 ** 31 - 1], bad: [0, 2 ** 31, ...NOT_NUMBERS] },
  autoCreateTopics: { good: [true, false], bad: ["yes", 1, 0, null, []] },
  "topics.*.order": { good: [0, 2, 4, 5], bad: [1, 3, 6, ...NOT_NUMBERS] },
  "topics.*.ack": { good: [0, 1], bad: [2, 3, ...NOT_NUMBERS] },
  "topics.*.retention.bytesMax": { good: [0, 1, 2 ** 50], bad: [2 ** 53, ...NOT_NUMBERS] },
  "topics.*.retention.ageMsMax": {
    good: [0, 1, 315_360_000_000],
    bad: [315_360_000_001, ...NOT_NUMBERS],
  },
  "topics.*.retention.keepFor": {
    good: [[], ["a"], ["a", "b"]],
    bad: [[""], ["a", "a"], [1], ["a\n"], null, { a: 1 }],
  },
  "topics.*.segmentBytes": {
    good: [MIB + 4_096, 2 * MIB, 128 * MIB],
    bad: [8_191, MIB, MIB + 4_095, 128 * MIB + 1, 2 ** 30 + 1, ...NOT_NUMBERS],
  },
  "topics.*.leaseMs": { good: [6_001, 10_000, 86_400_000], bad: [99, 6_000, 86_400_001, ...NOT_NUMBERS] },
  "topics.*.syncIntervalMs": { good: [0, 1, 3_600_000], bad: [3_600_001, ...NOT_NUMBERS] },
  "tls.certificateFile": PEM_FILE,
  "tls.keyFile": PEM_FILE,
  "tls.authoritiesFile": PEM_FILE,
  "tls.serverName": { good: ["example.org", "a"], bad: ["", "a b", 1] },
  "tls.clientCertificates": { good: ["require", "request"], bad: ["yes", true] },
  "tls.allowSelfSigned": { good: [true, false], bad: ["yes", 1] },
  "webSocket.allowOrigins": {
    good: [["https://example.org"], ["http://localhost:8080", "https://[::1]"]],
    bad: [["example.org"], ["https://example.org/"], "https://example.org"],
  },
  "webSocket.allowHosts": { good: [["example.org"], ["localhost", "127.0.0.1"]], bad: [["a b"], "a"] },
  "webSocket.trustProxy": { good: [true, false], bad: ["yes", 1] },
  "webSocket.pingIntervalMs": { good: [0, 1_000], bad: [-1, ...NOT_NUMBERS] },
  "publisher.name": NAME,
  "publisher.ack": { good: [0, 1, 2], bad: [3, ...NOT_NUMBERS] },
  "publisher.batchBytes": { good: [64, 1_000, 16 * MIB], bad: [63, 2 ** 30 + 1, ...NOT_NUMBERS] },
  "publisher.batchRecordsMax": { good: [1, 2, 16 * MIB], bad: [0, 16 * MIB + 1, ...NOT_NUMBERS] },
  "publisher.lingerMs": { good: [0, 1, 60_000], bad: [60_001, ...NOT_NUMBERS] },
  "publisher.windowBytes": { good: [64, 1_000, 2 ** 32], bad: [63, 2 ** 32 + 1, ...NOT_NUMBERS] },
  "publisher.windowBatches": { good: [1, 2, MIB], bad: [0, MIB + 1, ...NOT_NUMBERS] },
  "publisher.resendTimeoutMs": { good: [10, 11, 600_000], bad: [9, 600_001, ...NOT_NUMBERS] },
  "subscribe.creditBytes": { good: [64, 1_000, 2 ** 32], bad: [63, 2 ** 32 + 1, ...NOT_NUMBERS] },
};

/** `publisher.ack`, 1 → `{ publisher: { ack: 1 } }`. */
export function nest(path: string, value: unknown): Record<string, unknown> {
  return path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<
    string,
    unknown
  >;
}
