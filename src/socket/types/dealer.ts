/**
 * The socket type DEALER.
 *
 * @module
 */

import { DealerPattern } from "../../pattern/dealer.ts";
import type {
  ConflateOptions,
  ReceiveOptions,
  RoutingIdOptions,
  SendOptions,
  SocketOptions,
} from "../options.ts";
import { type ContextOption, defineOptions, DuplexSocket } from "../socket.ts";

/** Options of {@link Dealer}. */
export interface DealerOptions
  extends SocketOptions, SendOptions, ReceiveOptions, ConflateOptions, RoutingIdOptions {}

/** DEALER: sends to its peers in turn and receives from them in turn. */
export class Dealer extends DuplexSocket {
  constructor(options: DealerOptions & ContextOption = {}) {
    super("DEALER", DealerPattern, options);
  }
}
export interface Dealer extends Required<DealerOptions> {}
defineOptions(Dealer.prototype, "Dealer", "DEALER");
