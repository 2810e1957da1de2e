/**
 * The socket type PULL.
 *
 * @module
 */

import { PullPattern } from "../../pattern/pull.ts";
import type { ConflateOptions, ReceiveOptions, SocketOptions } from "../options.ts";
import { type ContextOption, defineOptions, ReceivingSocket } from "../socket.ts";

/** Options of {@link Pull}. */
export interface PullOptions extends SocketOptions, ReceiveOptions, ConflateOptions {}

/** PULL: receives messages from all its Push peers, one from each in turn. */
export class Pull extends ReceivingSocket {
  constructor(options: PullOptions & ContextOption = {}) {
    super("PULL", PullPattern, options);
  }
}
export interface Pull extends Required<PullOptions> {}
defineOptions(Pull.prototype, "Pull", "PULL");
