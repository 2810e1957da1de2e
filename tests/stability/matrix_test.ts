import { test } from "node:test";
import { SCHEMES } from "../interop/support/addresses.ts";
import { closeLane, MATRIX, openLane, passNumbered } from "./lanes.ts";

// Six patterns, three transports, two sizes: 36 cells, 10 000 messages each, with the default high-water marks.

const MESSAGES = 10_000;

for (const name of MATRIX) {
  for (const scheme of SCHEMES) {
    for (const bytes of [64, 1_024]) {
      test(`${name} passes ${MESSAGES} messages of ${bytes} bytes over ${scheme} in order and unchanged`, async () => {
        const lane = await openLane(name, scheme);
        const range = { from: 0, to: MESSAGES, bytesOf: () => bytes };
        await passNumbered(lane, range, `${MESSAGES} messages through ${name} over ${scheme}`);
        await closeLane(lane);
      });
    }
  }
}
