/**
 * House rules that no linter knows: what the pure core may name and import, how long a file and a function may
 * be, and what must never be committed. Every rule is a function of one file, so that each can be tried on a
 * few bad lines.
 *
 * @module
 */

import { lineAt, listImports, maskSource } from "./source_mask.ts";

/** One file of the project. `path` is relative to the project's folder, with `/`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 60;
const LINE_COLUMNS_MAX = 110;
const CODE = /\.(?:ts|mts|js|mjs)$/;
const TEST = /_test\.ts$/;

/** Every breach of a rule in `file`, as `path:line: what is wrong`. */
export function tidyFindings(file: SourceFile): string[] {
  const findings: string[] = [];
  const report: Report = (line, text) => findings.push(`${file.path}:${line}: ${text}`);
  checkText(file, report);
  checkWidth(file, report);
  if (!CODE.test(file.path)) return findings;
  const code: Code = { ...file, masked: maskSource(file.text), report };
  checkName(code);
  checkTestSwitches(code);
  if (!TEST.test(file.path)) {
    checkLength(code);
    checkFunctions(code);
  }
  if (isPublished(file.path)) {
    checkPublishedImports(code);
    checkPrivacy(code);
  }
  if (/^(?:src|adapters|testing)\//.test(file.path)) checkSlices(code);
  if (file.path.startsWith("src/")) {
    checkPurity(code);
    checkLayers(code);
  }
  return findings;
}

type Report = (line: number, text: string) => void;

interface Code extends SourceFile {
  readonly masked: string;
  readonly report: Report;
}

/** Reports every place where `pattern`, a global expression, matches. */
function ban(
  { text, report }: Pick<Code, "text" | "report">,
  pattern: RegExp,
  say: (found: string) => string,
): void {
  for (const match of text.matchAll(pattern)) report(lineAt(text, match.index), say(match[0]));
}

// Written in halves, because this file is checked as well.
const MARKERS = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`, "g");
const MACHINE_PATHS = new RegExp(
  `(?<![\\w.])/${"wo"}rk/|(?<![\\w.])/${"ro"}ot/|(?<![\\w.])/${"ho"}me/\\w+/`,
  "g",
);
const REGISTRIES = new RegExp(
  `\\b(?:registry\\.(?:${"npm"}js|${"yarn"}pkg)|${"npm"}\\.jsr\\.|${"arti"}factory|${"verda"}ccio)|"${"resol"}ved": "http`,
  "gi",
);

/** What no file may hold, test or not, code or not. */
function checkText(file: SourceFile, report: Report): void {
  const where = { text: file.text, report };
  if (!TEST.test(file.path)) ban(where, MARKERS, (found) => `${found}: finish it or write it down elsewhere`);
  ban(where, MACHINE_PATHS, (found) => `${found}… is a path of one machine`);
  ban(where, REGISTRIES, (found) => `${found}… names a package registry`);
}

/**
 * Files, and folders with all that is in them, whose lines are not held to their width yet. What is mended is taken
 * out, and nothing is put in.
 */
const WIDE_YET: readonly string[] = [
  "bench/",
  "cli/",
  "examples/",
  "log.ts",
  "src/log/",
  "tests/",
  "tools/",
];

/**
 * Lines of code, comments and documents end where a reader's window does. A table, a block of a document and an
 * address cannot be broken.
 */
