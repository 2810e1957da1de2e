/**
 * The socket type REP.
 *
 * @module
 */

import { RepPattern } from "../../pattern/rep.ts";
import type { ReceiveOptions, SendOptions, SocketOptions } from "../options.ts";
import { type ContextOption, defineOptions, DuplexSocket } from "../socket.ts";

/** Options of {@link Reply}. */
export interface ReplyOptions extends SocketOptions, SendOptions, ReceiveOptions {}

/** REP: receives a request, then sends its reply. */
export class Reply extends DuplexSocket {
  constructor(options: ReplyOptions & ContextOption = {}) {
    super("REP", RepPattern, options);
  }
}
export interface Reply extends Required<ReplyOptions> {}
defineOptions(Reply.prototype, "Reply", "REP");
