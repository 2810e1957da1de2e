/**
 * The endpoints of a socket: what it is bound and connected to, and the sessions of each.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { StreamOptions, TransportFactory } from "../ports.ts";
import type { AcceptSession } from "../session/accept_session.ts";
import { ConnectSession } from "../session/connect_session.ts";
import type { Inproc, Listening } from "../session/features.ts";
import type { InprocBinding } from "../session/inproc_session.ts";
import type { ListenSession } from "../session/listen_session.ts";
import type { Session, SessionOwner } from "../session/owner.ts";
import type { Runtime } from "../session/runtime.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import type { Context } from "./context.ts";
import type { OptionValues } from "./options.ts";
import { splitEndpoint } from "./scheme.ts";
import { closedError } from "./wait_list.ts";

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
export class Endpoints {
  /** The real endpoint of the last bind, or the endpoint of the last connect. */
  last: string | null = null;
  readonly #core: EndpointsOwner;
  readonly #bindings: Map<string, ListenSession | InprocBinding> = new Map();
  readonly #sessions: Set<Session> = new Set();
  /** Connecting sessions, by the requested endpoint. */
  readonly #connects: Map<string, Set<Session>> = new Map();
  #opening = 0;
  #finished = false;

  constructor(core: EndpointsOwner) {
    this.#core = core;
  }

  /** The real endpoints that the socket is bound to. */
  get bound(): string[] {
    return [...this.#bindings.keys()];
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
    const { context, runtime } = this.#core;
    const scheme = context.schemeOf(address, "bind");
    if (scheme === "inproc") {
      this.#bindInproc(address);
      return address;
    }
    const transport = context.transport(scheme);
    const streamOptions = this.#streamOptions();
    const session = this.#listening(address).listen(
      this.#core,
      runtime,
      (accepted) => this.#accepted(accepted),
    );
    this.#opening++;
    try {
      const factory = await transport;
      await session.open(factory.listen(address, streamOptions));
    } catch (error) {
      this.#core.emit({ type: "bind:error", address, error: error as Error });
      throw error;
    } finally {
      this.#opening--;
      if (this.#core.closed) void session.close().then(() => this.#review());
    }
    if (this.#core.closed) throw closedError();
    this.#bindings.set(session.endpoint, session);
    this.#core.strand(undefined);
    this.last = session.endpoint;
    this.#core.emit({ type: "bind", address: session.endpoint });
    return session.endpoint;
  }

  /** Stops accepting; accepted connections stay open. `address` is the real endpoint (`lastEndpoint`). */
  async unbind(address: string): Promise<void> {
    this.#core.assertOpen();
    const binding = this.#bindings.get(address);
    if (binding === undefined) {
      throw new MisuseError("ERR_NOT_BOUND", `Cannot unbind "${address}": the socket is not bound to it`);
    }
    this.#bindings.delete(address);
    await binding.close();
    this.#core.emit({ type: "close", address });
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
    const renewals = [...this.#bindings.values()].flatMap((binding) =>
      isInproc(binding) ? [] : [binding.renew(options)]
    );
    const renewed = await Promise.allSettled(renewals);
    for (const result of renewed) if (result.status === "rejected") throw result.reason;
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
    for (const binding of this.#bindings.values()) {
      if (isInproc(binding)) {
        binding.close();
        continue;
      }
      this.#opening++;
      void binding.close().then(() => {
        this.#opening--;
        this.#core.emit({ type: "close", address: binding.endpoint });
        this.#review();
      });
    }
    this.#bindings.clear();
    for (const session of [...this.#sessions]) session.close(lingerMs);
    this.#review();
  }

  /** Called when a session is over. */
  sessionClosed(session: Session, failure: Error | undefined): void {
    this.#sessions.delete(session);
    const sessions = this.#connects.get(session.endpoint);
    if (sessions?.delete(session) === true && sessions.size === 0) this.#connects.delete(session.endpoint);
    const left = this.#sessions.size + this.#bindings.size + this.#opening;
    if (failure !== undefined && left === 0 && !this.#core.closed) this.#core.strand(failure);
    this.#review();
  }

  /** Applies changed high-water marks to existing pipes. */
  marksChanged(): void {
    const { sendMark, receiveMark } = this.#core.patternOptions;
    for (const session of this.#sessions) session.setMarks(sendMark, receiveMark);
  }

  #bindInproc(address: string): void {
    const binding = this.#inproc(address).bind(this.#core, this.#core.runtime, address, (session) => {
      this.#sessions.add(session);
    });
    const bound = (): void => {
      this.#bindings.set(address, binding);
      this.#core.strand(undefined);
      this.last = address;
      this.#core.emit({ type: "bind", address });
    };
    if (!binding.open(bound)) {
      const error = new MisuseError("ERR_ADDRESS_IN_USE", `Cannot bind to "${address}": the name is in use`);
      this.#core.emit({ type: "bind:error", address, error });
      throw error;
    }
  }

  #listening(address: string): Listening {
    return this.#core.context.features.listening ?? missing("listening", `Cannot bind to "${address}"`);
  }

  #inproc(address: string): Inproc {
    return this.#core.context.features.inproc ?? missing("inproc", `Cannot use "${address}"`);
  }

  #accepted(session: AcceptSession): void {
    this.#sessions.add(session);
  }

  #connected(address: string, session: Session): void {
    this.#core.strand(undefined);
    this.#sessions.add(session);
    const sessions = this.#connects.get(address) ?? new Set();
    this.#connects.set(address, sessions.add(session));
  }

  #review(): void {
    if (this.#finished || !this.#core.closed || this.#sessions.size > 0 || this.#opening > 0) return;
    this.#finished = true;
    this.#core.finish();
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

function isInproc(binding: ListenSession | InprocBinding): binding is InprocBinding {
  return binding.endpoint.startsWith("inproc:");
}

/** A browser's build leaves out what few pages need. */
function missing(feature: string, what: string): never {
  throw new MisuseError(
    "ERR_ENDPOINT",
    `${what}: in a browser its context must be given that: new Context({ features: { ${feature} } })`,
  );
}
