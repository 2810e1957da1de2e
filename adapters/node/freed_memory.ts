/**
 * Large blocks of memory come from the system one by one, zeroed, and go back when they are freed, unless the
 * C library is told otherwise: for a stream of large bodies that costs more than receiving them.
 *
 * @module
 */

import { builtin } from "../builtin.ts";

/** Just below the 32 MiB up to which glibc learns. */
const LESSON_BYTES = 31 * 1_048_576;

interface Globals {
  readonly process?: { readonly platform?: string };
}

/**
 * Has glibc keep freed blocks of up to 31 MiB for the next ones, and twice as much of them at most. glibc
 * learns from the largest block that it was given back, so one is allocated, never touched, and left to the
 * garbage collector: it costs address space until then, and no memory. Returns `false`, and does nothing,
 * where there is no glibc; blocks of 128 KiB and more are slow there.
 */
export function keepFreedMemory(memory: (bytes: number) => Uint8Array): boolean {
  const { process } = globalThis as unknown as Globals;
  if (process?.platform !== "linux" || isAlpine()) return false;
  try {
    return memory(LESSON_BYTES).length > 0;
  } catch {
    return false; // No address space is left for it.
  }
}

/** The one widespread Linux with another C library. */
function isAlpine(): boolean {
  try {
    return builtin("node:fs").existsSync("/etc/alpine-release");
  } catch {
    return false; // This process may not look at files, with Node's permission model.
  }
}
