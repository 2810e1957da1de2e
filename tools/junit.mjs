// Reads the JUnit reports of the three runners: the only format that Node, Deno and Bun have in common.

/**
 * The test cases of a report: `{ name, outcome: "passed" | "failed" | "skipped", reason, line }`.
 * `reason` is what the runner said about a skip, `line` where the test stands in its file; both may be missing.
 */
export function parseJunit(xml) {
  const cases = [];
  const pattern = /<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  // Node leaves `>` unescaped in attributes, which is legal; quoted values are taken out before tags are matched.
  const { text, values } = maskAttributes(xml);
  for (const [, attributes = "", body = ""] of text.matchAll(pattern)) {
    const read = (source, name) => {
      const found = new RegExp(`\\b${name}=\u0001(\\d+)\u0002`).exec(source);
      return found === null ? undefined : decode(values[Number(found[1])]);
    };
    const skipped = /<skipped\b([^>]*)>/.exec(body);
    const failed = /<(failure|error)\b/.test(body);
    const reason = skipped === null ? undefined : read(skipped[1], "message");
    const line = read(attributes, "line");
    cases.push({
      name: read(attributes, "name") ?? "(unnamed)",
      outcome: failed ? "failed" : skipped !== null ? "skipped" : "passed",
      reason: reason === "" || reason === "true" ? undefined : reason,
      line: line === undefined ? undefined : Number(line),
    });
  }
  return cases;
}

function maskAttributes(xml) {
  const values = [];
  // Only inside tags: a failure's text may hold quotes of its own, and they need not come in pairs.
  const text = xml.replace(
    /<[a-z]+(?:\s+[\w:.-]+\s*=\s*"[^"]*")*\s*\/?>/g,
    (tag) => tag.replace(/"([^"]*)"/g, (_, value) => `\u0001${values.push(value) - 1}\u0002`),
  );
  return { text, values };
}

const ENTITIES = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function decode(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? all;
    return String.fromCodePoint(hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal));
  });
}

/**
 * Why a test is skipped, read from its source, for runners whose reports leave it out: the text after `skip:` in
 * the test that begins at `line` (or is called `name`), and the constant it names.
 */
export function skipReasonFromSource(source, { name, line }) {
  const lines = source.split("\n");
  const at = line !== undefined ? line - 1 : lines.findIndex((text) => text.includes(name));
  if (at < 0) return "no reason found";
  // No further than the next test.
  const start = lines.slice(at, at + 12).join("\n").split(/\n\s*test\(/)[0];
  const expression = /\b(?:skip|todo):\s*([^}]*?)\s*[,}]/.exec(start)?.[1] ?? /\bskip\b/.exec(start)?.[0];
  if (expression === undefined) return "no reason found";
  const literal = firstString(expression);
  if (literal !== undefined) return literal;
  for (const [identifier] of expression.matchAll(/[A-Za-z_$][\w$]*/g)) {
    const declared = new RegExp(`\\b(?:const|let|function)\\s+${identifier}\\b[^;]*`).exec(source)?.[0];
    const found = declared === undefined ? undefined : firstString(declared);
    if (found !== undefined) return found;
  }
  return expression.replace(/^(["'`])(.*)\1$/s, "$2");
}

function firstString(text) {
  // A reason is a phrase; single words in an expression are names of runtimes and variables.
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|`([^`]*)`/g)]
    .map((match) => match[1] ?? match[2] ?? match[3] ?? "")
    .find((value) => value.includes(" "));
}
