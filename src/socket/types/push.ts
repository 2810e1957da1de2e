/**
 * The socket type PUSH.
 *
 * @module
 */

import { PushPattern } from "../../pattern/push.ts";
import type { ConflateOptions, SendOptions, SocketOptions } from "../options.ts";
import { type ContextOption, defineOptions, SendingSocket } from "../socket.ts";

/** Options of {@link Push}. */
export interface PushOptions extends SocketOptions, SendOptions, ConflateOptions {}

/** PUSH: sends each message to one of its Pull peers, in turn. */
export class Push extends SendingSocket {
  constructor(options: PushOptions & ContextOption = {}) {
    super("PUSH", PushPattern, options);
  }
}
export interface Push extends Required<PushOptions> {}
defineOptions(Push.prototype, "Push", "PUSH");
