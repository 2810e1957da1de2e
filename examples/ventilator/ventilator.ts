/** The ventilator: reads the files and hands out their contents. */

import { join } from "node:path";
import type { Push } from "../../mod.ts";
import { type FoundFile, readPieces } from "./files.ts";
import type { Ledger } from "./ledger.ts";

/** What goes where. */
export interface Ventilation {
  readonly folder: string;
  readonly files: readonly FoundFile[];
  readonly tasks: Push;
  readonly ledger: Ledger;
}

/** Hands out all contents. `send` waits while every worker has enough to do, and so does the reading. */
export async function ventilate({ folder, files, tasks, ledger }: Ventilation): Promise<void> {
  for (const { path } of files) {
    for await (const piece of readPieces(join(folder, path))) {
      await tasks.send([ledger.add(path, piece), piece.content]);
    }
  }
}
