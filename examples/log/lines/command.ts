/** The job from its files to its report. job.ts has a picture of what happens in between. */

import type { FoundFolder } from "../../ventilator/command.ts";
import { alignColumns, formatBytes } from "../../ventilator/format.ts";
import { JobError } from "../../ventilator/job_error.ts";
import { streamLines } from "./job.ts";
import type { Outcome } from "./stream.ts";

/**
 * Streams the lines of all files through the log, and prints what came of it.
 *
 * @throws {JobError} when what comes out is not what went in, a process is lost or a file cannot be read.
 */
export async function streamFolder(found: FoundFolder): Promise<void> {
  const { folder, files, bytes } = found;
  console.log(`the lines of ${files.length} files, ${formatBytes(bytes)}, in ${folder}`);
  printOutcome(await streamLines(found));
}

function printOutcome({ verifier, seconds, changed }: Outcome): void {
  const { lines, bytes, deliveries, mistakes } = verifier;
  const rows = [["publisher", "lines", "bytes"]];
  for (const [name, delivery] of deliveries) {
    rows.push([name, String(delivery.lines), formatBytes(delivery.bytes)]);
  }
  rows.push(["total", String(lines), formatBytes(bytes)]);
  console.log(`\n${alignColumns(rows)}\n`);
  if (changed.length > 0) {
    throw new JobError(
      `Files were changed while they were read, so their lines cannot be compared: ${changed.join(", ")}.`,
    );
  }
  if (mistakes.length > 0) {
    throw new JobError(
      ["The log is not what was published:", ...mistakes.map((mistake) => `  ${mistake}`)].join("\n"),
    );
  }
  console.log(
    `No hole, no duplicate; every publisher's lines in its order, byte for byte. ${lines} positions in ` +
      `${seconds.toFixed(1)} s: ${Math.round(lines / seconds)} positions/s, ${
        (bytes / seconds / 1e6).toFixed(1)
      } MB/s`,
  );
}
