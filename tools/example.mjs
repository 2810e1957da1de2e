// `npm run example -- NAME`: runs the example of that name, a file or a folder with a main.ts.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./paths.mjs";

const [name = ""] = process.argv.splice(2, 1);
const folder = join(ROOT, "examples");
const entry = [name, `${name}/main`].find((path) => name !== "" && existsSync(join(folder, `${path}.ts`)));
if (entry === undefined) {
  const names = readdirSync(folder, { withFileTypes: true }).flatMap((found) => {
    if (found.isDirectory()) return existsSync(join(folder, found.name, "main.ts")) ? [found.name] : [];
    return found.name.endsWith(".ts") ? [found.name.replace(/\.ts$/, "")] : [];
  });
  console.error(`npm run example -- NAME\n\nNAME is one of ${names.sort().join(", ")}.`);
  process.exitCode = 2;
} else {
  process.argv.splice(2, 0, `examples/${entry}`);
  await import("./run.mjs");
}
