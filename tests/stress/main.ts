/**
 * `npm run stress`: runs that take too long for the tests.
 *
 * @module
 */

import process from "node:process";
import { LogError } from "../../log.ts";
import { parseCommand, type StressCommand, USAGE } from "./command.ts";
import { Faulty, Interrupted, UsageError } from "./faulty.ts";
import { runKill } from "./kill.ts";
import { killTable, volumeTable } from "./tables.ts";
import { runVolume } from "./volume.ts";

async function run(command: StressCommand): Promise<void> {
  switch (command.run) {
    case "help":
      process.stdout.write(USAGE);
      return;
    case "kill": {
      const seed = command.seed ?? String(Date.now());
      console.log(`kill: ${command.times} times, seed ${seed}`);
      const outcome = await runKill({ times: command.times, seed, say: console.log });
      console.log(`\n${killTable(outcome)}\n\nNothing is lost, nothing doubled, everything in order.`);
      return;
    }
    case "volume": {
      const { bytes, store } = command;
      console.log(`volume: ${bytes} bytes in records of 1 KiB, ${store} store`);
      const outcome = await runVolume({ bytes, store, say: console.log });
      console.log(
        `\n${volumeTable(outcome, store)}\n\nNothing is lost, nothing dropped, everything in order.`,
      );
    }
  }
}

try {
  await run(parseCommand(process.argv.slice(2)));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
  } else if (error instanceof Interrupted) {
    console.error(error.message);
    process.exitCode = error.code;
  } else if (error instanceof Faulty || error instanceof LogError) {
    console.error(error.message);
    process.exitCode = 1;
  } else {
    throw error;
  }
}
