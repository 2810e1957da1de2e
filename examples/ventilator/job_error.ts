/** Something that the person at the terminal has to know; its message is all they need to read. */
export class JobError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "it is not a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ELOOP: "too many symbolic links",
  EIO: "the device failed",
};

/** What the file system said, in words. */
export function cannotRead(path: string, error: unknown): JobError {
  const { code = "", message } = error as { code?: string; message: string };
  return new JobError(`Cannot read ${path}: ${REASONS[code] ?? message}${code === "" ? "" : ` (${code})`}.`);
}
