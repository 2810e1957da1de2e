/**
 * The members of `node:fs` that file stores call. All three runtimes have them.
 *
 * @module
 */

/** The error argument of a callback: `null` on success. */
export type Failed = Error | null;

/** An entry of a folder. */
export interface NodeDirent {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** `node:fs` with callbacks; the calls for a lock are synchronous. */
export interface NodeFsFiles {
  readonly constants: { readonly O_RDWR: number; readonly O_CREAT: number };
  open(path: string, flags: string | number, mode: number, done: (error: Failed, fd: number) => void): void;
  close(fd: number, done: (error: Failed) => void): void;
  read(
    fd: number,
    into: Uint8Array,
    offset: number,
    length: number,
    position: number,
    done: (error: Failed, bytes: number) => void,
  ): void;
  write(
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    done: (error: Failed, bytes: number) => void,
  ): void;
  writev(
    fd: number,
    chunks: readonly Uint8Array[],
    position: number,
    done: (error: Failed, bytes: number) => void,
  ): void;
  ftruncate(fd: number, bytes: number, done: (error: Failed) => void): void;
  fdatasync(fd: number, done: (error: Failed) => void): void;
  fsync(fd: number, done: (error: Failed) => void): void;
  unlink(path: string, done: (error: Failed) => void): void;
  mkdir(path: string, options: { recursive: boolean }, done: (error: Failed, first?: string) => void): void;
  stat(path: string, done: (error: Failed, found: { readonly size: number }) => void): void;
  readdir(
    path: string,
    options: { withFileTypes: true },
    done: (error: Failed, entries: readonly NodeDirent[]) => void,
  ): void;
  statSync(path: string, options: { bigint: true }): { readonly dev: bigint; readonly ino: bigint };
  readFileSync(path: string, encoding: "utf8"): string;
  writeFileSync(path: string, text: string, options: { flag: string }): void;
  renameSync(from: string, to: string): void;
}
