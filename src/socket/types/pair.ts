/**
 * The socket type PAIR.
 *
 * @module
 */

import { PairPattern } from "../../pattern/pair.ts";
import type { ReceiveOptions, SendOptions, SocketOptions } from "../options.ts";
import { type ContextOption, defineOptions, DuplexSocket } from "../socket.ts";

/** Options of {@link Pair}. */
export interface PairOptions extends SocketOptions, SendOptions, ReceiveOptions {}

/** PAIR: exchanges messages with exactly one peer. */
export class Pair extends DuplexSocket {
  constructor(options: PairOptions & ContextOption = {}) {
    super("PAIR", PairPattern, options);
  }
}
export interface Pair extends Required<PairOptions> {}
defineOptions(Pair.prototype, "Pair", "PAIR");
