import { createHash } from "node:crypto";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { sha1 } from "../../../src/websocket/upgrade/sha1.ts";
import { acceptOf } from "../../../src/websocket/upgrade/states.ts";

test("SHA-1 is what the runtime makes of every length around the ends of its blocks", () => {
  for (const length of [...Array.from({ length: 200 }, (_, i) => i), 1_000, 65_537]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 31 + length);
    const expected = createHash("sha1").update(bytes).digest("hex");
    assertEquals(hex(sha1(bytes)), expected, `${length} bytes`);
  }
});

test("the proof of a server is that of the example in RFC 6455 §1.3", () => {
  assertEquals(acceptOf("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
