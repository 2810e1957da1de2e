/**
 * The endpoints of a socket: what it is bound and connected to, and the sessions of each.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { StreamOptions, TransportFactory } from "../ports.ts";
import { ConnectSession } from "../session/connect_session.ts";
import type { Session, SessionOwner } from "../session/owner.ts";
import type { Runtime } from "../session/runtime.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import type { Bindings, BindingsEvents } from "./bindings.ts";
import type { Context } from "./context.ts";
import type { Inproc, Listening } from "./features.ts";
import type { OptionValues } from "./options.ts";
import { splitEndpoint } from "./scheme.ts";

/**
 * Connecting these types a second time to the same endpoint does nothing, as in libzmq. With the other types
 * a second connection gets a second share of the messages.
 */
const SINGLE_CONNECT: readonly SocketType[] = ["DEALER", "SUB", "PUB", "REQ"];

/** The schemes whose connections are made with the TLS options. */
const TLS_SCHEMES: readonly string[] = ["tls", "wss"];

/** The socket whose endpoints these are. */
export interface EndpointsOwner extends SessionOwner {
  readonly type: SocketType;
  readonly context: Context;
  readonly runtime: Runtime;
  readonly options: OptionValues;
  /** Throws `ERR_CLOSED` if the socket is closed. */
  assertOpen(): void;
  /** Called when the last endpoint and session of a closed socket are gone. */
  finish(): void;
  /**
   * Called with `failure` when no endpoint is left because the last can never work, and with `undefined` when
   * another one is tried.
   */
  strand(failure: Error | undefined): void;
}

/** The endpoints and sessions of one socket. */
export class Endpoints implements BindingsEvents {
  /** The real endpoint of the last bind, or the endpoint of the last connect. */
  last: string | null = null;
  readonly #core: EndpointsOwner;
  /** Made when something is first bound. */
  #bindings: Bindings | undefined;
  readonly #sessions: Set<Session> = new Set();
  /** Connecting sessions, by the requested endpoint. */
  readonly #connects: Map<string, Set<Session>> = new Map();
  #finished = false;

  constructor(core: EndpointsOwner) {
    this.#core = core;
  }

  /** The real endpoints that the socket is bound to. */
  get bound(): string[] {
    return this.#bindings?.endpoints ?? [];
  }

