/**
 * Ack runs: consecutive batches with consecutive positions, as acknowledgements carry them. The box is in layout.ts.
 *
 * @module
 */

import { readU53, viewOver, writeU32, writeU53, writeU64 } from "./fields.ts";
import { RUN_BYTES } from "./layout.ts";
import type { AckRun } from "./messages.ts";
import { Fault } from "./wire_error.ts";

/** The runs, behind `before` bytes that are the caller's to fill. */
export function encodeRuns(runs: readonly AckRun[], before = 0): Uint8Array {
  const body = new Uint8Array(before + runs.length * RUN_BYTES);
  const view = viewOver(body);
  let at = before;
  for (const { batch, batches, position } of runs) {
    writeU53(view, at, batch, "batch of a run");
    writeU32(view, at + 8, batches, "batches of a run");
    writeU64(view, at + 16, position, "position of a run");
    at += RUN_BYTES;
  }
  return body;
}

/** Exactly `count` runs behind `before` bytes. */
export function decodeRuns(body: Uint8Array, count: number, before = 0): AckRun[] | Fault {
  const bytes = before + count * RUN_BYTES;
  if (body.length !== bytes) {
    return new Fault(`its body has ${body.length} bytes, and ${count} runs need ${bytes}`);
  }
  const view = viewOver(body);
  const runs: AckRun[] = [];
  for (let at = before; at < bytes; at += RUN_BYTES) {
    const batch = readU53(view, at);
    const batches = view.getUint32(at + 8, true);
    if (batch < 0 || batches === 0 || view.getUint32(at + 12, true) !== 0) {
      return new Fault(
        `its run ${runs.length} has no batch, a batch above 2^53-1 or reserved bytes that are not 0`,
      );
    }
    runs.push({ batch, batches, position: view.getBigUint64(at + 16, true) });
  }
  return runs;
}
