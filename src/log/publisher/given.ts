/**
 * What a caller gives with a record, judged before the record is taken.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import { isPlainObject } from "../../arguments.ts";
import { refuseUnknown, show } from "../configuration/fields.ts";
import { LogError } from "../errors.ts";

const SEQUENCE_MAX = 0xffff_ffff_ffff_ffffn;

/** Of what may be no value at all: whoever copies it says so then. */
export function lengthOf(value: Uint8Array | string | null | undefined): number {
  return value?.length ?? 0;
}

/**
 * Judges the names of a record's options, and makes nothing where they are right. Fields that are `undefined` count as missing.
 *
 * @throws {MisuseError} `ERR_OPTION`: these cannot be options, or one of them is unknown.
 */
export function checkOptions(options: unknown): void {
  if (!isPlainObject(options)) {
    const text = `Cannot publish with options ${show(options)}: a plain object is expected`;
    throw new MisuseError("ERR_OPTION", text);
  }
  for (const name in options) {
    switch (name) {
      case "key":
      case "headers":
      case "timestampMs":
      case "sequence":
      case "signal":
      case "timeoutMs":
        continue;
      default:
        if (options[name] !== undefined) refuseUnknown(name, "a record", RECORD_OPTIONS);
    }
  }
}

/** For errors. */
const RECORD_OPTIONS: readonly string[] = [
  "key",
  "headers",
  "timestampMs",
  "sequence",
  "signal",
  "timeoutMs",
];

/** What a sequence is judged by. */
export interface SequenceJudge {
  readonly everOpened: boolean;
  /** The greatest one so far. */
  readonly lastSequence: bigint | undefined;
  readonly init: { readonly publisher: string; readonly topic: string };
}

/**
 * Whether a sequence can be judged now. Before the session is open nobody knows the last one.
 *
 * @throws {MisuseError} `ERR_OPTION`: it is none, or the publisher has no name. @throws {LogError} `ERR_LOG_SEQUENCE`: it does not rise.
 */
export function checkSequence(sequence: bigint, { everOpened, lastSequence, init }: SequenceJudge): boolean {
  if (init.publisher === "") {
    throw new MisuseError("ERR_OPTION", 'Cannot publish with a sequence: the publisher has no "name"');
  }
  if (typeof sequence !== "bigint" || sequence < 0n || sequence > SEQUENCE_MAX) {
    const text = `Cannot publish with sequence ${
      String(sequence)
    }: allowed is a bigint from 0n to 2n**64n-1n`;
    throw new MisuseError("ERR_OPTION", text);
  }
  if (!everOpened) return false;
  if (lastSequence !== undefined && sequence <= lastSequence) {
    const text = `Cannot publish sequence ${sequence}: the last one was ${lastSequence}`;
    throw new LogError("ERR_LOG_SEQUENCE", text, { topic: init.topic });
  }
  return true;
}