  /** The endpoints that the socket is connected to or is trying to reach, as requested. */
  get connected(): string[] {
    return [...this.#connects.keys()];
  }

  /** Messages that were sent but not yet taken by a transport. */
  get queuedMessages(): number {
    let messages = 0;
    for (const session of this.#sessions) messages += session.queuedMessages;
    return messages;
  }

  /** Binds and starts accepting. Resolves with the real endpoint. */
  async bind(address: string): Promise<string> {
    this.#core.assertOpen();
    const { context } = this.#core;
    const scheme = context.schemeOf(address, "bind");
    if (scheme === "inproc") {
      const feature = this.#inproc(address);
      this.#bindingsBy(feature).bindInproc(feature, address);
      return address;
    }
    const transport = context.transport(scheme);
    const streamOptions = this.#streamOptions();
    const feature = context.features.listening ?? missing("listening", `Cannot bind to "${address}"`);
    return await this.#bindingsBy(feature).listen(feature, address, transport, streamOptions);
  }

  /** Stops accepting; accepted connections stay open. `address` is the real endpoint (`lastEndpoint`). */
  async unbind(address: string): Promise<void> {
    this.#core.assertOpen();
    const unbound = this.#bindings?.unbind(address);
    if (unbound === undefined) {
      throw new MisuseError("ERR_NOT_BOUND", `Cannot unbind "${address}": the socket is not bound to it`);
    }
    await unbound;
  }

  /** Starts connecting, and reconnects whenever the connection is lost. */
  connect(address: string, routingId?: Uint8Array): void {
    this.#core.assertOpen();
    const { context, runtime } = this.#core;
    const scheme = context.schemeOf(address, "connect");
    if (this.#connects.has(address) && SINGLE_CONNECT.includes(this.#core.type)) return;
    if (scheme === "inproc") {
      const session = this.#inproc(address).connect(this.#core, runtime, address, routingId);
      this.last = address;
      this.#connected(address, session);
      session.prepare();
      session.start();
      return;
    }
    const transport = context.transport(scheme);
    const streamOptions = this.#streamOptions();
    const start = (factory: TransportFactory): void => {
      session.start(factory.dial(address, streamOptions));
    };
    // The transport parses the address before anything is recorded: an invalid one throws here.
    if (!(transport instanceof Promise)) transport.dial(address, streamOptions);
    this.last = address;
    const session = new ConnectSession(this.#core, runtime, address, routingId);
    this.#connected(address, session);
    session.prepare();
    if (transport instanceof Promise) {
      transport.then(start).catch((error) => session.failToStart(error as Error));
    } else {
      start(transport);
    }
  }

  /** Ends all connections to `address`; queued messages may still leave during the linger time. */
  disconnect(address: string): void {
    this.#core.assertOpen();
    const sessions = this.#connects.get(address);
    if (sessions === undefined) {
      throw new MisuseError(
        "ERR_NOT_BOUND",
        `Cannot disconnect from "${address}": the socket is not connected to it`,
      );
    }
    this.#connects.delete(address);
    for (const session of sessions) session.close(this.#core.options.linger);
  }

  /**
   * Uses the present TLS options for connections that are accepted or made from now on. All listeners that
   * can use them do so, and the promise rejects with the error of the first that cannot.
   */
  async renewTls(): Promise<void> {
    const options = this.#streamOptions();
    await this.#bindings?.renew(options);
    for (const [address, sessions] of this.#connects) {
      const { scheme } = splitEndpoint(address);
      if (!TLS_SCHEMES.includes(scheme)) continue;
      const factory = await this.#core.context.transport(scheme);
      for (const session of sessions) {
        if (session instanceof ConnectSession) session.redial(factory.dial(address, options));
      }
    }
  }

  /** Closes everything; `core.finish()` follows when nothing is left. */
  close(lingerMs: number): void {
    this.#bindings?.close();
    for (const session of [...this.#sessions]) session.close(lingerMs);
    this.review();
  }

  /** Called when a session is over. */
  sessionClosed(session: Session, failure: Error | undefined): void {
    this.#sessions.delete(session);
    const sessions = this.#connects.get(session.endpoint);
    if (sessions?.delete(session) === true && sessions.size === 0) this.#connects.delete(session.endpoint);
    if (failure !== undefined && !this.#busy && !this.#core.closed) this.#core.strand(failure);
    this.review();
  }

  /** Applies changed high-water marks to existing pipes. */
  marksChanged(): void {
    const { sendMark, receiveMark } = this.#core.patternOptions;
    for (const session of this.#sessions) session.setMarks(sendMark, receiveMark);
  }

  // What bindings report.

  boundTo(endpoint: string): void {
    this.#core.strand(undefined);
    this.last = endpoint;
    this.#core.emit({ type: "bind", address: endpoint });
  }

  accepted(session: Session): void {
    this.#sessions.add(session);
  }

  /** Finishes if the socket is closed and nothing is left. */
  review(): void {
    if (this.#finished || !this.#core.closed || this.#busy) return;
    this.#finished = true;
    this.#core.finish();
  }

  get #busy(): boolean {
    return this.#sessions.size > 0 || this.#bindings?.busy === true;
  }

  #bindingsBy(feature: Inproc | Listening): Bindings {
    return this.#bindings ??= feature.bindings(this.#core, this);
  }

  #inproc(address: string): Inproc {
    return this.#core.context.features.inproc ?? missing("inproc", `Cannot use "${address}"`);
  }

  #connected(address: string, session: Session): void {
    this.#core.strand(undefined);
    this.#sessions.add(session);
    const sessions = this.#connects.get(address) ?? new Set();
    this.#connects.set(address, sessions.add(session));
  }

  #streamOptions(): StreamOptions {
    const { backlog, connectTimeout, handshakeInterval, ipv6, tls, webSocket } = this.#core.options;
    const { tcpKeepalive, tcpKeepaliveIdle } = this.#core.options;
    const { mechanism, limits } = this.#core.sessionOptions.engineInit;
    return {
      backlog,
      connectTimeoutMs: connectTimeout,
      handshakeTimeoutMs: handshakeInterval,
      ipv6,
      mechanism: mechanism.name,
      frameBytesMax: limits.frameBytesMax,
      ...(tls === null ? {} : { tls }),
      ...(webSocket === null ? {} : { webSocket }),
      ...(tcpKeepalive === -1 ? {} : { tcpKeepalive: tcpKeepalive === 1 }),
      ...(tcpKeepaliveIdle === -1 ? {} : { tcpKeepaliveIdleMs: tcpKeepaliveIdle * 1_000 }),
    };
  }
}

/** A browser's build leaves out what few pages need. */
function missing(feature: string, what: string): never {
  throw new MisuseError(
    "ERR_ENDPOINT",
    `${what}: in a browser its context must be given that: new Context({ features: { ${feature} } })`,
  );
}
