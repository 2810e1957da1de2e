/** The command line of a job about one folder, and how such a job ends. */

import { resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { JobError } from "./job_error.ts";

/** What was asked for. */
export interface FolderArguments {
  /** `undefined`: the project's own. */
  readonly folder: string | undefined;
  /** Those of the options that were given. */
  readonly flags: ReadonlySet<string>;
}

/** Reads the command line; `--help` prints `usage` and ends the program. @throws {JobError} with exit code 2. */
export function readFolderArguments(usage: string, flags: readonly string[] = []): FolderArguments {
  try {
    const { values, positionals } = parseArgs({
      args: process.argv.slice(2),
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        ...Object.fromEntries(flags.map((name) => [name, { type: "boolean" as const }])),
      },
    });
    if (values.help === true) {
      console.log(usage);
      process.exit(0);
    }
    if (positionals.length > 1) throw new Error(`One folder, please, not ${positionals.length}.`);
    const [folder] = positionals;
    return {
      folder: folder === undefined ? undefined : resolve(folder),
      flags: new Set(Object.keys(values)),
    };
  } catch (error) {
    throw new JobError(`${(error as Error).message}\n\n${usage}`, 2);
  }
}

/** Runs a job; what went wrong is said in a sentence and in the exit code. */
export async function runJob(job: () => Promise<void>): Promise<void> {
  try {
    await job();
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    console.error(error.message);
    process.exitCode = error.exitCode;
  }
}
