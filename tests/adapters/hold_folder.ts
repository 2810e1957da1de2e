// A program for the tests: locks the folder of its argument, says `locked` or why it could not, and stays until it is
// killed or told to go by a line.
import process from "node:process";
import { lockFolder } from "../../adapters/store/folder_lock.ts";
import { LogError } from "../../src/log/errors.ts";

try {
  const lock = await lockFolder(process.argv[2] ?? "");
  console.log("locked");
  process.stdin.once("data", () => void lock.release().then(() => process.exit()));
} catch (error) {
  if (!(error instanceof LogError)) throw error;
  console.log(`${error.code} ${error.message}`);
}
