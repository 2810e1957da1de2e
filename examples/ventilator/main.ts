/**
 * `npm start [folder]`: digests every file of a folder, on Node, Deno and Bun at once.
 *
 * Read on in job.ts, which has a picture of it; worker.ts is the other side.
 */

import process from "node:process";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { sha256, toHex } from "./digest.ts";
import { listFiles } from "./files.ts";
import { formatBytes, formatTable } from "./format.ts";
import { digestFiles, type Report } from "./job.ts";
import { JobError } from "./job_error.ts";
import { PROJECT } from "./workers.ts";

const USAGE = `npm start [folder] [-- options]

Digests (SHA-256) every file of a folder by three workers: one process each on Node, Deno and Bun. The contents go out
over a PUSH socket, the digests come back to a PULL socket, and each is compared with a digest made here.

  folder       what to read, with everything below. Default: this project, without packages and build output.
               Symbolic links are not followed.
  --digests    print the digest of every file: of its content, or above 1 MiB of the digests of its 1 MiB pieces
  --help       print this

Ends with 0 if every digest is right, with 1 if not, or if a worker is lost or something cannot be read.
`;

/** What of the project's own folder is not the project. */
const LEFT_OUT = ["node_modules", ".git", ".build", "dist"];

async function main(): Promise<void> {
  const { folder, digests } = readArguments(process.argv.slice(2));
  const files = await listFiles(folder ?? PROJECT, folder === undefined ? LEFT_OUT : []);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  console.log(`${files.length} files, ${formatBytes(bytes)}, in ${folder ?? PROJECT}`);
  const report = await digestFiles(folder ?? PROJECT, files);
  if (digests) printDigests(report);
  printReport(report);
}

function readArguments(
  args: readonly string[],
): { readonly folder: string | undefined; readonly digests: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { help: { type: "boolean", short: "h" }, digests: { type: "boolean", default: false } },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (positionals.length > 1) throw new Error(`One folder, please, not ${positionals.length}.`);
    const [folder] = positionals;
    return { folder: folder === undefined ? undefined : resolve(folder), digests: values.digests };
  } catch (error) {
    throw new JobError(`${(error as Error).message}\n\n${USAGE}`, 2);
  }
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

try {
  await main();
} catch (error) {
  if (!(error instanceof JobError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
