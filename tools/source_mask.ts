/**
 * Source text with everything but code blanked out, so that rules can look for words without meeting them in
 * comments and strings. Positions and lines stay what they are.
 *
 * @module
 */

/** What may stand before a `/` that begins a regular expression and not a division. */
const BEFORE_PATTERN =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw))\s*$/;

/** Blanks comments, strings, regular expressions and the text of templates; the code inside `${}` stays. */
export function maskSource(source: string): string {
  const masker = new Masker(source);
  return masker.run();
}

class Masker {
  readonly #source: string;
  readonly #output: string[] = [];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  run(): string {
    this.#code(false);
    return this.#output.join("");
  }

  /** Code up to the end, or up to the brace that closes a template's `${`. */
  #code(inTemplate: boolean): void {
    let depth = 0;
    while (this.#at < this.#source.length) {
      const two = this.#source.slice(this.#at, this.#at + 2);
      const one = two.charAt(0);
      if (two === "//") this.#blankTo(this.#find("\n", 0));
      else if (two === "/*") this.#blankTo(this.#find("*/", 2) + 2);
      else if (one === '"' || one === "'") this.#blankTo(this.#stringEnd(one));
      else if (one === "`") this.#template();
      else if (one === "/" && this.#patternMayStart()) this.#blankTo(this.#patternEnd());
      else {
        if (one === "{") depth++;
        if (one === "}" && depth-- === 0 && inTemplate) return;
        this.#output.push(one);
        this.#at++;
      }
    }
  }

  #template(): void {
    this.#blankTo(this.#at + 1);
    while (this.#at < this.#source.length) {
      const one = this.#source.charAt(this.#at);
      if (one === "\\") this.#blankTo(this.#at + 2);
      else if (one === "`") return this.#blankTo(this.#at + 1);
      else if (this.#source.startsWith("${", this.#at)) {
        this.#blankTo(this.#at + 2);
        this.#code(true);
        this.#blankTo(this.#at + 1);
      } else this.#blankTo(this.#at + 1);
    }
  }

  #find(text: string, skip: number): number {
    const found = this.#source.indexOf(text, this.#at + skip);
    return found < 0 ? this.#source.length : found;
  }

  #stringEnd(quote: string): number {
    let end = this.#at + 1;
    while (end < this.#source.length && this.#source[end] !== quote && this.#source[end] !== "\n") {
      end += this.#source[end] === "\\" ? 2 : 1;
    }
    return end + 1;
  }

  #patternMayStart(): boolean {
    // Far enough back for any keyword; what was blanked before cannot mislead it.
    return BEFORE_PATTERN.test(this.#output.slice(-40).join(""));
  }

  #patternEnd(): number {
    let end = this.#at + 1;
    let inClass = false;
    while (end < this.#source.length && this.#source[end] !== "\n") {
      const one = this.#source[end];
      if (one === "/" && !inClass) return end + 1;
      if (one === "[") inClass = true;
      if (one === "]") inClass = false;
      end += one === "\\" ? 2 : 1;
    }
    // No end on this line: it was a division after all.
    return this.#at + 1;
  }

  #blankTo(end: number): void {
    const text = this.#source.slice(this.#at, end);
    for (const one of text) this.#output.push(one === "\n" ? "\n" : " ".repeat(one.length));
    this.#at += text.length;
  }
}

/** One import or re-export: the text between the quotes, and its line, counted from 1. */
export interface ImportStatement {
  readonly specifier: string;
  readonly line: number;
}

const IMPORT = /\b(?:from|import)\s*\(?\s*(["'])([^"'\n]+)\1/g;

/** The static and dynamic imports and the re-exports of a file, in order. */
export function listImports(source: string, masked: string): ImportStatement[] {
  const imports: ImportStatement[] = [];
  for (const match of source.matchAll(IMPORT)) {
    // A keyword that was blanked stands in a comment or a string.
    if (masked.charAt(match.index) === " ") continue;
    imports.push({ specifier: match[2] ?? "", line: lineAt(source, match.index) });
  }
  return imports;
}

/** The line of a position, counted from 1. */
export function lineAt(source: string, position: number): number {
  let line = 1;
  for (let at = source.indexOf("\n"); at >= 0 && at < position; at = source.indexOf("\n", at + 1)) line++;
  return line;
}
