import { after, test } from "node:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { begin, hawser } from "./in_process.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-arguments-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Shown {
  readonly path: string;
  readonly value: unknown;
  readonly source: string;
}

/** What `hawser config` says of an option. */
async function shownOf(
  path: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<unknown[]> {
  const { code, stdout, stderr } = await hawser(["config", "--json", ...args], { env });
  assertEquals([code, stderr], [0, ""]);
  const { value, source } = (JSON.parse(stdout) as Shown[]).find((one) => one.path === path)!;
  return [value, source];
}

test("an option that is yes or no is given alone, with no- in front, or with its value", async () => {
  const cases: readonly (readonly [readonly string[], boolean])[] = [
    [["--no-auto-create-topics"], false],
    [["--auto-create-topics"], true],
    [["--auto-create-topics", "false"], false],
    [["--auto-create-topics=false"], false],
    [["--no-auto-create-topics", "--auto-create-topics", "--ring-slots", "8"], true],
  ];
  for (const [args, value] of cases) {
    assertEquals(await shownOf("autoCreateTopics", args), [value, "argument"], args.join(" "));
  }
  const { code, stderr } = await hawser(["config", "--auto-create-topics=maybe"]);
  assertEquals(code, 2);
  assertMatch(stderr, /--auto-create-topics: Cannot set option "autoCreateTopics" to "maybe"/);
  assertMatch((await hawser(["help", "broker"])).stdout, /^ {2}--\[no-\]auto-create-topics /m);
});

test("what is typed wrongly is told with what was meant", async () => {
  const cases: readonly (readonly [readonly string[], RegExp, Readonly<Record<string, string>>?])[] = [
    [
      ["broker", "--staging-bufers", "4"],
      /Unknown option --staging-bufers; did you mean --staging-buffers\?/,
    ],
    [["broker", "--ringSlots", "4"], /did you mean --ring-slots\?/],
    [["broker", "--no-autocreate-topics"], /did you mean --no-auto-create-topics\?/],
    [["publish", "t", "--naem", "x"], /Unknown option --naem; did you mean --name\?/],
    [["broker", "--frobnicate"], /^hawser: Unknown option --frobnicate\. See: hawser help broker\n$/],
    [["brokre"], /Unknown command "brokre"; did you mean broker\? See: hawser help\n$/],
    [["frobnicate"], /Unknown command "frobnicate"; there are broker, /],
    [
      ["config"],
      /Unknown environment variable HAWSER_RINGSLOTS, set to "1"; did you mean HAWSER_RING_SLOTS\?/,
      {
        HAWSER_RINGSLOTS: "1",
      },
    ],
  ];
  for (const [args, said, env] of cases) {
    const { code, stdout, stderr } = await hawser(args, { env });
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertMatch(stderr, said);
  }
});

test("-v prints the version", async () => {
  const { stdout } = await hawser(["version"]);
  for (const name of ["-v", "-V", "--version"]) assertEquals((await hawser([name])).stdout, stdout);
});

test("a ~ in front of a path is the home folder, wherever it was set", async () => {
  const env = { HOME: folder };
  const file = join(folder, "home.yaml");
  writeFileSync(file, 'dir: "~/data"\n');
  assertEquals(await shownOf("dir", ["--dir", "~/data"], env), [join(folder, "data"), "argument"]);
  assertEquals(await shownOf("dir", ["--config", file], env), [join(folder, "data"), "file"]);
  assertEquals(await shownOf("dir", [], { ...env, HAWSER_DIR: "~" }), [folder, "environment"]);
  for (const dir of ["./~/data", "~data", "/a/~"]) {
    assertEquals(await shownOf("dir", ["--dir", dir], env), [dir, "argument"]);
  }
  const tls = { HAWSER_TLS_KEY_FILE: "~/key.pem" };
  assertEquals(await shownOf("tls.keyFile", [], { ...env, ...tls }), [
    join(folder, "key.pem"),
    "environment",
  ]);
  const broker = begin(["broker", "--dir=~/data", "--listen", "tcp://127.0.0.1:0"], { env });
  await broker.see(/topics in .*data\n/);
  assert(existsSync(join(folder, "data", "lock")));
  broker.signal("SIGTERM");
  assertEquals((await broker.ending).code, 0);
});

test("a port in a file may be a number", async () => {
  const file = join(folder, "port.yaml");
  writeFileSync(file, "http: 7781\n");
  assertEquals(await shownOf("http", ["--config", file]), ["7781", "file"]);
  writeFileSync(file, "http: 77810\n");
  const { code, stderr } = await hawser(["config", "--config", file]);
  assertEquals(code, 2);
  assertMatch(stderr, /port\.yaml: Cannot set option "http" to "77810"/);
});

test("sizes are shown as people would write them", async () => {
  const { stdout } = await hawser(["config", "--memory-bytes-max", "16MB", "--hold-bytes-max", "4MiB"]);
  assertMatch(stdout, /^memoryBytesMax +16MB +argument/m);
  assertMatch(stdout, /^holdBytesMax +4MiB +argument/m);
});
