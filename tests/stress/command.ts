/**
 * What `npm run stress` is asked for.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { parseSize } from "../../src/log/configuration/units.ts";
import { UsageError } from "./faulty.ts";

export const USAGE = `npm run stress -- kill [--times 50] [--seed text]
npm run stress -- volume [--bytes 1GB] [--store memory|file]

Runs that take too long for the tests, each with a broker in a process of its own:

  kill         Kills the broker (SIGKILL) at random moments under load and restarts it on the same files, again and
               again. Publishers and readers go on without help. In the end everything that was acknowledged, at ack 1
               and at ack 2, must be there: once, in each publisher's order, where it was promised to be.
  volume       Publishes records of 1 KiB (order 5, ack 1) from one process, and reads them in another, a consumer that
               holds retention. All must be acknowledged and delivered in order, byte for byte, and no batch dropped.
               With the file store the broker may use at most 1.5 GB of memory.

  --times      how often the broker is killed. Default: 50
  --seed       what every choice follows from; printed, so that a run can be repeated. Default: another one each time
  --bytes      of all records: 500MB, 1GB, 10GB, 2GiB. Default: 1GB
  --store      memory, or file: in a temporary folder, which must have room for what the consumer has not read yet.
               Default: file
  --help       print this

Ends with 0 if everything is as it must be, with 1 if not, with 2 for arguments that are not understood. Files that tell
what went wrong in a kill run are kept; everything else is removed, also on Ctrl-C.
`;

export type StressCommand =
  | { readonly run: "help" }
  | { readonly run: "kill"; readonly times: number; readonly seed: string | undefined }
  | { readonly run: "volume"; readonly bytes: number; readonly store: "memory" | "file" };

const TIMES_MAX = 1_000_000;
const BYTES_MAX = 1_000_000_000_000;

/** @throws {UsageError} */
export function parseCommand(args: readonly string[]): StressCommand {
  const { values, positionals } = parse(args);
  if (values.help === true) return { run: "help" };
  const [run, ...rest] = positionals;
  if (run === undefined) throw new UsageError("Say what to run: kill or volume.");
  if (rest.length > 0) throw new UsageError(`There is too much: ${rest.join(" ")}.`);
  const { times = "50", seed, bytes = "1GB", store = "file" } = values;
  if (run === "kill") {
    refuse("kill", { bytes: values.bytes, store: values.store });
    const count = /^\d+$/.test(times) ? Number(times) : NaN;
    if (!(count >= 1 && count <= TIMES_MAX)) {
      throw new UsageError(`--times is ${times}: a whole number from 1 to ${TIMES_MAX} is allowed.`);
    }
    return { run, times: count, seed };
  }
  if (run === "volume") {
    refuse("volume", { times: values.times, seed });
    const size = parseSize(bytes) ?? NaN;
    if (!(size >= 1 && size <= BYTES_MAX)) {
      throw new UsageError(
        `--bytes is ${bytes}: a size from 1B to 1000GB is allowed, such as 1GB or 512MiB.`,
      );
    }
    if (store !== "memory" && store !== "file") {
      throw new UsageError(`--store is ${store}: memory and file are allowed.`);
    }
    return { run, bytes: size, store };
  }
  throw new UsageError(`There is no run ${run}: there are kill and volume.`);
}

interface Parsed {
  readonly values: {
    readonly times?: string;
    readonly seed?: string;
    readonly bytes?: string;
    readonly store?: string;
    readonly help?: boolean;
  };
  readonly positionals: readonly string[];
}

function parse(args: readonly string[]): Parsed {
  const text = { type: "string" } as const;
  const options = {
    times: text,
    seed: text,
    bytes: text,
    store: text,
    help: { type: "boolean", short: "h" },
  } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Options of the other run. */
function refuse(run: string, given: Readonly<Record<string, string | undefined>>): void {
  const [name] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
  if (name !== undefined) throw new UsageError(`${run} has no option --${name}.`);
}
