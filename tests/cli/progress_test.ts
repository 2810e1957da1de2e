import { test } from "node:test";
import { PassThrough } from "node:stream";
import { assertEquals } from "@std/assert";
import { bar, Progress } from "../../cli/progress.ts";

interface Screen {
  readonly output: PassThrough & { isTTY?: boolean; columns?: number };
  /** Resolves with all that was written, once that is so many texts. */
  wrote(texts: number): Promise<string[]>;
}

function screenOf(columns?: number): Screen {
  const output: Screen["output"] = new PassThrough();
  if (columns !== undefined) Object.assign(output, { isTTY: true, columns });
  const texts: string[] = [];
  let look = (): void => {};
  output.setEncoding("utf8").on("data", (text: string) => {
    texts.push(text);
    look();
  });
  const wrote = (count: number): Promise<string[]> =>
    new Promise((resolve) => {
      look = () => texts.length >= count && resolve([...texts]);
      look();
    });
  return { output, wrote };
}

test("a bar is as long as its part of the whole", () => {
  const cases: readonly (readonly [number, number | undefined, string])[] = [
    [0, 100, `[${".".repeat(30)}]   0 %  `],
    [50, 100, `[${"#".repeat(15)}${".".repeat(15)}]  50 %  `],
    [99, 100, `[${"#".repeat(29)}.]  99 %  `],
    [100, 100, `[${"#".repeat(30)}] 100 %  `],
    // A file that has grown meanwhile, and an empty one.
    [150, 100, `[${"#".repeat(30)}] 100 %  `],
    [0, 0, `[${"#".repeat(30)}] 100 %  `],
    [5, undefined, ""],
  ];
  for (const [done, total, shown] of cases) assertEquals(bar({ done, total, text: "" }), shown);
});

test("on a terminal one line is written over, no longer than the screen, and removed at the end", async () => {
  const { output, wrote } = screenOf(50);
  let done = 0;
  const progress = new Progress(output, () => ({ done: done++, total: 2, text: "words behind it" }), 1);
  const shown = await wrote(3);
  progress.stop();
  assertEquals(shown.slice(0, 3), [
    `\r[${".".repeat(30)}]   0 %  words beh\x1b[K`,
    `\r[${"#".repeat(15)}${".".repeat(15)}]  50 %  words beh\x1b[K`,
    `\r[${"#".repeat(30)}] 100 %  words beh\x1b[K`,
  ]);
  const all = await wrote(4);
  assertEquals(all.at(-1), "\r\x1b[K");
});

test("elsewhere lines are written, and none of them is removed", async () => {
  const { output, wrote } = screenOf();
  let done = 0;
  const progress = new Progress(output, () => ({ done, total: 2, text: `${++done} done` }), 1);
  await wrote(2);
  progress.stop();
  output.end("end");
  const all = await wrote(3);
  assertEquals([all[0], all[1], all.at(-1)], ["1 done\n", "2 done\n", "end"]);
});

test("nothing is shown of what is over at once, and an output that is gone harms nobody", () => {
  const { output } = screenOf(80);
  new Progress(output, () => ({ done: 0, total: 1, text: "" })).stop();
  assertEquals(output.readableLength, 0);
  output.destroy();
  new Progress(output, () => ({ done: 0, total: 1, text: "" })).stop();
});
