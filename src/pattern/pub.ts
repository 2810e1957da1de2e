/**
 * PUB (RFC 29): XPUB that passes nothing to the application. What subscribers send upstream is dropped.
 *
 * @module
 */

import type { SocketType } from "../zmtp/socket_type.ts";
import type { Message } from "./pipe/pipe.ts";
import { XPubPattern } from "./xpub.ts";

export class PubPattern extends XPubPattern {
  override readonly type: SocketType = "PUB";

  protected override get notifies(): boolean {
    return false;
  }

  override get canReceive(): boolean {
    return false;
  }

  override tryReceive(): Message | undefined {
    return undefined;
  }
}
