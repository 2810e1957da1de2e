/**
 * How clients of a stress run come back to a broker that was killed: soon, since it is restarted at once.
 *
 * @module
 */

import type { ConnectOptions } from "../../log.ts";

export const RECONNECT: ConnectOptions = {
  retryMs: 20,
  retryMaxMs: 100,
  connectTimeoutMs: 60_000,
  // A broker on a busy machine may take long; that is no fault.
  requestTimeoutMs: 600_000,
  closeTimeoutMs: 60_000,
};
