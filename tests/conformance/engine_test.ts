import { test } from "node:test";
import { assert, assertThrows } from "@std/assert";
import { type EngineVector, playEngine } from "./engine_player.ts";
import { type CodecVector, readVectors } from "./player.ts";

const vectors = readVectors<CodecVector | EngineVector>().flatMap(({ vector }) =>
  vector.play === "engine" ? [vector] : []
);

for (const vector of vectors) test(`${vector.spec}: ${vector.name}`, () => playEngine(vector));

test("the engine player fails where a vector tells something else than the engine does", () => {
  assert(vectors.length > 20);
  for (const vector of vectors) {
    const last = vector.steps.length - 1;
    const altered = vector.steps[last]!;
    const wrongOut = [...vector.steps.slice(0, last), { ...altered, out: `${altered.out ?? ""} 00` }];
    assertThrows(() => playEngine({ ...vector, steps: wrongOut }), Error, "step", vector.name);
    const events = [...altered.events ?? [], { subscribe: "'nobody'" }];
    assertThrows(
      () => playEngine({ ...vector, steps: [...vector.steps.slice(0, last), { ...altered, events }] }),
      Error,
      "step",
    );
  }
});
