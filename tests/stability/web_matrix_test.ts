import { test } from "node:test";
import { WEB_SCHEMES } from "../interop/support/addresses.ts";
import { closeLane, MATRIX, openLane, passNumbered } from "./lanes.ts";

// Six patterns, four transports, three sizes: 72 cells, with the default high-water marks.

const MIB = 1_048_576;
const SIZES: readonly (readonly [bytes: number, messages: number])[] = [[64, 2_000], [1_024, 2_000], [
  MIB,
  12,
]];

for (const name of MATRIX) {
  for (const scheme of WEB_SCHEMES) {
    for (const [bytes, messages] of SIZES) {
      test(`${name} passes ${messages} messages of ${bytes} bytes over ${scheme} in order and unchanged`, async () => {
        const lane = await openLane(name, scheme);
        const range = { from: 0, to: messages, bytesOf: () => bytes };
        await passNumbered(lane, range, `${messages} messages through ${name} over ${scheme}`);
        await closeLane(lane);
      });
    }
  }
}
