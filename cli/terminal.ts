/**
 * What a command sees of the world: where it writes and what it was given. Errors that mean something to whoever typed
 * the command.
 *
 * @module
 */

import type { Readable, Writable } from "node:stream";

/** A stream to write text to; `process.stdout` is one. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** The outside of one run. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Calls back at each SIGINT and SIGTERM; the answer stops that. While somebody listens, they do not end the process. */
  onSignal(listener: (signal: "SIGINT" | "SIGTERM") => void): () => void;
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

/**
 * Writes, and waits while the reader is slower than the writer.
 *
 * @throws {OutputClosedError}
 */
export function write(output: Output, text: string | Uint8Array): Promise<void> | undefined {
  if (output.destroyed || output.writableEnded) throw new OutputClosedError("the output is closed");
  if (output.write(text)) return undefined;
  return new Promise((resolve, reject) => {
    const done = (): void => {
      output.off("drain", drained);
      output.off("close", closed);
      output.off("error", closed);
    };
    const drained = (): void => {
      done();
      resolve();
    };
    const closed = (): void => {
      done();
      reject(new OutputClosedError("the output is closed"));
    };
    output.on("drain", drained).on("close", closed).on("error", closed);
  });
}

/** Writes a line. */
export function line(output: Output, text: string = ""): void {
  void write(output, `${text}\n`);
}
