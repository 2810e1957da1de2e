/**
 * What the entries show of their classes, as `deno doc` reads it: from the sources, which JSR publishes, and from the
 * declarations, which npm does.
 *
 * Started by `tools/run.mjs`, without its extension, it writes what is shown now to surface.json, which a test holds both to.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { binary, ENVIRONMENT, PROJECT } from "./stranger.ts";

/** The file that says what is meant to be shown. */
export const SURFACE_FILE = "tests/package/surface.json";

/** By entry: the members of every exported class. */
export type Surface = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** What surface.json holds. */
export interface Meant {
  readonly classes: Surface;
  /** Every name that `hawser/core` exports: it would grow with every file of the core. */
  readonly core: readonly string[];
}

interface Documented {
  readonly name: string;
  readonly accessibility?: "private" | "protected";
  readonly isStatic?: boolean;
  readonly jsDoc?: { readonly tags?: readonly { readonly kind: string }[] };
}

interface ClassDefinition {
  readonly isAbstract: boolean;
  readonly constructors?: readonly Documented[];
  readonly properties?: readonly Documented[];
  readonly methods?: readonly Documented[];
}

interface DocumentedSymbol {
  readonly name: string;
  readonly declarations: readonly { readonly kind: string; readonly def?: unknown }[];
}

/** The entries, by their names as packages, with their files. */
function entryFiles(): readonly (readonly [string, string])[] {
  const { exports } = JSON.parse(readFileSync(join(PROJECT, "deno.json"), "utf8")) as {
    exports: Readonly<Record<string, string>>;
  };
  return Object.entries(exports).map(([name, file]) => [name.replace(/^\./, "hawser"), file]);
}

/** The entries of one tree of sources, or of declarations made to look like sources. */
export class Entries {
  readonly #root: string;
  /** Whether what is marked @internal is hidden. In declarations it must not be there. */
  readonly #hides: boolean;
  readonly #entries: readonly (readonly [string, string])[] = entryFiles();

  private constructor(root: string, hides: boolean) {
    this.#root = root;
    this.#hides = hides;
  }

  static ofSources(): Entries {
    return new Entries(PROJECT, true);
  }

  /** `deno doc` follows an import to the source, so each declaration is copied to the name of its source. */
  static ofDeclarations(): Entries {
    const from = join(PROJECT, "dist");
    const root = mkdtempSync(join(tmpdir(), "hawser-surface-"));
    for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
      if (!entry.name.endsWith(".d.ts")) continue;
      const path = join(entry.parentPath, entry.name);
      cpSync(path, join(root, relative(from, path).replace(/\.d\.ts$/, ".ts")));
    }
    // Only the names of its own: `#files` is one of a type, too.
    const { imports } = JSON.parse(readFileSync(join(PROJECT, "deno.json"), "utf8")) as {
      imports: Readonly<Record<string, string>>;
    };
    const own = Object.entries(imports).filter(([name]) => name.startsWith("#"));
    writeFileSync(join(root, "deno.json"), JSON.stringify({ imports: Object.fromEntries(own) }));
    return new Entries(root, false);
  }

  remove(): void {
    if (this.#root !== PROJECT) rmSync(this.#root, { recursive: true, force: true });
  }

  /** What the exported classes show, and what `hawser/core` exports. */
  shown(): Meant {
    const symbols = this.#symbols();
    const classes = Object.fromEntries(
      this.#entries.map(([name]) => [
        name,
        Object.fromEntries(symbols.get(name)!.flatMap((symbol) => classMembers(symbol, this.#hides))),
      ]),
    );
    return { classes, core: symbols.get("hawser/core")!.map(({ name }) => name).sort() };
  }

  /** Classes of which anybody may make instances of nothing: their constructor is hidden, and the one without arguments takes its place. */
  hiddenConstructors(): string[] {
    return [...this.#symbols().values()].flat().filter(({ declarations }) =>
      declarations.some(({ kind, def }) =>
        kind === "class" && ((def as ClassDefinition).constructors ?? []).some(isInternal)
      )
    ).map(({ name }) => name);
  }

  /** Types that what is exported names though no entry exports them. */
  unexportedTypes(): string[] {
    const { stderr, stdout } = this.#doc(["--lint"]);
    const references = `${stdout}${stderr}`.matchAll(
      /private-type-ref\]: public type '(.+)' references private type '(.+)'/g,
    );
    // They are exported together, as the namespace LogMessages.
    const text = readFileSync(join(this.#root, "src/log/wire/messages.ts"), "utf8");
    const messages = [...text.matchAll(/^export (?:declare )?(?:interface|type) (\w+)/gm)].map(([, name]) =>
      name
    );
    return [...references].filter(([, , to]) => !messages.includes(to!)).map(([, from, to]) =>
      `${from}: ${to}`
    );
  }

  /** By entry. */
  #symbols(): Map<string, readonly DocumentedSymbol[]> {
    const { stdout } = this.#doc(["--json"]);
    const { nodes } = JSON.parse(stdout) as {
      nodes: Readonly<Record<string, { readonly symbols: readonly DocumentedSymbol[] }>>;
    };
    return new Map(
      this.#entries.map(([name, file]) => [name, nodes[pathToFileURL(join(this.#root, file)).href]!.symbols]),
    );
  }

  #doc(options: readonly string[]): { readonly stdout: string; readonly stderr: string } {
    const args = ["doc", ...options, ...this.#entries.map(([, file]) => file)];
    const settings = { cwd: this.#root, env: ENVIRONMENT, encoding: "utf8", maxBuffer: 2 ** 28 } as const;
    const { error, stdout, stderr } = spawnSync(binary("deno"), args, settings);
    if (error !== undefined) throw error;
    return { stdout, stderr };
  }
}

function isInternal({ jsDoc }: Documented): boolean {
  return jsDoc?.tags?.some(({ kind }) => kind === "internal") ?? false;
}

function classMembers(
  { name, declarations }: DocumentedSymbol,
  hides: boolean,
): (readonly [string, string[]])[] {
  return declarations.filter(({ kind }) => kind === "class").map(({ def }) => {
    const { constructors = [], properties = [], methods = [] } = def as ClassDefinition;
    const makers = constructors.map((maker) => ({ ...maker, name: "new" }));
    const members = [...makers, ...properties, ...methods].filter((member) =>
      member.accessibility !== "private" && !(hides && isInternal(member))
    );
    // A getter and its setter are one.
    return [name, [...new Set(members.map(memberName))].sort()];
  });
}

function memberName({ name, accessibility, isStatic }: Documented): string {
  return [accessibility, isStatic === true ? "static" : undefined, name].filter((word) => word !== undefined)
    .join(" ");
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(
    join(PROJECT, SURFACE_FILE),
    `${JSON.stringify(Entries.ofSources().shown(), undefined, 2)}\n`,
  );
}
