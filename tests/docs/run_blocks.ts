/**
 * Runs programs one after another in this process: `run_blocks <file>…`. Before the output of each goes a line with
 * `MARK` and its place in the list, and behind the last one with `MARK` and `end`.
 */

import process from "node:process";
import { pathToFileURL } from "node:url";

/** No program prints this. */
const MARK = "\u0002block ";

for (const [index, path] of process.argv.slice(2).entries()) {
  console.log(`${MARK}${index}`);
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}
console.log(`${MARK}end`);
