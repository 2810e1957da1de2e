import { test } from "node:test";
import { existsSync, readFileSync } from "node:fs";
import { assert, assertArrayIncludes, assertEquals } from "@std/assert";
import { listImports, maskSource } from "../../tools/source_mask.ts";
import { resolvePath } from "../../tools/tidy_rules.ts";

// The package goes to two registries, each with a manifest of its own. Here they are held to each other.

interface Target {
  readonly types: string;
  readonly browser: string;
  readonly module: string;
  readonly node: string;
  readonly default: string;
}

interface NpmManifest {
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, Target>>;
  readonly imports: Readonly<Record<string, Target>>;
  readonly sideEffects: boolean;
  readonly dependencies: Readonly<Record<string, string>>;
}

interface JsrManifest {
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly publish: { readonly include: readonly string[] };
}

interface CompilerConfig {
  readonly compilerOptions: { readonly paths: Readonly<Record<string, readonly string[]>> };
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, "utf8")) as T;
}

const npm: NpmManifest = readJson("package.json");
const jsr: JsrManifest = readJson("deno.json");
const entries: readonly (readonly [string, string])[] = Object.entries(jsr.exports);

/** Every file that the entries reach by relative imports, and the packages they name on the way. */
function publishedGraph(): { readonly files: Set<string>; readonly packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const waiting = entries.map(([, target]) => target.slice(2));
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (files.has(path)) continue;
    files.add(path);
    const source = readFileSync(path, "utf8");
    for (const { specifier } of listImports(source, maskSource(source))) {
      if (specifier.startsWith(".")) waiting.push(resolvePath(path, specifier));
      else if (specifier.startsWith("#")) waiting.push(jsr.imports[specifier]!.slice(2));
      else if (!specifier.startsWith("node:")) packages.add(specifier);
    }
  }
  return { files, packages };
}

test("both manifests offer the same entries, versions and licence", () => {
  assertEquals(Object.keys(npm.exports), Object.keys(jsr.exports));
  assertEquals(npm.version, jsr.version);
  assertEquals(npm.license, jsr.license);
  assertArrayIncludes(Object.keys(jsr.exports), [
    ".",
    "./core",
    "./node",
    "./deno",
    "./bun",
    "./memory",
    "./testing",
  ]);
});

/** The conditions in the order in which they count: what is for browsers wins where a bundler knows more than one. */
const CONDITIONS = ["types", "browser", "module", "node", "default"];

/** What browsers have in place of a source. */
const BROWSER_SOURCES: Readonly<Record<string, string>> = {
  "./adapters/platform.ts": "./adapters/web/platform.ts",
  "./adapters/store/platform_files.ts": "./adapters/web/files.ts",
};

/** What the build makes of a source. */
function builtFrom(source: string): Target {
  const path = source.replace(/^\.\//, "").replace(/\.ts$/, "");
  const file = `./dist/${path}.js`;
  const browser = (BROWSER_SOURCES[source] ?? source).replace(/^\.\//, "./dist/").replace(/\.ts$/, ".js");
  return {
    types: `./dist/${path}.d.ts`,
    browser,
    module: file,
    node: `./dist/bundle/${path}.js`,
    default: file,
  };
}

test("the conditions of every entry are in the order in which they count", () => {
  for (const target of [...Object.values(npm.exports), ...Object.values(npm.imports)]) {
    assertEquals(Object.keys(target), CONDITIONS);
  }
});

test("an npm entry is what the build makes of the JSR entry", () => {
  for (const [name, target] of entries) assertEquals(npm.exports[name], builtFrom(target), name);
});

test("a name for use inside the package means the same file everywhere", () => {
  const { paths } = readJson<CompilerConfig>("tsconfig.json").compilerOptions;
  assertEquals(Object.keys(npm.imports), Object.keys(jsr.imports).filter((name) => name.startsWith("#")));
  for (const [name, target] of Object.entries(npm.imports)) {
    const source = jsr.imports[name]!;
    assert(existsSync(source), `${source} is missing`);
    assertEquals(target, builtFrom(source), name);
    assertEquals(paths[name], [source], name);
  }
});

test("bundlers may drop every module of which nothing is used", () => {
  assertEquals(npm.sideEffects, false);
});

test("every entry exists", () => {
  assertEquals(entries.filter(([, target]) => !existsSync(target)).map(([name]) => name), []);
});

test("inside the project the package's own name means its sources", () => {
  const paths = readJson<CompilerConfig>("tsconfig.json").compilerOptions.paths;
  for (const [name, target] of entries) {
    const specifier = name.replace(/^\./, "hawser");
    assertEquals(jsr.imports[specifier], target, specifier);
    assertEquals(paths[specifier], [target], specifier);
  }
});

test("what the entries reach is published, and needs only declared packages", () => {
  const { files, packages } = publishedGraph();
  const covered = (path: string): boolean =>
    !path.endsWith("_test.ts") &&
    jsr.publish.include.some((part) => path === part || path.startsWith(`${part}/`));
  assertEquals([...files].filter((path) => !covered(path)), []);
  assertEquals([...packages].filter((name) => npm.dependencies[name.split("/")[0]!] === undefined), []);
  for (const [name, range] of Object.entries(npm.dependencies)) {
    assertEquals(jsr.imports[name], `npm:${name}@${range}`, name);
  }
  assert(files.size > entries.length, "the entries import nothing");
});

test("the lock file lets a clean install work on every platform", () => {
  // npm leaves out what it did not install itself, and then `npm ci` refuses the lock file elsewhere.
  const { packages } = readJson<{ packages: Readonly<Record<string, unknown>> }>("package-lock.json");
  for (const name of ["deno", "bun", "esbuild", "rollup", "rolldown"]) {
    const manifest = readJson<{ optionalDependencies: Readonly<Record<string, string>> }>(
      `node_modules/${name}/package.json`,
    );
    const missing = Object.keys(manifest.optionalDependencies).filter((platform) =>
      packages[`node_modules/${platform}`] === undefined
    );
    assertEquals(missing, [], `add them to package-lock.json, with version, os and cpu`);
  }
});