function checkWidth({ path, text }: SourceFile, report: Report): void {
  const document = path.endsWith(".md");
  if (!document && !CODE.test(path)) return;
  if (WIDE_YET.some((wide) => wide.endsWith("/") ? path.startsWith(wide) : path === wide)) return;
  let block = false;
  text.split("\n").forEach((line, index) => {
    // Doc comments have blocks as well.
    const fence = /^\s*(?:\* )?(?:`{3,}|~{3,})/.test(line);
    if (fence) block = !block;
    if (block || fence || (document && line.startsWith("|")) || /https?:\/\//.test(line)) return;
    const columns = [...line].length;
    if (columns > LINE_COLUMNS_MAX) report(index + 1, `${columns} columns; ${LINE_COLUMNS_MAX} is the most`);
  });
}

function checkName({ path, report }: Code): void {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (!/^[a-z0-9]+(?:_[a-z0-9]+)*(?:\.d)?\.\w+$/.test(name)) report(1, "file names are snake_case");
}

function checkTestSwitches({ masked, report }: Code): void {
  ban({ text: masked, report }, /\.only\s*\(/g, () => "a test that runs alone hides all others");
  // Deno counts a test that skips itself as passed.
  ban({ text: masked, report }, /\bt\.(?:skip|todo)\s*\(/g, () => 'skip a test with { skip: "the reason" }');
}

function checkLength({ text, report }: Code): void {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  if (lines > FILE_LINES_MAX) report(lines, `${lines} lines; split by concern before ${FILE_LINES_MAX}`);
}

const NOT_A_METHOD =
  /^(?:if|for|while|switch|catch|return|do|else|try|await|throw|new|super|with|yield|case)\b/;
const FUNCTION_START = /^(?:export |default |async |static |override |readonly )*function\b/;
const METHOD_START =
  /^(?:static |override |async |get |set |\*)*(?:#?[A-Za-z_$][\w$]*|\[[^\]]+\])\??(?:<.*>)?\(/;

/**
 * The formatter sees to it that a body ends on the first later line of the same indentation that begins with a
 * brace, so lengths can be read off without a parser.
 */
function checkFunctions({ masked, report }: Code): void {
  const lines = masked.split("\n").map((line) => line.trimEnd());
  lines.forEach((line, index) => {
    const code = line.trimStart();
    const arrow = code.endsWith("=> {");
    const named = FUNCTION_START.test(code) || (METHOD_START.test(code) && !NOT_A_METHOD.test(code));
    if ((!arrow && !named) || !/[{(,]$/.test(code)) return;
    const end = blockEnd(lines, index, line.length - code.length);
    // A call and a signature look like a method's first line, but end with `)`.
    if (!(arrow ? /^\}/ : /^\},?$/).test(lines[end]?.trimStart() ?? "")) return;
    const length = end - index + 1;
    if (length > FUNCTION_LINES_MAX) {
      report(index + 1, `a function of ${length} lines; ${FUNCTION_LINES_MAX} is the most`);
    }
  });
}

/** The index of the last line of what begins at `start`. */
function blockEnd(lines: readonly string[], start: number, indent: number): number {
  for (let index = start + 1; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const code = line.trimStart();
    // Lines like `): Result {` and `} {` still belong to the head.
    if (code !== "" && line.length - code.length <= indent && !/[{(]$/.test(code)) return index;
  }
  return lines.length - 1;
}

/** What goes to the registries: tests and tools do not. */
export function isPublished(path: string): boolean {
  if (TEST.test(path)) return false;
  return path === "mod.ts" || path === "log.ts" ||
    /^(?:src|adapters|cli|testing)\//.test(path);
}

/** Packages, and the folders whose published code may import them. */
const PACKAGES: ReadonlyMap<string, RegExp> = new Map([
  // Files are read by the command line; the core gets what is in them.
  ["yaml", /^cli\//],
  ["zod", /^cli\//],
]);

/** The names that mean another file for each platform, and the one file that may use each. */
const PLATFORM_NAMES: ReadonlyMap<string, string> = new Map([
  ["#platform", "src/socket/context.ts"],
  ["#files", "log.ts"],
]);

function checkPublishedImports({ path, text, masked, report }: Code): void {
  for (const { specifier, line } of listImports(text, masked)) {
    if (specifier.startsWith(".")) {
      if (!/\.(?:ts|json)$/.test(specifier)) report(line, `import "${specifier}" by its full name, with .ts`);
    } else if (PLATFORM_NAMES.has(specifier)) {
      const user = PLATFORM_NAMES.get(specifier);
      if (path !== user) report(line, `only ${user} imports "${specifier}"`);
    } else if (!specifier.startsWith("node:") && PACKAGES.get(specifier)?.test(path) !== true) {
      report(
        line,
        `published code cannot import "${specifier}": only node: modules are there for everyone, and yaml and zod for cli/`,
      );
    }
  }
}

/**
 * What may be cut with `slice`: arrays and texts, by file. A `Buffer`'s `slice` is a view, so bytes are copied with
 * `copyOf`, and no rule that reads text can tell bytes from arrays. Texts that are not listed have `substring`.
 */
const SLICED: Readonly<Record<string, readonly string[]>> = {
  "src/inspect_line.ts": ["value"],
  "adapters/store/file_store.ts": ["path"],
  "adapters/store/lock_holder.ts": ["stat?"],
  "adapters/store/node_disk.ts": ["chunks"],
  "adapters/store/topic_folder.ts": ["folder"],
  "src/log/client/connection.ts": ["frames"],
  "src/log/configuration/fields.ts": ["choices", "path"],
  "src/log/configuration/resolve.ts": ["keys", "path"],
  "src/log/order/recovery.ts": ["this.#openings"],
  "src/log/publisher/window.ts": ["this.#batches"],
  "src/log/store/disk_stores.ts": ["found"],
  "src/log/store/open_files.ts": ["idle"],
  "src/log/store/segment_files.ts": ["this.#list"],
  "src/log/wire/json.ts": ["text", "name"],
  "src/pattern/pipe/inbound_queue.ts": ["this.#entries"],
  "src/pattern/rep.ts": ["message"],
  "src/pattern/req.ts": ["message"],
  "src/pattern/router.ts": ["message"],
  "src/pattern/xpub.ts": ["this.#matches"],
  "src/socket/endpoint.ts": ["text", "rest", "host", "address", "part"],
};

function checkSlices({ path, masked, report }: Code): void {
  for (const match of masked.matchAll(/([\w$#.]*\??)\.\s*slice\b/g)) {
    const receiver = match[1]!;
    if (SLICED[path]?.includes(receiver) === true) continue;
    report(
      lineAt(masked, match.index),
      `${receiver}.slice: a Buffer's is a view. copyOf() for bytes, substring() for text; an array goes into SLICED`,
    );
  }
}

