/**
 * One folder of the simulated disk, as a process sees it that may die.
 *
 * @module
 */

import type { Disk, DiskFailure, DiskFile } from "../../src/log/store/store.ts";
import type { FolderState, OperationKind, SimulatedDisk } from "./log_disk.ts";
import { SimulatedFile } from "./log_disk_file.ts";
import type { Random } from "./random.ts";

/** One life of the process. What it asked for is not answered any more when it has ended. */
export interface Life {
  openFiles: number;
  ended: boolean;
  /** An operation: `finish` runs later, or `interrupted`, when the life ends before. */
  begin(what: string, finish: () => void, interrupted?: (random: Random) => void): void;
  end(random: Random): void;
}

/** A rule of the `Disk` port was broken. */
export class DiskRuleBroken extends Error {
  override readonly name: string = "DiskRuleBroken";
}

export class SimulatedFolder implements Disk {
  readonly disk: SimulatedDisk;
  readonly life: Life;
  readonly name: string;
  readonly #state: FolderState;

  constructor(disk: SimulatedDisk, life: Life, name: string) {
    this.disk = disk;
    this.life = life;
    this.name = name;
    this.#state = disk.state(name);
  }

  begun(kind: OperationKind, name: string): DiskFailure | undefined {
    return this.disk.begun({ kind, folder: this.name, name });
  }

  list(done: Parameters<Disk["list"]>[0]): void {
    const failure = this.begun("list", "");
    this.life.begin("list", () => {
      done(failure ?? [...this.#state.entries].map(([name, file]) => ({ name, bytes: file.bytes })));
    });
  }

  open(name: string, create: boolean, done: (file: DiskFile | DiskFailure) => void): void {
    const failure = this.begun("open", name);
    const { entries } = this.#state;
    const act = (): DiskFailure | SimulatedFile => {
      if (failure !== undefined) return failure;
      const found = entries.get(name);
      if (found !== undefined) return found;
      if (!create) return { kind: "missing", message: `no such file: ${name}` };
      if (this.disk.usedBytes >= this.disk.spaceBytes) return NO_SPACE;
      const file = new SimulatedFile(this.disk.sectorBytes);
      this.#change(name, file);
      return file;
    };
    this.life.begin(`open ${name}`, () => {
      const file = act();
      if (file instanceof SimulatedFile) {
        this.life.openFiles++;
        done(new OpenFile(this, name, file));
      } else done(file);
    }, (random) => {
      if (random.chance(0.5)) act();
    });
  }

  remove(name: string, done: (failure?: DiskFailure) => void): void {
    const failure = this.begun("remove", name);
    const act = (): DiskFailure | undefined => {
      if (failure !== undefined) return failure;
      if (!this.#state.entries.has(name)) return { kind: "missing", message: `no such file: ${name}` };
      this.#change(name, undefined);
      return undefined;
    };
    this.life.begin(`remove ${name}`, () => done(act()), (random) => {
      if (random.chance(0.5)) act();
    });
  }

  sync(done: (failure?: DiskFailure) => void): void {
    const failure = this.begun("syncFolder", "");
    const state = this.#state;
    const covered = new Set(state.changes);
    this.life.begin("sync folder", () => {
      if (failure !== undefined) return done(failure);
      for (const { name, file } of covered) {
        if (file === undefined) state.platter.delete(name);
        else state.platter.set(name, file);
      }
      state.changes = state.changes.filter((change) => !covered.has(change));
      done();
    });
  }

  #change(name: string, file: SimulatedFile | undefined): void {
    if (file === undefined) this.#state.entries.delete(name);
    else this.#state.entries.set(name, file);
    this.#state.changes.push({ name, file });
  }
}

const NO_SPACE: DiskFailure = { kind: "full", message: "no space left on the simulated disk" };

class OpenFile implements DiskFile {
  readonly #folder: SimulatedFolder;
  readonly #name: string;
  readonly #file: SimulatedFile;
  #open = true;
  #writing = false;
  /** Operations in flight. */
  #busy = 0;

  constructor(folder: SimulatedFolder, name: string, file: SimulatedFile) {
    this.#folder = folder;
    this.#name = name;
    this.#file = file;
  }

  write(at: number, chunks: readonly Uint8Array[], done: (failure?: DiskFailure) => void): void {
    this.#rule(!this.#writing, "has two writes in flight");
    this.#writing = true;
    const bytes = joined(chunks);
    const failure = this.#begin("write", () => {
      this.#writing = false;
      this.#rule(
        equal(joined(chunks), bytes),
        "was written from memory that changed before the write had ended",
      );
      const outcome = failure ?? this.#shortage(at, bytes.length);
      const { random } = this.#folder.disk;
      const part = outcome === undefined ? bytes : bytes.subarray(0, random.integer(0, bytes.length));
      this.#file.write(at, this.#fitting(at, part));
      done(outcome);
    }, (random) => {
      const part = bytes.subarray(0, random.pick([0, bytes.length, random.integer(0, bytes.length)]));
      this.#file.write(at, this.#fitting(at, part));
    });
  }

  read(at: number, into: Uint8Array, done: (bytes: number | DiskFailure) => void): void {
    into.fill(0xa5);
    const failure = this.#begin("read", () => {
      if (failure !== undefined) return done(failure);
      const found = this.#file.content.subarray(at, at + into.length);
      into.set(found);
      done(found.length);
    });
  }

  truncate(bytes: number, done: (failure?: DiskFailure) => void): void {
    const failure = this.#begin("truncate", () => {
      if (failure === undefined) this.#file.truncate(bytes);
      done(failure);
    }, (random) => {
      if (random.chance(0.5)) this.#file.truncate(bytes);
    });
  }

  sync(done: (failure?: DiskFailure) => void): void {
    const end = this.#file.beginSync();
    const failure = this.#begin("sync", () => {
      if (failure === undefined) end();
      done(failure);
    });
    if (failure !== undefined) this.#file.failSync();
  }

  close(done: () => void): void {
    this.#rule(this.#busy === 0, "was closed while something was in flight");
    this.#begin("close", done);
    this.#open = false;
    this.#folder.life.openFiles--;
  }

  #begin(
    kind: OperationKind,
    finish: () => void,
    interrupted?: (random: Random) => void,
  ): DiskFailure | undefined {
    const { life } = this.#folder;
    this.#rule(this.#open, `was asked for a ${kind} after it was closed`);
    const failure = this.#folder.begun(kind, this.#name);
    this.#busy++;
    life.begin(`${kind} ${this.#name}`, () => {
      this.#busy--;
      finish();
    }, interrupted);
    return failure;
  }

  /** Bytes of a write that go where there is space. */
  #fitting(at: number, bytes: Uint8Array): Uint8Array {
    const { disk } = this.#folder;
    const free = Math.max(0, disk.spaceBytes - disk.usedBytes);
    return bytes.subarray(0, Math.max(0, this.#file.bytes + free - at));
  }

  #shortage(at: number, bytes: number): DiskFailure | undefined {
    const { disk } = this.#folder;
    const more = Math.max(0, at + bytes - this.#file.bytes);
    return disk.usedBytes + more > disk.spaceBytes ? NO_SPACE : undefined;
  }

  #rule(kept: boolean, what: string): void {
    if (!kept && !this.#folder.life.ended) throw new DiskRuleBroken(`${this.#name} ${what}`);
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}
