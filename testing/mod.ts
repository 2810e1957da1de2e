/**
 * For authors of transports: the compliance suite.
 *
 * @module
 */

export { type SuiteTest, transportSuite, type TransportSuiteOptions } from "./transport_suite.ts";
