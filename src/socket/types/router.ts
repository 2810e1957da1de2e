/**
 * The socket type ROUTER.
 *
 * @module
 */

import { copyOf } from "../../bytes/bytes.ts";
import { RouterPattern } from "../../pattern/router.ts";
import { BYTES, callFault, type CallOptions, WAIT_OPTIONS, type WaitOptions } from "../call_options.ts";
import {
  type BytesLike,
  optionBytes,
  ownBytes,
  type ReceiveOptions,
  type RouterOptions,
  type RoutingIdOptions,
  type SendOptions,
  type SocketOptions,
} from "../options.ts";
import { type ContextOption, defineOptions, DuplexSocket } from "../socket.ts";

/** Options of {@link Router}. */
export interface RouterSocketOptions
  extends SocketOptions, SendOptions, ReceiveOptions, RoutingIdOptions, RouterOptions {}

const CONNECT_OPTIONS: CallOptions<"routingId"> = {
  routingId: {
    allowed: "a string or Uint8Array of 1 to 255 bytes",
    allows: (value) => BYTES.allows(value) && isRoutingIdLength(optionBytes(value as BytesLike).length),
  },
};
const WRITABLE_OPTIONS: CallOptions<"routingId" | keyof WaitOptions> = {
  ...WAIT_OPTIONS,
  routingId: { allowed: "a Uint8Array", allows: (value) => value instanceof Uint8Array },
};

function isRoutingIdLength(bytes: number): boolean {
  return bytes >= 1 && bytes <= 255;
}

/** ROUTER: the first frame of every message names the peer. */
export class Router extends DuplexSocket {
  constructor(options: RouterSocketOptions & ContextOption = {}) {
    super("ROUTER", RouterPattern, options);
  }

  /**
   * Connects to an endpoint. With `routingId`, this socket knows the peer by that id, whatever id the peer
   * announces, and even before it is connected.
   */
  override connect(address: string, options?: { readonly routingId?: string | Uint8Array }): void {
    if (options !== undefined) {
      const fault = callFault("connect", options, CONNECT_OPTIONS);
      if (fault !== undefined) throw fault;
    }
    const routingId = options?.routingId;
    if (routingId === undefined) return super.connect(address);
    this.core.endpoints.connect(address, ownBytes(routingId));
  }

  /** Resolves when `trySend` is worth a try; with `routingId`, when it is for that peer. */
  override waitWritable(options?: WaitOptions & { readonly routingId?: Uint8Array }): Promise<void> {
    const routingId = options?.routingId;
    const pattern = this.core.pattern as RouterPattern;
    // Anything else is refused below, as a rejection.
    const id = routingId instanceof Uint8Array ? copyOf(routingId) : undefined;
    const ask = id === undefined ? undefined : (): boolean => pattern.canSendTo(id);
    return this.core.sender.waitWritable(options, ask, WRITABLE_OPTIONS);
  }
}
export interface Router extends Required<RouterSocketOptions> {}
defineOptions(Router.prototype, "Router", "ROUTER");