/** One way to be private, which holds at run time, too. A constructor has no other. */
function checkPrivacy({ masked, report }: Code): void {
  ban(
    { text: masked, report },
    /^[ \t]*(?:(?:static|override|abstract|readonly|declare) )*private (?!constructor\b)/gm,
    () => "a private member's name begins with #",
  );
}

const UTF8_FILE = "src/bytes/utf8.ts";
/** Promises begin in the socket layer, and in the log's shells around it. */
const ASYNC_FOLDERS = ["src/socket/", "src/log/client/", "src/log/server/"];

function checkPurity({ path, masked, report }: Code): void {
  const where = { text: masked, report };
  ban(
    where,
    /\bDate\b|\bMath\s*\.\s*random\b|\bperformance\b/g,
    (found) => `${found} in the pure core: ask the Host`,
  );
  if (!ASYNC_FOLDERS.some((folder) => path.startsWith(folder))) {
    ban(where, /(?<![.\w$#])(?:async|await)\b(?!\s*\??:)/g, (found) => `${found} below the socket layer`);
  }
  if (path !== UTF8_FILE) {
    ban(where, /\bText(?:En|De)coder\b/g, (found) => `${found} outside ${UTF8_FILE}`);
  }
}

/**
 * What each folder of `src/` may import besides itself. Dependencies point one way; `session` and `pattern` are
 * siblings that meet at the pipe. The files directly in `src/` are for all, and import only each other.
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  zmtp: ["bytes"],
  // What turns a WebSocket into a stream of ZMTP. Only adapters use it: the engine knows streams.
  websocket: ["zmtp", "bytes"],
  engine: ["zmtp", "bytes"],
  session: ["pattern", "engine", "zmtp", "bytes"],
  pattern: ["session", "engine", "zmtp", "bytes"],
  socket: ["session", "pattern", "engine", "zmtp", "bytes"],
  log: ["socket", "session", "pattern", "engine", "zmtp", "bytes"],
};
const SHARED_FILES = [
  "src/ports.ts",
  "src/errors.ts",
  "src/arguments.ts",
  "src/assert.ts",
  "src/inspect.ts",
  "src/inspect_line.ts",
  "src/nearest.ts",
  "src/state_table.ts",
  "src/transport_options.ts",
];
/** Entries list what others have; they may name every layer. */
const ENTRY_FILES = ["src/core.ts"];

function checkLayers({ path, text, masked, report }: Code): void {
  const layer = layerOf(path);
  if (layer === undefined && !SHARED_FILES.includes(path) && !ENTRY_FILES.includes(path)) {
    return report(1, "belongs to no layer: see LAYERS in tools/tidy_rules.ts");
  }
  for (const { specifier, line } of listImports(text, masked)) {
    if (!specifier.startsWith(".")) {
      if (!PLATFORM_NAMES.has(specifier)) report(line, `the pure core cannot import "${specifier}"`);
      continue;
    }
    const target = resolvePath(path, specifier);
    if (!target.startsWith("src/")) report(line, `src/ cannot import ${target}: dependencies point inward`);
    else if (!mayImport(path, layer, target)) {
      report(line, `${layer ?? path} cannot import ${target}: wrong direction`);
    }
  }
}

function mayImport(path: string, layer: string | undefined, target: string): boolean {
  if (SHARED_FILES.includes(target) || ENTRY_FILES.includes(path)) return true;
  const targetLayer = layerOf(target);
  if (layer === undefined || targetLayer === undefined) return false;
  return targetLayer === layer || (LAYERS[layer]?.includes(targetLayer) ?? false);
}

/** The folder of `src/` that a file stands in, if it is a known one. */
function layerOf(path: string): string | undefined {
  const folder = /^src\/([^/]+)\//.exec(path)?.[1];
  return folder !== undefined && Object.hasOwn(LAYERS, folder) ? folder : undefined;
}

/** Resolves a relative import against the file that holds it. */
export function resolvePath(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
