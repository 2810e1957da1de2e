/**
 * The upgrade of a request that `Bun.serve` or `Deno.serve` has read: the decision is ours, the switch is the
 * server's. The socket is offered its stream before the decision, and hears of a refusal as an event.
 *
 * @module
 */

import type { PeerError } from "../../src/errors.ts";
import type { WebSocketOptions } from "../../src/transport_options.ts";
import { bridgeLink } from "../../src/websocket/link_bridge.ts";
import type { OpenMessageLink } from "../../src/websocket/message_link.ts";
import {
  admit,
  type Admitted,
  checkRequest,
  forwardedFor,
  isPromise,
  type Refusal,
  type RequestHead,
  requestOf,
  type UpgradePolicy,
} from "../../src/websocket/upgrade/policy.ts";
import { forwardedAddress, refusalHeaders, requestError } from "../../src/websocket/upgrade/server.ts";
import { offer } from "../kit/offer.ts";
import { host } from "../shared_host.ts";
import { type BoundPath, bridgeSetup, policyOf } from "../websocket/bound_paths.ts";
import type { ServedLink } from "./served_link.ts";
import type { ResponseLike, ServeGlobals } from "./types.ts";

/** A request, and how its server switches. */
export interface NativeRequest<Native> {
  readonly head: RequestHead;
  readonly remoteAddress: string;
  readonly loopback: boolean;
  readonly defaults: WebSocketOptions;
  readonly link: ServedLink<Native>;
  /** Switches to a sub-protocol. Throws if the server cannot. */
  readonly upgrade: (protocol: string) => { readonly native: Native; readonly response: ResponseLike };
}

const BUSY: Refusal = { status: 503, why: "The socket is closed or has too many unfinished handshakes" };

/** Decides on a request for a bound path, and returns what the server is to respond. */
export function upgradeNatively<Native>(
  bound: BoundPath,
  request: NativeRequest<Native>,
): ResponseLike | Promise<ResponseLike> {
  return new NativeUpgrade(bound, request).run();
}

class NativeUpgrade<Native> {
  readonly #bound: BoundPath;
  readonly #request: NativeRequest<Native>;
  readonly #policy: UpgradePolicy;
  #remoteAddress: string;
  #over = false;

  constructor(bound: BoundPath, request: NativeRequest<Native>) {
    this.#bound = bound;
    this.#request = request;
    this.#policy = policyOf(bound, request.loopback, request.defaults);
    this.#remoteAddress = request.remoteAddress;
  }

  run(): ResponseLike | Promise<ResponseLike> {
    if (!this.#offer()) return respond(BUSY);
    const { head } = this.#request;
    const refusal = checkRequest(head);
    if (refusal !== undefined) return this.#refuse(refusal);
    const admitted = admit(head, this.#policy);
    if ("status" in admitted) return this.#refuse(admitted);
    const { accept, trustProxy } = this.#policy.webSocket;
    const named = trustProxy === true ? forwardedFor(head.headers) : undefined;
    if (named !== undefined) this.#remoteAddress = forwardedAddress("ws", named);
    return accept === undefined ? this.#switch(admitted) : this.#ask(admitted, accept);
  }

  /** Offers the stream to the socket. Returns whether it was taken. */
  #offer(): boolean {
    const { link } = this.#request;
    const open: OpenMessageLink = (told) => {
      link.handlers = told;
      return link;
    };
    const dial = bridgeLink(open, bridgeSetup("server", this.#bound.options, host));
    let taken = true;
    offer(this.#bound.accept, dial, () => taken = false);
    return taken;
  }

  #ask(
    admitted: Admitted,
    accept: NonNullable<WebSocketOptions["accept"]>,
  ): ResponseLike | Promise<ResponseLike> {
    const decide = (allowed: unknown): ResponseLike =>
      allowed === true
        ? this.#switch(admitted)
        : this.#refuse({ status: 403, why: "The application does not accept the request" });
    const failed = (cause: unknown): ResponseLike =>
      this.#refuse({ status: 500, why: "The application's accept failed" }, cause);
    try {
      const verdict = accept(requestOf(this.#request.head, this.#remoteAddress));
      if (!isPromise(verdict)) return decide(verdict);
      return new Promise((resolve) => {
        this.#request.link.abandoned = () => {
          this.#over = true;
          resolve(respond(BUSY));
        };
        Promise.resolve(verdict).then(
          (allowed) => this.#over || resolve(decide(allowed)),
          (cause) => this.#over || resolve(failed(cause)),
        );
      });
    } catch (cause) {
      return failed(cause);
    }
  }

  #switch({ protocol }: Admitted): ResponseLike {
    const { head, link, upgrade } = this.#request;
    const { path, host: name, origin } = requestOf(head, this.#remoteAddress);
    link.info = {
      protocol,
      localAddress: this.#bound.endpoint,
      remoteAddress: this.#remoteAddress,
      http: { path, host: name, origin, protocol },
    };
    try {
      const { native, response } = upgrade(protocol);
      link.switched(native);
      return response;
    } catch (cause) {
      return this.#refuse({ status: 500, why: "The web server could not switch to a WebSocket" }, cause);
    }
  }

  #refuse(refusal: Refusal, cause?: unknown): ResponseLike {
    const why = `${refusal.why} (refused with status ${refusal.status})`;
    const error: PeerError = requestError(this.#bound.endpoint, this.#remoteAddress, why, cause);
    this.#request.link.refused(error);
    return respond(refusal);
  }
}

function respond({ status, why }: Refusal): ResponseLike {
  const { Response } = globalThis as unknown as ServeGlobals;
  const headers = { ...refusalHeaders(status), "Content-Type": "text/plain; charset=utf-8" };
  return new Response(`${why}.\n`, { status, headers });
}
