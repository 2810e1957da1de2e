// runtimes: node
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { DEFAULT_LIMITS, DEFAULT_TOTAL_LIMITS, HANDSHAKES_MAX } from "../../src/engine/limits.ts";
import {
  ANSWER_BYTES_MAX,
  CONTROL_BYTES_MAX,
  ERROR_TEXT_MAX,
  NAME_BYTES_MAX,
} from "../../src/log/wire/layout.ts";
import { defaultOptions } from "../../src/socket/options.ts";
import { REFERENCE_BYTES_MIN, SEGMENT_BYTES } from "../../src/zmtp/segment.ts";

// Where a document quotes a number that stands in the code, it is the code's.

/** The value of a constant that its module keeps for itself. */
function constant(path: string, name: string): number {
  const source = readFileSync(path, "utf8");
  const value = new RegExp(`^(?:export )?const ${name}(?:: number)? = ([\\d_]+);$`, "m").exec(source)?.[1];
  if (value === undefined) throw new Error(`${path} has no constant ${name} that is a plain number`);
  return Number(value.replaceAll("_", ""));
}

/** As documents write sizes: `64 KiB`. */
function size(bytes: number): string {
  const mib = bytes / 1_048_576;
  if (mib >= 1_024) return `${mib / 1_024} GiB`;
  return mib >= 1 ? `${mib} MiB` : `${bytes / 1_024} KiB`;
}

/** As documents write counts: `4 096`. */
function count(value: number): string {
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, " ");
}

const BUDGET = "src/socket/send_budget.ts";
const turnBytes = constant(BUDGET, "BYTES_MAX");
const turnMessages = constant(BUDGET, "MESSAGES_MAX");
const referencedBytes = constant("src/zmtp/segment.ts", "SEGMENT_TOTAL_BYTES_MAX");
const exactBytes = constant("src/zmtp/frame_decoder.ts", "EXACT_BUFFER_BYTES_MAX");
const savedSeconds = constant("src/engine/command_budget.ts", "SAVED_SECONDS_MAX");
const limits = DEFAULT_LIMITS;

/** What each document says, made of the code's numbers. */
const SENTENCES: Readonly<Record<string, readonly string[]>> = {
  "docs/ARCHITECTURE.md": [
    `the open **segment**: ${size(SEGMENT_BYTES)} of pooled memory`,
    `Bodies under ${size(REFERENCE_BYTES_MIN)} are copied`,
    `segments over ${size(constant("src/engine/engine.ts", "WRITE_BYTES_MAX"))} go out in parts`,
    `hands over at most ${size(turnBytes)} or ${count(turnMessages)} messages per loop turn`,
    `up to ${size(exactBytes)} into its own exactly sized buffer`,
    `beyond ${size(constant("src/log/store/disk_store.ts", "WRITE_BEHIND_BYTES_MAX"))} that are not written`,
    `when less than ${constant("src/log/ingest/staging_pool.ts", "RESUME_PERCENT")} % are in use`,
  ],
  "docs/DECISIONS.md": [
    `## One loop turn: ${size(turnBytes)} or ${count(turnMessages)} messages`,
    `a segment that holds references is full at ${
      size(referencedBytes)
    }, and a turn may hand over two of them`,
    `Segments of copied bodies stay at ${size(SEGMENT_BYTES)}`,
    `The budget is ${count(limits.commandsPerSecondMax)} a second`,
    `therefore set again by ${constant("src/engine/liveness.ts", "GRACE_MS")} ms`,
    `with time-outs under ${2 * constant("src/engine/liveness.ts", "PAUSED_PONG_MS_MAX")} ms`,
    `told of the last release ${constant("src/session/keep_alive.ts", "LAG_MS")} ms later`,
  ],
  "docs/PROTOCOL.md": [
    `beyond ${count(limits.commandsPerSecondMax)} a second the connection`,
    `| bytes of one frame | ${size(limits.frameBytesMax)} |`,
    `| bytes of one message | ${size(limits.messageBytesMax)} |`,
    `| frames of one message | ${count(limits.messageFramesMax)} |`,
    `| one handshake command | ${
      size(limits.handshakeCommandBytesMax)
    }, ${limits.handshakePropertiesMax} properties |`,
    `| time from dial or accept to the end of the handshake | ${
      defaultOptions().handshakeInterval / 1_000
    } s |`,
    `| half-open handshakes of a listener | ${count(HANDSHAKES_MAX)} |`,
    `| topics of one subscriber | ${count(limits.subscriptionsMax)}, ${size(limits.subscriptionBytesMax)} |`,
    `| undecoded bytes | ${size(limits.pendingBytesMax)} |`,
    `| undecoded bytes, and messages of which only a part has come | ${
      size(DEFAULT_TOTAL_LIMITS.pendingTotalBytesMax)
    } |`,
    `| bytes to be sent, once for every peer they wait for, and memory that peers share once besides | ${
      size(DEFAULT_TOTAL_LIMITS.queuedTotalBytesMax)
    } |`,
    `of one that came in several chunks | ${size(DEFAULT_TOTAL_LIMITS.receivedTotalBytesMax)} |`,
    `length for each | ${size(DEFAULT_TOTAL_LIMITS.subscriptionsTotalBytesMax)} |`,
    `| messages to be sent | ${count(defaultOptions().sendHighWaterMark)} and ${
      size(defaultOptions().sendHighWaterMarkBytes)
    } |`,
    `| commands waiting to be written | ${count(limits.commandsMax)}, PONGs coalesced |`,
    `| PING, PONG and unknown commands of one peer | ${count(limits.commandsPerSecondMax)} a second, ` +
    `unused ones saved for ${savedSeconds === 3_600 ? "an hour" : `${savedSeconds} s`} |`,
    `Names (topics, publishers, consumers) have at most ${NAME_BYTES_MAX} bytes`,
    `except a batch's, has at most ${count(CONTROL_BYTES_MAX)} bytes`,
    `A broker's has at most ${size(ANSWER_BYTES_MAX)}`,
    `\`message\` (at most ${count(ERROR_TEXT_MAX)} characters)`,
  ],
};

test("the numbers that documents quote are the code's", () => {
  assertEquals(turnBytes, 2 * referencedBytes, "DECISIONS: two full segments a turn");
  for (const [path, sentences] of Object.entries(SENTENCES)) {
    const text = readFileSync(path, "utf8").replaceAll(/\s+/g, " ");
    for (const sentence of sentences) assert(text.includes(sentence), `${path} does not say: ${sentence}`);
  }
});

test("numbers are written as documents write them, and a constant that is gone is missed", () => {
  assertEquals([size(1_048_576), size(65_536), count(500_000), count(64)], [
    "1 MiB",
    "64 KiB",
    "500 000",
    "64",
  ]);
  assertThrows(() => constant(BUDGET, "NOTHING"), Error, "no constant NOTHING");
});
