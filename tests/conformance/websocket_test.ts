import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { playWebSocket, readWebSocketVectors, type Role } from "./websocket_player.ts";

const vectors = readWebSocketVectors();
const BOTH: readonly Role[] = ["client", "server"];

for (const { vector } of vectors) {
  for (const role of vector.roles ?? BOTH) {
    test(`${vector.spec}, as ${role}: ${vector.name}`, () => playWebSocket(vector, role));
  }
}

test("every vector names its clause, and no two prove the same sentence", () => {
  assert(vectors.length > 80, `only ${vectors.length} vectors were found`);
  const seen = new Set<string>();
  for (const { file, vector } of vectors) {
    assert(/^RFC (?:6455 §\d|45)/.test(vector.spec) && vector.name.length > 0, file);
    const sentence = `${vector.spec}: ${vector.name}`;
    assert(!seen.has(sentence), `${file} repeats "${sentence}"`);
    seen.add(sentence);
  }
});

test("every section of RFC 6455 that speaks of frames and of closing has vectors", () => {
  const sections = ["5.1", "5.2", "5.3", "5.4", "5.5", "5.5.1", "5.5.2", "5.5.3", "5.6", "7.1", "7.4", "8.1"];
  const told = new Set(vectors.map(({ vector }) => vector.spec));
  assertEquals(sections.filter((section) => !told.has(`RFC 6455 §${section}`)), []);
});

test("the player fails where a vector tells something else than the bridge does", () => {
  // Those with large bodies take long, and prove nothing more.
  for (const { vector } of vectors.filter((_, index) => index % 4 === 0)) {
    for (const role of vector.roles ?? BOTH) {
      const wrong = [
        { ...vector, up: `${vector.up ?? ""} 00` },
        { ...vector, out: [...vector.out ?? [], "8A 00"] },
        { ...vector, error: vector.error === undefined ? "ERR_WEBSOCKET" : "ERR_TLS" },
      ];
      for (const one of wrong) assertThrows(() => playWebSocket(one, role), Error, undefined, vector.name);
    }
  }
});
