/**
 * A broker's door on the network: a ROUTER on the wire, and each peer of it a link of its own.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import { PeersPattern } from "../../pattern/distribution/peers.ts";
import type { Peer } from "../../pattern/pipe/pipe.ts";
import type { Context } from "../../socket/context.ts";
import type { Observer } from "../../socket/observer.ts";
import { SocketCore } from "../../socket/socket_core.ts";
import type { RouterSocketOptions } from "../../socket/sockets.ts";
import type { AcceptLink, LinkEvents } from "../link.ts";
import { LinkSet } from "../links/link_set.ts";
import type { TlsOptions } from "../../transport_options.ts";
import { LinkInput, type PipeLink } from "../links/pipe_link.ts";

/** What a {@link LinkServer} is made of. */
export interface LinkServerInit {
  readonly context: Context;
  /** Called for every peer whose handshake is done, from inside its connection. */
  readonly accept: AcceptLink;
  /** Behind each burst of messages, before any link is told anything else: the place for a sequencing round. */
  readonly endOfBurst: () => void;
  /** Options of the socket in place of {@link SERVER_OPTIONS}. */
  readonly socket?: Partial<RouterSocketOptions>;
}

/** Bytes that wait for one peer before its `trySend` answers false, unless the socket's options say otherwise. */
export const LINK_BYTES_MAX = 4_194_304;

/** How the socket differs from a `Router` that nobody configured. */
export const SERVER_OPTIONS: Readonly<RouterSocketOptions> = {
  mandatory: true,
  // Bytes count, not messages: an acknowledgement is nothing beside a megabyte of records.
  sendHighWaterMark: 0,
  sendHighWaterMarkBytes: LINK_BYTES_MAX,
  receiveHighWaterMark: 1_000,
  receiveHighWaterMarkBytes: 2 * LINK_BYTES_MAX,
  handshakeInterval: 10_000,
  // A peer whose machine has died never says so.
  heartbeatInterval: 10_000,
  heartbeatTimeout: 30_000,
};

/** What a link that was closed without a reason tells the socket's events. */
const CLOSED = "The broker closed the connection";

/**
 * Accepts links on any number of endpoints, of any transport of its context and `inproc`.
 *
 * A link's `trySend` answers false when its peer has {@link LINK_BYTES_MAX} bytes to take, and when the server has handed
 * over so much in this turn of the event loop that timers and reads would starve; `writable` follows either way. A peer
 * that takes nothing holds up nobody else. `close` ends that peer's connection alone; what it was sent before may still
 * leave, within a second. Routing ids that peers claim mean nothing.
 */
export class LinkServer {
  readonly #core: SocketCore;
  readonly #set: LinkSet;
  readonly #accept: AcceptLink;
  readonly #endpoints: string[] = [];
  #binding: Promise<unknown> = Promise.resolve();
  readonly #context: Context;
  #stopping = false;

  /** @throws {MisuseError} `ERR_OPTION`: an option of the socket; `ERR_CLOSED`: the context is closed. */
  constructor(init: LinkServerInit) {
    this.#accept = init.accept;
    this.#context = init.context;
    const end = ({ pipe, reason }: PipeLink): void => pipe.refuse(reason ?? new Error(CLOSED), true);
    this.#set = new LinkSet({
      scheduler: init.context.runtime.scheduler,
      joined: (link) => this.#joined(link),
      end,
      closing: end,
      endOfBurst: init.endOfBurst,
    });
    this.#core = new SocketCore(
      "ROUTER",
      init.context,
      { ...SERVER_OPTIONS, ...init.socket },
      (pattern) => new PeersPattern("ROUTER", pattern, this.#set),
    );
    this.#core.allocatorFor = (connection) => this.#set.inputOf(connection);
    this.#core.observer.on("disconnect", ({ peer, error }) => this.#set.failed(peer, error));
  }

  /** Where it listens, with the ports and paths that the system chose. */
  get endpoints(): readonly string[] {
    return this.#endpoints;
  }

  /** What happens to endpoints and peers, for people: refused handshakes, failed accepts. */
  get events(): Observer {
    return this.#core.observer;
  }

  /** As `renewTls` of a socket. */
  renewTls(tls?: TlsOptions): Promise<void> {
    return this.#core.renewTls(tls);
  }

  /** Links that were accepted and not yet told of their end. */
  get links(): number {
    return this.#set.size;
  }

  /**
   * Listens on an endpoint and answers the real one.
   *
   * @throws {MisuseError} (rejects) `ERR_ENDPOINT`, `ERR_ADDRESS_IN_USE`, `ERR_ADDRESS`, `ERR_PERMISSION`, `ERR_CLOSED`. The
   * rest goes on.
   */
  bind(endpoint: string): Promise<string> {
    // One after the other: the socket tells the real endpoint of its last bind only.
    const bound = this.#binding.then(() => {
      if (this.#stopping) throw new MisuseError("ERR_CLOSED", "The server is closed");
      return this.#core.endpoints.bind(endpoint);
    }).then(() => {
      const real = this.#core.endpoints.last!;
      this.#endpoints.push(real);
      return real;
    });
    this.#binding = bound.catch(() => {});
    return bound;
  }

  /**
   * Stops listening, delivers the burst that has arrived, then ends every link as `close` does. Resolves when no connection is
   * left, and every link was told `closed`; the process stays alive until then. A second call waits for the first.
   */
  stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      // Connections that nobody waits on do not hold the process, and whoever called this waits for their end.
      const { keepAlive } = this.#context.runtime;
      keepAlive.hold();
      void this.#core.ended.then(() => {
        keepAlive.release();
        keepAlive.settle();
      });
      this.#set.closeAll(() => this.#core.close());
    }
    return this.#core.ended;
  }

  #joined(link: PipeLink): LinkEvents {
    const { allocator } = link.pipe;
    const input = allocator instanceof LinkInput ? allocator : undefined;
    const accepted = this.#accept(link, input, nameOf(link.pipe.peer!));
    if (input !== undefined) input.target = accepted.allocator;
    return accepted.events;
  }
}

function nameOf(peer: Peer): string {
  return peer.remoteAddress === "" ? peer.endpoint : peer.remoteAddress;
}
