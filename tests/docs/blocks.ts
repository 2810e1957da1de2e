/**
 * Finds the code in documents and doc comments.
 *
 * @module
 */

/** A fenced block. */
export interface Block {
  /** The file that it stands in. */
  readonly path: string;
  /** The line of its first line of code, from 1. */
  readonly line: number;
  /** The first word behind the fence: `ts`, `sh`; `""` if there is none. */
  readonly language: string;
  /** The other words behind the fence. */
  readonly marks: readonly string[];
  readonly code: string;
}

interface OpenBlock {
  readonly line: number;
  readonly fence: string;
  readonly indent: number;
  readonly words: readonly string[];
  readonly lines: string[];
}

/** The blocks of a Markdown document. @throws for a block that is not closed: what follows would be read as code. */
export function markdownBlocks(path: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: OpenBlock | undefined;
  text.split("\n").forEach((line, index) => {
    const [, spaces = "", fence = "", info = ""] = /^(\s*)(`{3,}|~{3,})\s*([^`]*)$/.exec(line) ?? [];
    if (open === undefined) {
      if (fence === "") return;
      const words = info.trim().split(/\s+/);
      open = { line: index + 2, fence, indent: spaces.length, words, lines: [] };
    } else if (fence.startsWith(open.fence) && info.trim() === "") {
      const [language = "", ...marks] = open.words;
      blocks.push({ path, line: open.line, language, marks, code: `${open.lines.join("\n")}\n` });
      open = undefined;
    } else {
      open.lines.push(line.slice(Math.min(open.indent, line.length - line.trimStart().length)));
    }
  });
  if (open !== undefined) {
    throw new Error(`${path}:${(open as OpenBlock).line - 1}: this block is never closed`);
  }
  return blocks;
}

/** The blocks in the doc comments of a TypeScript file. */
export function commentBlocks(path: string, text: string): Block[] {
  const blocks: Block[] = [];
  for (const match of text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)) {
    const firstLine = text.slice(0, match.index).split("\n").length;
    const document = match[0].split("\n").map((line) => line.replace(/^\s*(?:\/\*\*|\*\/|\* ?)/, "")).join(
      "\n",
    );
    for (const block of markdownBlocks(path, document)) {
      blocks.push({ ...block, line: block.line + firstLine - 1 });
    }
  }
  return blocks;
}

/** Whether a block is a program that can be run here: those marked `browser` are run in one (tests/browser). */
export function isProgram({ language, marks }: Block): boolean {
  return ["ts", "typescript", "js", "javascript"].includes(language) &&
    !["ignore", "browser"].some((mark) => marks.includes(mark));
}

/** What a program says that it prints: the comments behind `console.log(…);`, in order. */
export function promisedLines({ code }: Block): string[] {
  return [...code.matchAll(/console\.log\(.*\);? +\/\/ (.*)$/gm)].map(([, comment]) => comment!.trim());
}

/** The commands of a shell block, one a line, without prompts and comments. */
export function shellCommands({ code }: Block): string[] {
  return code.replaceAll("\\\n", " ").split("\n")
    .flatMap((line) => line.replace(/^\s*\$ /, "").replace(/(^|\s)#.*$/, "").split(/&&|\|\||[;|]/))
    // Variables that are set for the command alone.
    .map((command) => command.trim().replaceAll(/\s+/g, " ").replace(/^(?:[A-Z][A-Z0-9_]*=\S*\s+)+/, ""))
    .filter((command) => command !== "");
}

/** What is wrong with a command, judged by the scripts of package.json and by `exists`; `undefined`: nothing. */
export function commandFault(
  command: string,
  scripts: Readonly<Record<string, string>>,
  exists: (path: string) => boolean,
): string | undefined {
  const [program = "", ...words] = command.split(/\s+/);
  if (program === "npm") return npmFault(words, scripts);
  const path = [program, ...words].find((word) =>
    /^(?:\.\/)?[\w.-]+\/[\w./-]+\.(?:ts|mts|js|mjs|json|sh)$/.test(word)
  );
  return path === undefined || exists(path) ? undefined : `there is no ${path}`;
}

const NPM_COMMANDS = ["ci", "install", "i", "add", "pack", "publish", "view", "version"];

function npmFault(
  [command = "", name = ""]: readonly string[],
  scripts: Readonly<Record<string, string>>,
): string | undefined {
  if (NPM_COMMANDS.includes(command)) return undefined;
  const script = command === "run" ? name : command === "t" ? "test" : command;
  if (command !== "run" && script !== "start" && script !== "test") return `npm has no command "${command}"`;
  return Object.hasOwn(scripts, script) ? undefined : `package.json has no script "${script}"`;
}

/** The relative links of a Markdown document, with their lines, without what is in code. */
export function relativeLinks(text: string): readonly { readonly line: number; readonly target: string }[] {
  let code = false;
  return text.split("\n").flatMap((line, index) => {
    if (/^\s*(?:`{3,}|~{3,})/.test(line)) code = !code;
    if (code) return [];
    const links = line.replaceAll(/`[^`]*`/g, "").matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g);
    return [...links].map(([, target]) => ({ line: index + 1, target: target! }))
      .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/.test(target));
  });
}
