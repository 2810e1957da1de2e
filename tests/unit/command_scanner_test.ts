import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes, concat, copyOf } from "../../src/bytes/bytes.ts";
import { PeerError } from "../../src/errors.ts";
import { CommandScanner } from "../../src/zmtp/command_scanner.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { FLAG_COMMAND, FLAG_MORE } from "../../src/zmtp/wire.ts";

/** The commands found in a stream that comes in chunks of so many bytes. */
function scan(
  stream: Uint8Array,
  chunkBytes: number,
  scanner: CommandScanner = new CommandScanner(),
): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += chunkBytes) {
    scanner.scan(stream.slice(at, at + chunkBytes), (body) => {
      found.push(copyOf(body));
      return undefined;
    });
  }
  return found;
}

const part = fc.oneof(
  fc.tuple(fc.constantFrom(0, FLAG_MORE), fc.uint8Array({ maxLength: 300 })).map(([flags, body]) => ({
    flags,
    body,
  })),
  fc.uint8Array({ maxLength: 300 }).map((body) => ({ flags: FLAG_COMMAND, body })),
);

test("commands are found among messages, whatever the cuts, and nothing inside a body is taken for one", () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), fc.integer({ min: 1, max: 400 }), (parts, chunkBytes) => {
      // Bodies that look like frames themselves are the hard ones.
      const disguised = parts.map(({ flags, body }) => ({
        flags,
        body: body.length > 100 ? concat([encodeFrame(FLAG_COMMAND, asciiBytes("\x04PING")), body]) : body,
      }));
      const stream = concat(disguised.map(({ flags, body }) => encodeFrame(flags, body)));
      const expected = disguised.filter(({ flags }) => flags === FLAG_COMMAND).map(({ body }) => body);
      for (const size of [1, chunkBytes, Math.max(1, stream.length)]) {
        const scanner = new CommandScanner();
        assertEquals(scan(stream, size, scanner), expected, `chunks of ${size}`);
        assertEquals(scanner.found, expected.length);
      }
    }),
    { numRuns: 500 },
  );
});

test("behind a frame that will be refused nothing is looked at", () => {
  const command = encodeFrame(FLAG_COMMAND, asciiBytes("\x04PING"));
  for (
    const bad of [
      Uint8Array.of(8, 0),
      Uint8Array.of(5, 0),
      Uint8Array.of(2, 255, 255, 255, 255, 255, 255, 255, 255),
    ]
  ) {
    for (const chunkBytes of [1, 100]) {
      assertEquals(scan(concat([command, bad, command]), chunkBytes).length, 1);
    }
  }
});

test("a command that is refused is not counted, and nothing behind it is handled before the decoder comes to it", () => {
  const scanner = new CommandScanner();
  let asked = 0;
  scanner.scan(
    concat([encodeFrame(FLAG_COMMAND, asciiBytes("a")), encodeFrame(FLAG_COMMAND, asciiBytes("b"))]),
    () => {
      asked++;
      return new PeerError("ERR_PEER_COMMAND", "no");
    },
  );
  assertEquals([asked, scanner.found], [1, 0]);
});

test("a command above 64 KiB keeps its place behind the messages, and its size allocates nothing", () => {
  const scanner = new CommandScanner();
  const header = Uint8Array.of(6, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff);
  scanner.scan(header, () => assert(false, "not here") as never);
  scanner.scan(encodeFrame(FLAG_COMMAND, asciiBytes("x")), () => assert(false, "nor behind it") as never);
  assertEquals(scanner.found, 0);
  const largest = encodeFrame(FLAG_COMMAND, new Uint8Array(65_536));
  assertEquals(scan(largest, 5_000).length, 1);
});

test("a reset starts at a frame boundary again, wherever it was", () => {
  const command = encodeFrame(FLAG_COMMAND, asciiBytes("\x04PING"));
  for (
    const half of [command.slice(0, 1), command.slice(0, 4), Uint8Array.of(0, 200, 1), Uint8Array.of(8, 0)]
  ) {
    const scanner = new CommandScanner();
    scan(half, 1, scanner);
    scanner.reset();
    assertEquals([scan(command, 2, scanner).length, scanner.found], [1, 1]);
  }
});
