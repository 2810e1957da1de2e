// runtimes: node
import { test } from "node:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { type Program, start } from "../examples/program.ts";
import { markdownBlocks } from "./blocks.ts";

// The three commands of docs/LOG.md, as they stand there: `npx` and the endpoint alone are this test's.

const DEADLINE_MS = 90_000;

function commandLines(): string[] {
  const blocks = markdownBlocks("docs/LOG.md", readFileSync("docs/LOG.md", "utf8"));
  const block = blocks.find(({ language, code }) => language === "sh" && code.includes("npx hawser broker"));
  assert(block !== undefined, "docs/LOG.md has no block of commands with a broker");
  return block.code.trim().split("\n");
}

/** A folder in which `npx hawser` is this project. */
class Terminal {
  readonly folder: string = mkdtempSync(join(tmpdir(), "hawser-readme-"));
  readonly #env: Readonly<Record<string, string>>;

  constructor() {
    const endpoint = `ipc://${this.folder}/broker`;
    const path = `${join(this.folder, "bin")}:${process.env["PATH"]}`;
    this.#env = { PATH: path, HAWSER_LISTEN: endpoint, HAWSER_CONNECT: endpoint };
    const main = join(process.cwd(), ".build", "cli", "main.js");
    mkdirSync(join(this.folder, "bin"));
    const npx = join(this.folder, "bin", "npx");
    writeFileSync(npx, `#!/bin/sh\nshift\nexec "${process.execPath}" "${main}" "$@"\n`);
    chmodSync(npx, 0o755);
  }

  type(line: string): Program {
    // `exec`: a signal is for the command, not for its shell.
    const text = line.includes("|") ? line : `exec ${line}`;
    return start(["sh", "-c", text], { cwd: this.folder, env: this.#env, deadlineMs: DEADLINE_MS });
  }
}

test("the three commands of docs/LOG.md do what it says", async () => {
  const [brokerLine = "", publishLine = "", subscribeLine = "", ...more] = commandLines();
  assertEquals(more, []);
  const terminal = new Terminal();
  const broker = terminal.type(brokerLine);
  await broker.see(/ready on/);
  const published = await terminal.type(publishLine).ending;
  assertEquals(published.stdout, "published 1 record to orders, position 0\n", published.stderr);
  const subscriber = terminal.type(subscribeLine);
  await subscriber.see(/^one pair of socks\n/);
  subscriber.process.kill("SIGINT");
  assertEquals((await subscriber.ending).code, 130);
  broker.process.kill("SIGTERM");
  const ended = await broker.ending;
  assertEquals(ended.code, 0, ended.stderr);
  rmSync(terminal.folder, { recursive: true, force: true });
});
