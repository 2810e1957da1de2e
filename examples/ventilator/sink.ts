/** The sink: takes the digests that the workers found. */

import { type Message, MisuseError, type Publisher, type Pull } from "../../mod.ts";
import { JobError } from "./job_error.ts";
import type { Ledger } from "./ledger.ts";
import { PROGRESS_TOPIC, textOf } from "./messages.ts";
import { percentOf } from "./progress.ts";

/** What comes from where. */
export interface Collection {
  /** Its `receiveTimeout` is how long nothing may come while something is due. */
  readonly results: Pull;
  readonly control: Publisher;
  readonly ledger: Ledger;
}

/** Books every answer and publishes how far the work is, until everything is there. */
export async function collect({ results, control, ledger }: Collection): Promise<void> {
  let percent = percentOf(ledger.progress);
  await control.send([PROGRESS_TOPIC, JSON.stringify(ledger.progress)]);
  while (!ledger.done) {
    const [label, task, digest] = await nextResult(results, ledger);
    ledger.settle({ label: textOf(label), task: Number(textOf(task)), digest: digest! });
    if (percentOf(ledger.progress) === percent) continue;
    percent = percentOf(ledger.progress);
    await control.send([PROGRESS_TOPIC, JSON.stringify(ledger.progress)]);
  }
}

async function nextResult(results: Pull, ledger: Ledger): Promise<Message> {
  for (;;) {
    try {
      return await results.receive();
    } catch (error) {
      if (!(error instanceof MisuseError) || error.code !== "ERR_AGAIN") throw error;
      // Nothing is due while a slow disk is being read.
      if (ledger.waiting === 0) continue;
      throw new JobError(
        `No digest came for ${results.receiveTimeout / 1000} s, though ${ledger.waiting} are due.`,
      );
    }
  }
}
