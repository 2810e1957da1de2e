import { after, test } from "node:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { hawser } from "./in_process.ts";
import { SegmentMaker } from "./segment_maker.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-segment-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Two files: five records, a session, a consumer, a trim; the second begins in the middle of the order. */
function makeLog(topic = "orders"): SegmentMaker {
  const maker = new SegmentMaker(topic);
  maker.entry("sessionOpened", { id: 7n, epoch: 1 }, new TextEncoder().encode("till 1"));
  maker.batch(["a", "b"]);
  const early = maker.payload(["c"]);
  maker.position = 2n;
  maker.roll(maker.offset);
  maker.position = 3n;
  maker.order([early], maker.offset);
  maker.entry("consumerOpened", { epoch: 2 }, new TextEncoder().encode("billing"));
  maker.entry("commit", { epoch: 1, number: 2n }, new TextEncoder().encode("billing"));
  maker.batch(["d", "e"]);
  maker.entry("fence", { id: 7n, epoch: 1, number: 3n });
  maker.entry("trim", { number: 1n });
  return maker;
}

interface Verdict {
  readonly records: number;
  readonly first: string;
  readonly next: string;
  readonly topic: string;
  readonly findings: readonly { readonly kind: string; readonly offset: number; readonly text: string }[];
}

async function verify(path: string): Promise<{ readonly code: number | null; readonly verdicts: Verdict[] }> {
  const { code, stdout, stderr } = await hawser(["segment", "verify", "--json", path]);
  assertEquals(stderr, "");
  return { code, verdicts: stdout.trim().split("\n").map((text) => JSON.parse(text) as Verdict) };
}

test("dump prints every entry of a folder with what it says", async () => {
  const path = join(folder, "dump");
  const [first = ""] = makeLog().write(path);
  const { code, stdout, stderr } = await hawser(["segment", "dump", path]);
  assertEquals([code, stderr], [0, ""]);
  const said = [
    /^ +0 {2}segment +bytes=\d+ topic=orders position=0 order=5 ack=1 generation=1 format=1 syncedThrough=0$/m,
    /^ +\d+ {2}snapshot +bytes=\d+ position=0 trimmedTo=0 sessions=0 consumers=0$/m,
    /^ +\d+ {2}sessionOpened +bytes=6 session=7 epoch=1 publisher="till 1"$/m,
    /^ +\d+ {2}payload +bytes=\d+ session=7 epoch=1 batch=0 records=2$/m,
    /^ +\d+ {2}order +bytes=80 position=0 records=2 batches=1 time=2027-01-15T08:00:00\.000Z syncedThrough=0$/m,
    /^ +\d+ {2}consumerOpened +bytes=7 consumer=billing epoch=2$/m,
    /^ +\d+ {2}commit +bytes=7 consumer=billing position=2 generation=1$/m,
    /^ +\d+ {2}fence +bytes=0 session=7 epoch=1 committed=3$/m,
    /^ +\d+ {2}trim +bytes=0 position=1$/m,
  ];
  for (const line of said) assertMatch(stdout, line);
  assertEquals(stdout.match(/\.segment$/gm)?.length, 2);
  const one = await hawser(["segment", "dump", first]);
  // Its name, six entries, and nothing behind the last line.
  assertEquals(one.stdout.split("\n").length, 8);
});

test("dump prints records, and lines of JSON", async () => {
  const path = join(folder, "records");
  makeLog().write(path);
  const text = await hawser(["segment", "dump", "--records", path]);
  assertStringIncludes(text.stdout, '"key of a": "a"\n');
  const { stdout } = await hawser(["segment", "dump", "--records", "--json", path]);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  assertEquals(lines.flatMap(({ value }) => value ?? []), ["a", "b", "c", "d", "e"]);
  assertEquals(lines[0]!["type"], "segment");
  assertEquals(lines.find(({ type }) => type === "fence")!["committed"], "3");
});

test("verify finds nothing wrong with what is right, in a folder of topics", async () => {
  const path = join(folder, "right");
  makeLog("a").write(join(path, "a"));
  makeLog("b").write(join(path, "b"));
  const { code, verdicts } = await verify(path);
  assertEquals(code, 0);
  assertEquals(
    verdicts.map(({ topic, records, first, next, findings }) => [topic, records, first, next, findings]),
    [["a", 5, "0", "5", []], ["b", 5, "0", "5", []]],
  );
  const text = await hawser(["segment", "verify", path]);
  assertMatch(
    text.stdout,
    /topic a, 2 files, \d+ bytes, \d+ entries, 5 records, positions 0 to 4, synced through \d+\nok$/m,
  );
});

