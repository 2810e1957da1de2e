import { after, test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type BrokerServer, connectLog, startBroker } from "../../log.ts";
import type { BrokerStatus } from "../../log.ts";
import { begin, hawser } from "./in_process.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-commands-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `check` beside a broker in memory, with the arguments that lead to it. */
async function withBroker(
  check: (to: readonly string[], broker: BrokerServer) => Promise<void>,
): Promise<void> {
  const broker = await startBroker({ listen: ["tcp://127.0.0.1:0"] });
  try {
    await check(["--connect", broker.endpoints[0]!], broker);
  } finally {
    await broker.close();
  }
}

/** What a command printed that must have gone well. */
async function output(args: readonly string[], stdin?: string | Uint8Array): Promise<string> {
  const { code, stdout, stderr } = await hawser(args, { stdin });
  assertEquals([code, stderr], [0, ""], `${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

function numbers(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => `${from + index}\n`).join("");
}

test("lines of files and of the standard input become records, and come out as they went in", async () => {
  await withBroker(async (to) => {
    const publish = (...args: string[]): Promise<string> => output(["publish", "orders", ...args, ...to]);
    const read = (from: string, count: number, ...args: string[]): Promise<string> =>
      output(["subscribe", "orders", "--from", from, "--count", String(count), ...args, ...to]);
    const file = join(folder, "lines");
    writeFileSync(file, "x\n\ny");
    assertEquals(
      await output(["publish", "orders", ...to], numbers(0, 1_000)),
      "published 1000 records to orders, positions 0 to 999\n",
    );
    assertEquals(
      await output(["publish", "orders", file, "-", ...to], "z\n"),
      "published 4 records to orders, positions 1000 to 1003\n",
    );
    assertEquals(
      await publish(file, "--whole-file"),
      "published 1 record to orders, position 1004\n",
    );
    assertEquals(await publish("-"), "published 0 records to orders\n");
    assertEquals(await read("earliest", 1_005), `${numbers(0, 1_000)}x\n\ny\nz\nx\n\ny\n`);
    assertEquals(await read("998", 3), "998\n999\nx\n");
    assertEquals(await read("2020-01-01", 1), "0\n");
    assertEquals(await read("1000", 3, "--format", "raw"), "xy");
    const { timestampMs, ...rest } = JSON.parse(await read("7", 1, "--format", "json")) as Record<
      string,
      unknown
    >;
    assertEquals(rest, { position: "7", value: "7" });
    assertEquals(typeof timestampMs, "number");
  });
});

test("bytes that are no text pass as they are", async () => {
  await withBroker(async (to) => {
    // Every byte, halves of characters, a lone \r and a last line without an end.
    const all = new Uint8Array([
      ...Array.from({ length: 256 }, (_, byte) => byte),
      0xc3,
      10,
      0x28,
      13,
      10,
      0xff,
    ]);
    await output(["publish", "bytes", ...to], all);
    const lines = await hawser(["subscribe", "bytes", "--from", "earliest", "--count", "4", ...to]);
    assertEquals([...lines.bytes], [...all, 10]);
    const file = join(folder, "bytes");
    writeFileSync(file, all);
    await output(["publish", "whole", "--whole-file", file, ...to]);
    const raw = await hawser([
      "subscribe",
      "whole",
      "--from",
      "earliest",
      "--count",
      "1",
      "--format",
      "raw",
      ...to,
    ]);
    assertEquals([...raw.bytes], [...all]);
    const json = await output(
      ["subscribe", "bytes", "--from", "2", "--count", "2", "--format", "json", ...to],
    );
    assertEquals(json.trim().split("\n").map((text) => (JSON.parse(text) as { value: unknown }).value), [
      "(\r",
      { base64: "/w==" },
    ]);
  });
});

test("a named publisher that is run again goes on behind what was taken", async () => {
  await withBroker(async (to) => {
    const publish = (until: number): Promise<string> =>
      output(["publish", "numbers", "--name", "counter", ...to], numbers(0, until));
    assertEquals(await publish(10), "published 10 records to numbers, positions 0 to 9\n");
    assertEquals(
      await publish(10),
      "published 0 records to numbers; the first 10 of the input were published before\n",
    );
    assertEquals(
      await publish(12),
      "published 2 records to numbers, positions 10 to 11; the first 10 of the input were published before\n",
    );
    assertEquals(
      await output(["subscribe", "numbers", "--from", "earliest", "--count", "12", ...to]),
      numbers(0, 12),
    );
  });
});

test("of two publishers with one name the older one ends, whether or not its input does", async () => {
  await withBroker(async (to) => {
    const older = begin(["publish", "numbers", "--name", "counter", ...to], { stdin: "open" });
    older.stdin.write("0\n1\n");
    // The first line is there, so its session is open.
    await output(["subscribe", "numbers", "--from", "earliest", "--count", "1", ...to]);
    await output(["publish", "numbers", "--name", "counter", ...to], numbers(0, 2));
    const { code, stdout, stderr } = await older.ending;
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /"counter" \(ERR_LOG_SUPERSEDED\)\n$/);
  });
});

test("a publisher that may not publish ends, whether or not its input does", async () => {
  await withBroker(async (to) => {
    await output(["publish", "numbers", ...to], "0\n");
    const { code, stdout, stderr } = await begin(["publish", "numbers", "--ack", "0", ...to], {
      stdin: "open",
    })
      .ending;
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /"ack" to 0: allowed is the topic's \(1\) or higher/);
  });
});

test("a consumer goes on where it committed, and status shows how far it is behind", async () => {
  await withBroker(async (to) => {
    await output(["publish", "numbers", ...to], numbers(0, 10));
    const read = (count: number): Promise<string> =>
      output(["subscribe", "numbers", "--consumer", "billing", "--count", String(count), ...to]);
    assertEquals(await read(3), numbers(0, 3));
    assertEquals(await read(4), numbers(3, 7));
    assertMatch(await output(["status", ...to]), /^numbers +billing +7 +3 +\d+$/m);
    // One that is interrupted has committed what it printed.
    const rest = begin(["subscribe", "numbers", "--consumer", "billing", ...to]);
    await rest.see(/^7\n8\n9\n$/);
    rest.signal("SIGINT");
    assertEquals((await rest.ending).code, 130);
    assertMatch(await output(["status", ...to]), /^numbers +billing +10 +0 +\d+$/m);
    const status = JSON.parse(await output(["status", "--json", ...to])) as BrokerStatus;
    assertEquals(status.topics[0]!.consumers.map(({ position, lag }) => [position, lag]), [["10", "0"]]);
  });
});

test("status is told again and again, until it is interrupted", async () => {
  await withBroker(async (to) => {
    await output(["publish", "numbers", ...to], numbers(0, 10));
    const tables = begin(["status", "--every", "100ms", ...to]);
    await tables.see(/^numbers +5 +1 +open +0 +10 [^]*\n\nbroker [^]*\nnumbers +5 +1 +open +0 +10 /m);
    tables.signal("SIGINT");
    assertEquals((await tables.ending).code, 130);
    const lines = begin(["status", "--every", "0.1s", "--json", ...to]);
    await lines.see(/^\{.*\}\n\{.*\}\n/);
    lines.signal("SIGTERM");
    assertEquals((await lines.ending).code, 143);
    const { code, stderr } = await hawser(["status", "--every", "often", ...to]);
    assertEquals(code, 2);
    assertMatch(stderr, /^hawser: --every is a time of 100 to 2147483647 ms, such as 2s, not "often"\n$/);
  });
});

test("an output that cannot be written is told, and nothing of it is committed", async () => {
  await withBroker(async (to) => {
    await output(["publish", "numbers", ...to], numbers(0, 10));
    const reading = begin(["subscribe", "numbers", "--consumer", "billing", ...to]);
    const full: NodeJS.ErrnoException = Object.assign(new Error("ENOSPC: no space left on device"), {
      code: "ENOSPC",
    });
    reading.stdout.on("error", () => {});
    reading.stdout._write = (_chunk, _encoding, done) => done(full);
    const { code, stderr } = await reading.ending;
    assertEquals([code, stderr], [1, "hawser: Cannot write the output: ENOSPC: no space left on device\n"]);
    assertMatch(await output(["status", ...to]), /^numbers +billing +none +10 +\d+$/m);
  });
});

test("publish that is interrupted publishes what it has read, and not half a line", async () => {
  await withBroker(async (to) => {
    const publishing = begin(["publish", "lines", ...to], { stdin: "open" });
    publishing.stdin.write("one\ntwo\nthr");
    // The first line is there, so all of it was read.
    await output(["subscribe", "lines", "--from", "earliest", "--count", "1", ...to]);
    publishing.signal("SIGTERM");
    const { code, stdout, stderr } = await publishing.ending;
    assertEquals([code, stdout], [143, "published 2 records to lines, positions 0 to 1\n"], stderr);
  });
});

test("publish on a terminal shows how far it is, and removes that at the end", async () => {
  await withBroker(async (to) => {
    const publishing = begin(["publish", "lines", ...to], { stdin: "open", columns: 60 });
    publishing.stdin.write("one\ntwo\n");
    await publishing.see(/2 records read, waiting for acks: \[B0=1\] total=1\/1/);
    publishing.stdin.end("three\n");
    const { code, stderr } = await publishing.ending;
    assertEquals(code, 0);
    assert(stderr.endsWith("\r\x1b[K"), JSON.stringify(stderr));
  });
});

test("subscribe into a file shows on a terminal how far it is", async () => {
  await withBroker(async (to) => {
    await output(["publish", "lines", ...to], "one\n");
    const reading = begin(["subscribe", "lines", "--from", "earliest", "--count", "2", ...to], {
      columns: 60,
      redirected: true,
    });
    await reading.see(/\[#{15}\.{15}\] {2}50 % {2}1 record printed/);
    await output(["publish", "lines", ...to], "two\n");
    const { code, stdout, stderr } = await reading.ending;
    assertEquals([code, stdout], [0, "one\ntwo\n"]);
    assert(stderr.endsWith("\r\x1b[K"), JSON.stringify(stderr));
  });
});

test("what cannot be done is told in a line", async () => {
  await withBroker(async (to, broker) => {
    writeFileSync(join(folder, "file"), "");
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["broker", "--listen", broker.endpoints[0]!], 1, /in use/],
      [["broker", "--listen", "nonsense"], 2, /--listen: Cannot set option "listen" to \["nonsense"\]/],
      [["broker", "--listen", "tcp://127.0.0.1:x"], 2, /tcp:\/\/127\.0\.0\.1:x/],
      [["broker", "--listen", "xyz://127.0.0.1:1"], 2, /Unknown transport "xyz"/],
      [["broker", "--connect", "tcp://a:1"], 2, /Unknown option --connect/],
      [
        ["broker", "--dir", join(folder, "file", "x"), "--listen", "tcp://127.0.0.1:0"],
        1,
        /Cannot use the folder/,
      ],
      [["publish", ...to], 2, /Usage: hawser publish <topic>/],
      // Nobody listens there: names are looked at before anything is tried.
      [["publish", "no/topic", "--connect", "tcp://127.0.0.1:1"], 2, /"no\/topic"/],
      [["subscribe", "no/topic", "--connect", "tcp://127.0.0.1:1"], 2, /"no\/topic"/],
      [["publish", "a", join(folder, "none"), ...to], 1, /Cannot read .*none/],
      [["publish", "a", folder, ...to], 1, /Cannot read .*: it is a folder/],
      [
        ["publish", "a", "--batch-bytes", "2MiB", ...to],
        2,
        /"batchBytes" to 2097152: allowed is at most the broker's/,
      ],
      [
        ["publish", "a", "--name", "", ...to],
        2,
        /"publisher\.name" to "": allowed is text of 1 to 255 bytes/,
      ],
      [["subscribe", ...to], 2, /Usage: hawser subscribe <topic>/],
      [["subscribe", "a", "b", ...to], 2, /Unexpected argument "b"/],
      [
        ["subscribe", "a", "--from", "yesterday", ...to],
        2,
        /--from is earliest, latest, a position or a time/,
      ],
      [["subscribe", "a", "--count", "0", ...to], 2, /--count is a whole number, 1 or more, not "0"/],
      [["subscribe", "a", "--format", "xml", ...to], 2, /--format is line, json or raw, not "xml"/],
      [["status", "--connect", "nonsense"], 2, /"connect" to \["nonsense"\]/],
      [["status", "--connect", "tcp://127.0.0.1:70000"], 2, /the port is "70000"; allowed is 1 to 65535/],
    ];
    for (const [args, expected, said] of cases) {
      const { code, stdout, stderr } = await hawser(args);
      assertEquals([code, stdout], [expected, ""], `${args.join(" ")}: ${stderr}`);
      assertMatch(stderr, said);
      assertMatch(stderr, /^hawser: [^\n]*\n$/);
    }
  });
});

test("a folder and a port that another broker uses", async () => {
  const dir = join(folder, "used");
  const first = begin(["broker", "--listen", "tcp://127.0.0.1:0", "--http", "0", "--dir", dir]);
  const [, http = ""] = await first.see(
    /^hawser broker: ready on tcp:\S+ http:\/\/(\S+), topics in .*used\n$/,
  );
  const locked = await hawser(["broker", "--dir", dir, "--listen", "tcp://127.0.0.1:0"]);
  assertEquals([locked.code, locked.stdout], [1, ""]);
  assertMatch(
    locked.stderr,
    /^hawser: The folder .*used is in use by this process \(.*\(ERR_LOG_LOCKED\)\n$/,
  );
  const port = await hawser(["broker", "--listen", "tcp://127.0.0.1:0", "--http", http]);
  assertEquals([port.code, port.stdout], [1, ""]);
  assert(port.stderr.startsWith(`hawser: Cannot listen for HTTP on ${http}: `), port.stderr);
  first.signal("SIGINT");
  const { code, stderr } = await first.ending;
  assertEquals([code, stderr], [0, "hawser broker: stopping; a second signal ends it at once\n"]);
});

test("a command without a broker says that it waits, and can be interrupted", async () => {
  const endings = [["status"], ["subscribe", "a"], ["publish", "a"], ["publish", "a", "--name", "b"]].map(
    async (args) => {
      const command = begin([...args, "--connect", "tcp://127.0.0.1:1"], { stdin: "open" });
      await command.see(/hawser: waiting for a broker at tcp:\/\/127\.0\.0\.1:1\n/);
      command.signal("SIGINT");
      const { code, stdout } = await command.ending;
      assertEquals([code, stdout], [130, ""], args.join(" "));
    },
  );
  await Promise.all(endings);
});

test("publish survives a broker that is restarted", async () => {
  const dir = join(folder, "restarted");
  // A path, because nobody else takes it while the broker is away.
  const endpoint = `ipc://${join(folder, "restarted.sock")}`;
  const first = await startBroker({ dir, listen: [endpoint] });
  const to = ["--connect", endpoint];
  const publishing = begin(["publish", "lines", ...to], { stdin: "open" });
  publishing.stdin.write("one\ntwo\n");
  await output(["subscribe", "lines", "--from", "earliest", "--count", "1", ...to]);
  await first.close();
  await publishing.see(/lost the connection to the broker/);
  const second = await startBroker({ dir, listen: [endpoint] });
  await publishing.see(/connected to the broker again/);
  publishing.stdin.end("three\n");
  const { code, stdout, stderr } = await publishing.ending;
  assertEquals([code, stdout], [0, "published 3 records to lines, positions 0 to 2\n"], stderr);
  const log = await connectLog(endpoint);
  const values: string[] = [];
  for await (const { value } of log.subscribe("lines", { from: "earliest" })) {
    if (values.push(new TextDecoder().decode(value)) === 3) break;
  }
  assertEquals(values, ["one", "two", "three"]);
  await log.close();
  await second.close();
});
