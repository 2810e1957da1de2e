/**
 * The compliance suite, for authors of transports.
 *
 * @module
 */

export { type SuiteTest, transportSuite, type TransportSuiteOptions } from "./transport_suite.ts";