test("a long log is dumped whole", async () => {
  const path = join(folder, "long");
  const maker = new SegmentMaker("long");
  for (let batch = 0; batch < 700; batch++) maker.batch([`value ${batch}`]);
  maker.write(path);
  const { stdout } = await hawser(["segment", "dump", "--json", path]);
  const positions = stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ type }) => type === "order").map(({ position }) => Number(position));
  assertEquals(positions, Array.from({ length: 700 }, (_, position) => position));
});

test("verify tells corruption below what was synced from an unsynced tail", async () => {
  const maker = new SegmentMaker("orders");
  const begin = maker.offset;
  maker.batch(["a"]);
  const second = maker.offset;
  maker.batch(["b"], second);
  const third = maker.offset;
  maker.batch(["c"], second);
  const end = maker.offset;
  const flip = (at: number) => (_: string, bytes: Uint8Array): Uint8Array => {
    bytes[at]! ^= 1;
    return bytes;
  };
  const cases:
    readonly (readonly [string, (name: string, bytes: Uint8Array) => Uint8Array, string, number])[] = [
      // In the body of the first batch: below what the second round knows as synced, and found behind the damage.
      ["body", flip(begin + 50), "corrupt", begin],
      ["header", flip(begin + 20), "corrupt", begin],
      ["tail", flip(third + 60), "tail", third],
      ["cut", (_, bytes) => bytes.subarray(0, end - 10), "tail", maker.offset - 48 - 80],
      ["zeros", (_, bytes) => new Uint8Array([...bytes, ...new Uint8Array(100)]), "tail", end],
    ];
  for (const [name, damage, kind, offset] of cases) {
    const path = join(folder, `damage-${name}`);
    maker.write(path, damage);
    const { code, verdicts: [verdict] } = await verify(path);
    assertEquals(verdict!.findings.map((finding) => [finding.kind, finding.offset]), [[kind, offset]], name);
    assertEquals(code, kind === "corrupt" ? 1 : 0, name);
    const dumped = await hawser(["segment", "dump", path]);
    assertEquals(dumped.code, 0);
    assertMatch(
      dumped.stdout,
      new RegExp(`^ +${offset} {2}damaged \\(\\w+\\): \\d+ bytes are not shown$`, "m"),
    );
  }
});

test("verify finds holes in positions, rows without payload, and files that do not join", async () => {
  const hole = new SegmentMaker("hole");
  hole.batch(["a"]);
  hole.position = 5n;
  hole.batch(["b"]);
  const orphan = new SegmentMaker("orphan");
  orphan.order([{ ...orphan.payload(["a"]), bodyCrc: 1 }]);
  const renumbered = new SegmentMaker("renumbered");
  renumbered.batch(["a"]);
  renumbered.position = 9n;
  renumbered.roll(0);
  const gap = new SegmentMaker("gap");
  gap.batch(["a"]);
  gap.offset += 64;
  gap.roll(0);
  const cases: readonly (readonly [SegmentMaker, RegExp])[] = [
    [hole, /position 5, expected 1/],
    [orphan, /position 0 has no payload at offset \d+/],
    [renumbered, /begins with position 9, expected 1/],
    [gap, /begins at offset \d+, but the file before it ends at \d+/],
  ];
  for (const [maker, said] of cases) {
    const path = join(folder, `wrong-${maker.topic}`);
    maker.write(path);
    const { code, verdicts: [verdict] } = await verify(path);
    assertEquals(
      [code, verdict!.findings.length, verdict!.findings[0]!.kind],
      [1, 1, "corrupt"],
      maker.topic,
    );
    assertMatch(verdict!.findings[0]!.text, said);
    assertStringIncludes((await hawser(["segment", "verify", path])).stdout, "CORRUPT");
  }
});

test("what is no segment is told in a line", async () => {
  const empty = join(folder, "empty");
  mkdirSync(empty);
  writeFileSync(join(folder, "x.segment"), "x");
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(folder, "none"), /Cannot read .*none/],
    [empty, /There are no segments in .*empty/],
    [join(folder, "x.segment"), /is not named like a segment/],
  ];
  for (const [path, said] of cases) {
    const { code, stderr } = await hawser(["segment", "verify", path]);
    assertEquals(code, 1);
    assertMatch(stderr, said);
  }
});
