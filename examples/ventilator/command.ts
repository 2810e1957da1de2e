/** The job from its files to its report. job.ts has a picture of what happens in between. */

import { sha256, toHex } from "./digest.ts";
import { type FoundFile, listFiles } from "./files.ts";
import { formatBytes, formatTable } from "./format.ts";
import { digestFiles, type Report } from "./job.ts";
import { EACH_RUNTIME, type WorkerPlan } from "./runtime.ts";
import { JobError } from "./job_error.ts";
import { PROJECT } from "./workers.ts";

/** What of the project's own folder is not the project. */
const LEFT_OUT = ["node_modules", ".git", ".build", "dist"];

/** A folder, and what is in it. */
export interface FoundFolder {
  readonly folder: string;
  readonly files: readonly FoundFile[];
  /** Of all files together. */
  readonly bytes: number;
}

/** Lists `folder`, by default the project's own. @throws {JobError} if it cannot be read. */
export async function findFolder(folder: string | undefined): Promise<FoundFolder> {
  const files = await listFiles(folder ?? PROJECT, folder === undefined ? LEFT_OUT : []);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { folder: folder ?? PROJECT, files, bytes };
}

/**
 * Digests every file by the workers of `plan`, and prints who did how much of it.
 *
 * @throws {JobError} when a digest is wrong, a worker is lost or a file cannot be read.
 */
export async function digestFolder(
  { folder, files, bytes }: FoundFolder,
  { digests, plan = EACH_RUNTIME }: { readonly digests: boolean; readonly plan?: readonly WorkerPlan[] },
): Promise<void> {
  console.log(`${files.length} files, ${formatBytes(bytes)}, in ${folder}`);
  const report = await digestFiles({ folder, files, plan });
  if (digests) printDigests(report);
  printReport(report);
}

function printDigests({ ledger }: Report): void {
  console.log();
  for (const { path, digest } of sorted(ledger.digested)) console.log(`${digest}  ${path}`);
}

function printReport({ ledger, seconds }: Report): void {
  console.log(`\n${formatTable(ledger.shares, seconds)}\n`);
  const count = ledger.digested.length;
  if (ledger.mistakes.length > 0) {
    throw new JobError(
      ["The digests do not match:", ...ledger.mistakes.map((mistake) => `  ${mistake}`)].join("\n"),
    );
  }
  const lines = sorted(ledger.digested).map(({ path, digest }) => `${digest}  ${path}\n`);
  const all = toHex(sha256(new TextEncoder().encode(lines.join(""))));
  console.log(`All ${count} digests match, in ${seconds.toFixed(1)} s. The digest of them all: ${all}`);
}

function sorted<Item extends { readonly path: string }>(items: readonly Item[]): readonly Item[] {
  return [...items].sort((a, b) => a.path < b.path ? -1 : 1);
}
