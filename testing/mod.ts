/**
 * The compliance suite, for authors of transports.
 *
 * @module
 */

export type { TransportSuiteOptions } from "./bench.ts";
export { type SuiteTest, transportSuite } from "./transport_suite.ts";
