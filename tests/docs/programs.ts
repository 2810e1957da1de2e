/**
 * Makes files of blocks, and runs them on the runtime that runs the tests.
 *
 * @module
 */

import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { detectRuntime, type Runtime } from "../../adapters/detect.ts";
import { type Ending, start } from "../examples/program.ts";
import { writeCertificates } from "../support/certificates.ts";
import { type Block, promisedLines } from "./blocks.ts";

const PROJECT = process.cwd();
/** Milliseconds for all programs together. */
const DEADLINE_MS = 100_000;
/** Default of the constructor's. */
const EXIT_MS = 30_000;
/** What run_blocks.ts prints. */
const MARK = "\u0002block ";
const END = new RegExp(`${MARK}end\n`);

/** A block as a file that can be run. */
interface Program {
  readonly block: Block;
  readonly file: string;
}

/** Writes the blocks below `.scratch/docs`, where imports of `hawser` mean this project. */
export class Programs {
  readonly #runtime: Runtime = detectRuntime();
  readonly #folder: string;
  readonly #programs: readonly Program[];
  readonly #exitMs: number;

  /** `name`: of the folder. `exitMs`: in which the process ends once its programs have. */
  constructor(blocks: readonly Block[], name: string, exitMs: number = EXIT_MS) {
    this.#exitMs = exitMs;
    this.#folder = join(PROJECT, ".scratch", "docs", this.#runtime, name);
    rmSync(this.#folder, { recursive: true, force: true });
    this.#programs = blocks.map((block) => {
      const file = join(this.#folder, fileName(block));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, block.code);
      return { block, file };
    });
  }

  /**
   * Runs all in one process, one after another. Answers what is wrong. All is well only if the process then ends by
   * itself; if not, each is run alone to tell who holds it.
   */
  async run(): Promise<string[]> {
    const files = this.#programs.map(({ file }) => this.#runnable(file));
    // What `npx hawser certificates` makes, as the documents tell.
    await writeCertificates(join(this.#folder, "certificates"));
    const ending = await this.#start(files);
    const outputs = ending.stdout.split(MARK).slice(1).map((part) => part.slice(part.indexOf("\n") + 1));
    const finished = END.test(ending.stdout);
    // What comes behind the mark of the end was printed by nobody in particular.
    const findings = this.#programs.flatMap((program, index) => {
      const output = outputs[index];
      return output === undefined
        ? []
        : outputFindings(program, output, finished || index < outputs.length - 1);
    });
    if (ending.code === 0 && finished) return findings;
    if (!finished) {
      const last = this.#programs[outputs.length - 1];
      const place = last === undefined ? "the first block" : placeOf(last.block);
      return [...findings, `${place} failed, or did not end:\n${ending.stdout}${ending.stderr}`];
    }
    return [
      ...findings,
      ...await this.#runAlone(files),
      `the programs do not end by themselves:\n${ending.stderr}`,
    ];
  }

  /** On Node: what is wrong with the types. Makes the JavaScript that Node 20 needs. */
  async compile(): Promise<string[]> {
    if (this.#runtime !== "node") return [];
    const compilerOptions = {
      noEmit: false,
      rootDir: ".",
      outDir: "js",
      declaration: false,
      isolatedDeclarations: false,
      noUnusedLocals: false,
      noUnusedParameters: false,
      // What a reader who is only "strict" has.
      noUncheckedIndexedAccess: false,
      exactOptionalPropertyTypes: false,
      // Without the project's own map, "hawser" is found as its readers find it: through package.json.
      paths: {},
    };
    const config = { extends: "../../../../tsconfig.json", compilerOptions, include: ["."], exclude: ["js"] };
    writeFileSync(join(this.#folder, "tsconfig.json"), JSON.stringify(config));
    const compiler = join(PROJECT, "node_modules", "typescript", "bin", "tsc");
    const { stdout } = await start([process.execPath, compiler, "-p", this.#folder, "--pretty", "false"], {
      cwd: this.#folder,
      deadlineMs: DEADLINE_MS,
    }).ending;
    for (const { file } of this.#programs) if (file.endsWith(".mjs")) cpSync(file, this.#runnable(file));
    return stdout.split("\n").filter((line) => line !== "").map((line) => this.#translate(line));
  }

  /** On Node: makes them runnable without a compiler, which works for what is JavaScript as it stands. */
  copy(): void {
    if (this.#runtime !== "node") return;
    for (const { file } of this.#programs) cpSync(file, this.#runnable(file));
  }

  #runnable(file: string): string {
    if (this.#runtime !== "node") return file;
    return join(this.#folder, "js", file.slice(this.#folder.length)).replace(/\.ts$/, ".js");
  }

  async #start(files: readonly string[]): Promise<Ending> {
    const runner = join("tests", "docs", "run_blocks");
    const command: readonly [string, ...string[]] = this.#runtime === "node"
      ? [process.execPath, join(PROJECT, ".build", `${runner}.js`)]
      : this.#runtime === "deno"
      ? [process.execPath, "run", "-A", "--no-check", join(PROJECT, `${runner}.ts`)]
      : [process.execPath, join(PROJECT, `${runner}.ts`)];
    // A folder of its own: what a program writes to "./data" is gone before the next run.
    const program = start([...command, ...files], { cwd: this.#folder, deadlineMs: DEADLINE_MS });
    let exit: ReturnType<typeof setTimeout> | undefined;
    const kill = (): void => void program.process.kill("SIGKILL");
    program.see(END).then(() => exit = setTimeout(kill, this.#exitMs), () => {});
    const ending = await program.ending;
    clearTimeout(exit);
    return ending;
  }

  async #runAlone(files: readonly string[]): Promise<string[]> {
    const findings: string[] = [];
    const waiting = [...files.entries()];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, file] = next;
        const { code } = await this.#start([file]);
        if (code !== 0) findings.push(`${placeOf(this.#programs[index]!.block)} does not end by itself`);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
    return findings;
  }

  /** Lets the compiler speak of the document. */
  #translate(line: string): string {
    const [whole = "", file, row = "0"] = /^(\S+)\((\d+),\d+\)/.exec(line) ?? [];
    const program = this.#programs.find((one) => file !== undefined && one.file === join(this.#folder, file));
    if (program === undefined) return line;
    return `${program.block.path}:${program.block.line + Number(row) - 1}${line.slice(whole.length)}`;
  }
}

/** A block's place for people. */
export function placeOf({ path, line }: Block): string {
  return `${path}:${line}`;
}

/**
 * One folder per document. A block whose first line is `// some_name.ts` is saved under that name, so that others of its
 * document can import it.
 */
function fileName({ path, line, language, code }: Block): string {
  const name = /^\/\/ ([a-z0-9_]+\.ts)\n/.exec(code)?.[1] ??
    `block_${line}.${language.startsWith("t") ? "ts" : "mjs"}`;
  return join(path.replaceAll(/[^A-Za-z0-9]+/g, "_"), name);
}

/** The lines that a program promises and does not print, in this order. */
function outputFindings({ block }: Program, output: string, complete: boolean): string[] {
  if (!complete) return [];
  const printed = output.split("\n");
  return promisedLines(block).flatMap((line) => {
    const index = printed.indexOf(line);
    if (index < 0) return [`${placeOf(block)} promises to print "${line}"; it printed:\n${output}`];
    printed.splice(0, index + 1);
    return [];
  });
}
