/**
 * What a stress run ends with that did not go well.
 *
 * @module
 */

/** The log, or a process, is not as it must be. The message is all that a person needs to read. */
export class Faulty extends Error {
  override readonly name: string = "Faulty";
}

/** The command cannot be understood. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** Somebody wants it to end; `code` is the exit code for that. */
export class Interrupted extends Error {
  override readonly name: string = "Interrupted";
  readonly code: number;

  constructor(code: number) {
    super("Interrupted: the processes are ended, and their files are gone.");
    this.code = code;
  }
}
