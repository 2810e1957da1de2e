/**
 * SUB (RFC 29): XSUB that filters what it receives and cannot send upstream. Publishers filter as well, but a
 * cancelled topic's last messages may still be on their way.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import type { Message } from "./pipe/pipe.ts";
import { XSubPattern } from "./xsub.ts";

export class SubPattern extends XSubPattern {
  override readonly type: SocketType = "SUB";

  override get canSend(): boolean {
    return false;
  }

  override trySend(_message: Outgoing): boolean {
    throw new MisuseError("ERR_STATE", "Cannot send: a SUB socket does not send");
  }

  override tryReceive(): Message | undefined {
    const { invertMatching } = this.options;
    for (let message = super.tryReceive(); message !== undefined; message = super.tryReceive()) {
      if (this.topics.matches(message[0]!) !== invertMatching) return message;
    }
    return undefined;
  }
}
