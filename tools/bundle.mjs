// The package's JavaScript once more, in few files, for runtimes: they find, read and link each module by
// itself, which takes longer than running it. Bundlers get one file for each source, because they can leave
// out whole files only.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { transform } from "esbuild";
import { rollup } from "rollup";

/** Where the files are, in the compiled package. */
export const BUNDLE = "bundle";

const OWN = /^[./]|^[A-Za-z]:\\/;
/** A class that shares its file with one of the same name would show another one. */
const RENAMED_CLASS = /\bclass (\w+\$\d+)\b/;

/**
 * Writes `folder`/bundle: the entries that `manifest`, a package.json, names, and what they share. What the
 * package does not hold stays an import: Node's modules, packages, `#platform`.
 */
export async function bundle(folder, manifest) {
  const root = resolve(folder);
  const bundled = await rollup({
    input: entriesOf(root, manifest),
    external: (id) => !OWN.test(id),
    preserveEntrySignatures: "strict",
    onwarn(warning) {
      throw new Error(warning.message);
    },
  });
  const { output } = await bundled.generate({
    format: "es",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name].js",
    manualChunks: sharedChunks(root),
  });
  await bundled.close();
  for (const { fileName, code } of output) {
    const renamed = RENAMED_CLASS.exec(code)?.[1];
    if (renamed !== undefined) throw new Error(`${fileName}: a class became ${renamed}`);
    const path = join(root, BUNDLE, fileName);
    mkdirSync(dirname(path), { recursive: true });
    // Most comments go: they are in the files that each come from one source.
    writeFileSync(path, (await transform(code, { target: "es2022", legalComments: "none" })).code);
  }
}

/** The files that the manifest names for runtimes, by their paths without the ending. */
function entriesOf(root, { exports, imports, bin }) {
  const targets = [...Object.values(exports), ...Object.values(imports)].map((target) => target.node);
  const paths = [...targets, ...Object.values(bin)].map((path) => path.slice(`./dist/${BUNDLE}/`.length));
  return Object.fromEntries(paths.map((path) => [path.replace(/\.js$/, ""), join(root, path)]));
}

/**
 * Which chunk a module belongs to, so that `import "hawser"` reads five files. By itself rollup makes a chunk
 * of each set of modules that the same entries use, and there are many such sets. These follow what a program
 * loads at once: the host, what the core has in common with the sockets, the rest of the sockets, and what
 * the core has in common with the log.
 */
function sharedChunks(root) {
  const entries = ["adapters/detect.js", "adapters/shared_host.js", "src/core.js", "mod.js"];
  // The names that mean another file for each platform are imports of the package, which rollup does not follow.
  const platforms = ["adapters/platform.js", "log.js", "adapters/store/platform_files.js"];
  let reached;
  return (id, { getModuleInfo }) => {
    reached ??= [...entries, ...platforms].map((entry) => reachable(join(root, entry), getModuleInfo));
    const [detect, host, core, sockets, platform, log, files] = reached.map((modules) => modules.has(id));
    if (detect || host) return "host";
    if ([...entries, ...platforms].some((entry) => join(root, entry) === id)) return undefined;
    if (sockets || platform) return core ? "engine" : "sockets";
    if (!id.startsWith(join(root, "src", "log"))) return undefined;
    return core ? "wire" : log || files ? "log" : undefined;
  };
}

/** A module and what it imports, and so on. */
function reachable(entry, getModuleInfo) {
  const found = new Set([entry]);
  for (const id of found) {
    for (const next of getModuleInfo(id)?.importedIds ?? []) found.add(next);
  }
  return found;
}
