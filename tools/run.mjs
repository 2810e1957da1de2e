// `node tools/run.mjs <entry> [arguments]`: makes the checkout ready, then runs one of the project's own programs.
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { BUILD } from "./paths.mjs";
import { runInherited } from "./process.mjs";
import { reportAndExit, setup, SetupError } from "./setup.mjs";

const [entry = "", ...args] = process.argv.slice(2);
try {
  const { build } = await setup();
  const program = join(BUILD, `${entry}.js`);
  if (!existsSync(program)) throw new SetupError(`${build.output}\n\nThere is no ${entry}.ts to run.`.trim());
  if (!build.ok) {
    console.error(`${build.output}\n\nThe build found the errors above; going on with what it wrote.`);
  }
  // npm runs scripts in the project's folder; a relative path on the command line means the caller's.
  const cwd = process.env.npm_lifecycle_event === undefined
    ? process.cwd()
    : process.env.INIT_CWD ?? process.cwd();
  process.exitCode = await runInherited(process.execPath, ["--enable-source-maps", program, ...args], {
    cwd,
  });
} catch (error) {
  reportAndExit(error);
}
