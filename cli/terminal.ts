/**
 * What a command sees of the world: where it writes and what it was given. Errors that mean something to whoever typed
 * the command.
 *
 * @module
 */

import type { Readable, Writable } from "node:stream";

/** A stream to write text to; `process.stdout` is one. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Signals that end a command in order: Ctrl-C, what supervisors send, and the end of the terminal. */
export type EndingSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** The outside of one run. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /**
   * Calls back at each signal that ends a command; the answer stops that. While somebody listens, they do not end the
   * process.
   */
  onSignal(listener: (signal: EndingSignal) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): never;
}

/** Exit codes. */
export const EXIT_FAILED = 1;
/** The command was not understood: nothing was tried. */
export const EXIT_USAGE = 2;

/** A command that was typed wrongly. Its message is all that is shown. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** A command that could not do what it was asked to. Its message is all that is shown. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
}

/** The reader of the output is gone (`hawser subscribe … | head`): there is nothing left to do. */
export class OutputClosedError extends Error {
  override readonly name: string = "OutputClosedError";
}

/** What a system says when nobody reads any more. */
const CLOSED_CODES: readonly (string | undefined)[] = ["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED"];

/**
 * Resolves when the system has taken the text: nothing is told as printed that was not.
 *
 * @throws {OutputClosedError} Rejects with it.
 * @throws {CommandError} Rejects with it: the disk is full, for example.
 */
export function write(output: Output, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new OutputClosedError("the output is closed"));
    if (output.destroyed || output.writableEnded) return closed();
    const done = (error?: Error | null): void => {
      output.off("close", closed);
      if (error === undefined || error === null) return resolve();
      if (CLOSED_CODES.includes((error as NodeJS.ErrnoException).code)) return closed();
      reject(new CommandError(`Cannot write the output: ${error.message}`, { cause: error }));
    };
    // An output that is closed does not always answer.
    output.on("close", closed);
    try {
      output.write(text, done);
    } catch (error) {
      // Deno writes at once.
      done(error as Error);
    }
  });
}

/** Writes beside what a command does. Whoever does not want to read it stops nothing. */
export function show(output: Output, text: string): void {
  write(output, text).catch(() => {});
}

/** Writes a line like that. */
export function line(output: Output, text: string): void {
  show(output, `${text}\n`);
}

/** `1 record`, `2 records`. */
export function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
