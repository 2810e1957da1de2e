/**
 * Kinds of values in the header. A {@link Place} says where a property of a message stands and how it is written; the
 * table of all of them is in layouts.ts.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import {
  COUNT_AT,
  EPOCH_AT,
  EXTRA_AT,
  FLAGS_AT,
  GENERATION_AT,
  ID_AT,
  LIMIT_AT,
  NUMBER_AT,
  REQUEST_AT,
} from "./layout.ts";

type Field32 = "request" | "epoch" | "count" | "generation";
type Field64 = "id" | "number" | "limit" | "extra";
/** The fields that types use as they like, by name. */
export type Field = Field32 | Field64;

/** Where they are. */
export const FIELDS: Readonly<Record<Field, { readonly at: number; readonly bytes: 4 | 8 }>> = {
  request: { at: REQUEST_AT, bytes: 4 },
  id: { at: ID_AT, bytes: 8 },
  epoch: { at: EPOCH_AT, bytes: 4 },
  count: { at: COUNT_AT, bytes: 4 },
  number: { at: NUMBER_AT, bytes: 8 },
  limit: { at: LIMIT_AT, bytes: 8 },
  extra: { at: EXTRA_AT, bytes: 8 },
  generation: { at: GENERATION_AT, bytes: 4 },
};

/** Where a value of a message stands in the header. */
export interface Place<T> {
  /** `undefined`: in the flags alone. */
  readonly field: Field | undefined;
  /** The bits of the flags that it uses. */
  readonly flags: number;
  /** Throws `BugError` for a value that the field cannot hold. */
  write(header: DataView, value: T): void;
  /** What is wrong with the field, for people. */
  fault(header: DataView): string | undefined;
  /** The value, where there is no fault. */
  read(header: DataView): T;
}

const U32_MAX = 0xffff_ffff;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
/** The high half of 2^53−1. */
const SAFE_HIGH = 0x1f_ffff;

/** 32 bits, `min` or more. */
export function u32(field: Field32, min = 0, max: number = U32_MAX): Place<number> {
  const { at } = FIELDS[field];
  return {
    field,
    flags: 0,
    write: (header, value) => writeU32(header, at, value, field),
    fault: (header) => {
      const value = header.getUint32(at, true);
      return value < min || value > max
        ? `its ${field} is ${value}, and ${min} to ${max} are legal`
        : undefined;
    },
    read: (header) => header.getUint32(at, true),
  };
}

/** 64 bits that hold a safe integer, `min` or more. */
export function u53(field: Field64, min = 0, max: number = Number.MAX_SAFE_INTEGER): Place<number> {
  const { at } = FIELDS[field];
  return {
    field,
    flags: 0,
    write: (header, value) => writeU53(header, at, value, field),
    fault: (header) => {
      const value = readU53(header, at);
      if (value < 0) return `its ${field} is above 2^53-1`;
      return value < min || value > max
        ? `its ${field} is ${value}, and ${min} to ${max} are legal`
        : undefined;
    },
    read: (header) => readU53(header, at),
  };
}

/** All 64 bits. */
export function u64(field: Field64): Place<bigint> {
  const { at } = FIELDS[field];
  return {
    field,
    flags: 0,
    write: (header, value) => writeU64(header, at, value, field),
    fault: () => undefined,
    read: (header) => header.getBigUint64(at, true),
  };
}

/** All 64 bits where the flag is set; the field is 0 otherwise. */
export function optionalU64(field: Field64, flag: number): Place<bigint | undefined> {
  const { at } = FIELDS[field];
  return {
    field,
    flags: flag,
    write: (header, value) => {
      if (value === undefined) return;
      writeU64(header, at, value, field);
      setFlag(header, flag);
    },
    fault: (header) =>
      !hasFlag(header, flag) && header.getBigUint64(at, true) !== 0n
        ? `its ${field} is not 0, and no flag says that it is there`
        : undefined,
    read: (header) => hasFlag(header, flag) ? header.getBigUint64(at, true) : undefined,
  };
}

/** A bit of the flags. */
export function flag(bit: number): Place<boolean> {
  return {
    field: undefined,
    flags: bit,
    write: (header, value) => {
      if (value) setFlag(header, bit);
    },
    fault: () => undefined,
    read: (header) => hasFlag(header, bit),
  };
}

/** One of several names, as its number from 1 in `count`. */
export function code<T extends string>(...names: readonly T[]): Place<T> {
  return {
    field: "count",
    flags: 0,
    write: (header, value) => {
      const index = names.indexOf(value);
      assert(index >= 0, `no number for "${value}"`);
      header.setUint32(COUNT_AT, index + 1, true);
    },
    fault: (header) => {
      const number = header.getUint32(COUNT_AT, true);
      return names[number - 1] === undefined
        ? `its count is ${number}, and 1 to ${names.length} are legal`
        : undefined;
    },
    read: (header) => names[header.getUint32(COUNT_AT, true) - 1]!,
  };
}

/** A view of all of `bytes`. */
export function viewOver(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Writes 32 bits; `name` is for the `BugError` of a value that they cannot hold. */
export function writeU32(view: DataView, at: number, value: number, name: string): void {
  assert(value >>> 0 === value, `${name}: ${value} is not an unsigned 32-bit integer`);
  view.setUint32(at, value, true);
}

/** Writes a safe integer as 64 bits; see {@link writeU32}. */
export function writeU53(view: DataView, at: number, value: number, name: string): void {
  assert(Number.isSafeInteger(value) && value >= 0, `${name}: ${value} is not a safe unsigned integer`);
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setUint32(at + 4, value / 0x1_0000_0000, true);
}

/** Writes 64 bits; see {@link writeU32}. */
export function writeU64(view: DataView, at: number, value: bigint, name: string): void {
  assert(value >= 0n && value <= U64_MAX, `${name}: ${value} is not an unsigned 64-bit integer`);
  view.setBigUint64(at, value, true);
}

/** 64 bits as a number, or -1 for a value above 2^53−1. */
export function readU53(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  if (high > SAFE_HIGH) return -1;
  return high * 0x1_0000_0000 + view.getUint32(at, true);
}

/** Whether all bits of `bits` are set in the header's flags. */
export function hasFlag(header: DataView, bits: number): boolean {
  return (header.getUint16(FLAGS_AT, true) & bits) === bits;
}

/** Sets all bits of `bits` in the header's flags. */
export function setFlag(header: DataView, bits: number): void {
  header.setUint16(FLAGS_AT, header.getUint16(FLAGS_AT, true) | bits, true);
}
