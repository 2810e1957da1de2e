/**
 * For authors of transports: the compliance suite, and a wrapper that names broken rules while a program
 * runs. For everyone's tests: a link that is slow, full and cut.
 *
 * @module
 */

export { type CheckedOptions, checkedTransport } from "./checked_transport.ts";
export { type TestLink, testLink, type TestLinkOptions } from "./test_link.ts";

export type { TransportSuiteOptions } from "./bench.ts";
export { type SuiteTest, transportSuite } from "./transport_suite.ts";
