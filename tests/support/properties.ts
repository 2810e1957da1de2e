/**
 * fast-check with a fixed seed, so that a run of the tests says the same twice.
 *
 * `HAWSER_SEED=n` draws other cases: a failure names the seed that found it.
 *
 * @module
 */

import process from "node:process";
import fc from "fast-check";

const DEFAULT_SEED = 20_261_120;

fc.configureGlobal({ seed: Number(process.env["HAWSER_SEED"] || DEFAULT_SEED) });

export default fc;
export type { Arbitrary } from "fast-check";
