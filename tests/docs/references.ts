/**
 * Finds what documents say about the project's tree: paths, headings, scripts, names of the code.
 *
 * @module
 */

/** Something that a document names, and the line where it does. */
export interface Reference {
  readonly line: number;
  readonly name: string;
}

interface Line {
  readonly number: number;
  readonly text: string;
  /** The language of the block that the line stands in; `undefined`: it stands in none. */
  readonly block: string | undefined;
}

const FENCE = /^\s*(?:`{3,}|~{3,})\s*(\w*)/;
const FOLDERS = "(?:src|tests|tools|docs|examples|bench|cli|adapters|testing)";
const FULL_PATH = new RegExp(`(?<![\\w./:@-])${FOLDERS}/[\\w./*<>-]*`, "g");
const FILE_NAME = /`((?:[\w*-]+\/)*[a-z0-9][\w*-]*\.(?:ts|mjs))`/g;

function linesOf(text: string): Line[] {
  let block: string | undefined;
  return text.split("\n").flatMap((line, index) => {
    const fence = FENCE.exec(line);
    if (fence === null) return [{ number: index + 1, text: line, block }];
    block = block === undefined ? fence[1]! : undefined;
    return [];
  });
}

/** A path as documents write it: `*` and `<name>` stand for anything within one name. */
function patternOf(path: string): RegExp {
  const escaped = path.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll(/\*|<[^>]*>/g, "[^/]*");
  return new RegExp(`^${escaped}$`);
}

/** Files and folders, as a tree to look paths up in. */
export class Tree {
  readonly #paths: ReadonlySet<string>;

  /** `files` are relative to the project's folder. */
  constructor(files: readonly string[]) {
    const folders = files.flatMap((file) => {
      const parts = file.split("/").slice(0, -1);
      return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
    });
    this.#paths = new Set([...files, ...folders]);
  }

  /** Whether there is a file or folder with this path, which may have gaps. */
  has(path: string): boolean {
    const whole = path.replace(/\/$/, "");
    if (this.#paths.has(whole)) return true;
    const pattern = patternOf(whole);
    return /[*<]/.test(whole) && [...this.#paths].some((known) => pattern.test(known));
  }

  /** All whose path ends with `end`. */
  endingWith(end: string): string[] {
    return [...this.#paths].filter((known) => known === end || known.endsWith(`/${end}`));
  }
}

/**
 * Every path of a document that is not in the tree. A file without its folder is looked for in the folder of the last
 * path before it on the same line, then beside the document; anywhere else only one file may have its name.
 */
export function missingPaths(document: string, text: string, tree: Tree): Reference[] {
  const beside = document.slice(0, document.lastIndexOf("/") + 1);
  return linesOf(text).flatMap(({ number, text: line, block }) => {
    if (block !== undefined && block !== "") return [];
    const full = [...line.matchAll(FULL_PATH)].map((match) => ({
      index: match.index,
      path: match[0].replace(/[.-]+$/, ""),
    }));
    const missing = full.filter(({ path }) => !tree.has(path)).map(({ path }) => path);
    for (const match of line.matchAll(FILE_NAME)) {
      const name = match[1]!;
      if (full.some(({ path }) => path === name)) continue;
      const last = full.filter(({ index }) => index < match.index).at(-1)?.path;
      const near = last === undefined ? [] : [last.slice(0, last.lastIndexOf("/") + 1) + name];
      if ([...near, beside + name].some((path) => tree.has(path))) continue;
      if (tree.endingWith(name).length !== 1) missing.push(name);
    }
    return missing.map((name) => ({ line: number, name }));
  });
}

/** Folders (`wire/`) and files (`ring.ts`) in drawings of the tree that stand nowhere below one of `roots`. */
export function missingInDrawings(text: string, roots: readonly string[], tree: Tree): Reference[] {
  return linesOf(text).filter(({ block }) => block === "").flatMap(({ number, text: line }) =>
    [...line.matchAll(/(?<![\w./])[\w./]+(?:\/|\.ts)(?![\w.])/g)].map(([name]) => name.replace(/\/$/, ""))
      .filter((name) =>
        !tree.has(name) && !tree.endingWith(name).some((path) => roots.some((root) => path.startsWith(root)))
      )
      .map((name) => ({ line: number, name }))
  );
}

/** The anchors that GitHub gives to a document's headings. */
export function headingAnchors(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const { text: line, block } of linesOf(text)) {
    const heading = /^#{1,6} +(.*?)\s*$/.exec(line)?.[1];
    if (heading === undefined || block !== undefined) continue;
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = words.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/** Links to a heading: the document they lead to, `""` for their own, and its anchor. */
export function anchorLinks(text: string): (Reference & { readonly document: string })[] {
  return linesOf(text).filter(({ block }) => block === undefined).flatMap(({ number, text: line }) =>
    [...line.replaceAll(/`[^`]*`/g, "").matchAll(/\]\((?![a-z]+:)([^)\s#]*)#([^)\s]+)\)/g)]
      .map(([, document, name]) => ({ line: number, document: document!, name: name! }))
  );
}

/** The scripts of package.json that a document names outside of its blocks. */
export function namedScripts(text: string): Reference[] {
  return linesOf(text).filter(({ block }) => block === undefined).flatMap(({ number, text: line }) =>
    [...line.matchAll(/\bnpm run ([\w:-]+)|\bnpm (start|test)\b/g)]
      .map(([, run, short]) => ({ line: number, name: (run ?? short)! }))
  );
}

/** Names of the code, such as `inputSide`, `Journal.whenDurable` and `LINK_BYTES_MAX`, that a document sets as code. */
export function codeNames(text: string): Reference[] {
  return linesOf(text).filter(({ block }) => block === undefined).flatMap(({ number, text: line }) =>
    [...line.matchAll(/`([^`]+)`/g)].filter(([, code]) => !/\/|\.(?:ts|mjs|md)\b/.test(code!))
      .flatMap(([, code]) => code!.match(/(?<![\w-])[A-Za-z_$][\w$]*/g) ?? [])
      .filter((name) => /[a-z][A-Z]|_/.test(name))
      .map((name) => ({ line: number, name }))
  );
}
