/**
 * A client's end of a link to one broker: greets, numbers requests, and passes every message to whom it is for. When the
 * link is made again, publishers come first, then subscriptions, then consumers, each opening again what it had.
 *
 * @module
 */

import { next, type Table } from "../../state_table.ts";
import { isPermissionError } from "../../errors.ts";
import type { Host } from "../../ports.ts";
import type { Crc32 } from "../../bytes/crc32.ts";
import { LogError } from "../errors.ts";
import { decodeMessage, encodeBatchHeader, encodeMessage, WireError } from "../wire/codec.ts";
import { HEADER_BYTES, WIRE_VERSION } from "../wire/layout.ts";
import type {
  AckMessage,
  Batch,
  BrokerMessage,
  ClientMessage,
  ConsumerSuperseded,
  CursorEnded,
  Fenced,
  Grant,
  Records,
  Refused,
  StoreState,
  Subscribed,
  Welcome,
} from "../wire/messages.ts";
import type { ClientLink, ClientLinkEvents } from "./client_link.ts";
import { DeadlineTimer } from "./deadline_timer.ts";

/** A link that is made again when it is lost. */
export interface RenewedLink extends ClientLink {
  /** Drops the link; another is made. */
  reset(reason?: Error): void;
}

/** Who uses a link. `nowMs` is the host's clock. */
export interface LinkUser {
  /** The broker is there and speaks our version. */
  linked(broker: Welcome, nowMs: number): void;
  unlinked(): void;
  /** The link takes batches again. */
  writable?(nowMs: number): void;
}

/** Takes the one answer to a request. */
export type RequestHandler = (message: BrokerMessage, nowMs: number) => void;

/** Takes what a broker says of a session. */
export interface SessionHandler {
  sessionMessage(message: AckMessage | Grant | Fenced | StoreState | Refused, nowMs: number): void;
}

/** Takes what a broker says in a stream. */
export interface CursorHandler {
  cursorMessage(message: Subscribed | Records | CursorEnded, bodies: readonly Uint8Array[]): void;
}

/** A consumer's name, beside what all users of a link are told. */
export interface ConsumerUser extends LinkUser {
  superseded(message: ConsumerSuperseded): void;
}

/** What a {@link Connection} is made of. */
export interface ConnectionInit {
  readonly host: Host;
  readonly crc32: Crc32;
  /** Begins to connect. */
  readonly link: (events: ClientLinkEvents) => RenewedLink;
  readonly connected: (broker: Welcome) => void;
  /** `retryMs`: until the next attempt. */
  readonly disconnected: (reason: Error | undefined, retryMs: number) => void;
  /** The broker speaks another version, or may not be connected to: nothing will ever come of this. */
  readonly failed: (error: LogError) => void;
}

/**
 * - `down`: no link. One is being made.
 * - `greeting`: said hello.
 * - `ready`: both know the version.
 * - `closed`: from here, because the versions do not fit, or because this process has no permission to connect.
 */
export type ConnectionState = "down" | "greeting" | "ready" | "closed";

export type ConnectionInput = "opened" | "welcomed" | "lost" | "closed";

export const CONNECTION_TRANSITIONS: Table<ConnectionState, ConnectionInput> = {
  down: { opened: "greeting", lost: "down", closed: "closed" },
  greeting: { welcomed: "ready", lost: "down", closed: "closed" },
  ready: { welcomed: "ready", lost: "down", closed: "closed" },
  closed: { opened: "closed", welcomed: "closed", lost: "closed", closed: "closed" },
};

/** Milliseconds in which a broker answers a hello. */
const HELLO_TIMEOUT_MS = 10_000;
const REQUEST_MAX = 0xffff_ffff;

/** See the module. */
export class Connection implements ClientLinkEvents {
  readonly publishers: Set<LinkUser> = new Set();
  readonly readers: Set<LinkUser> = new Set();
  readonly consumers: Set<ConsumerUser> = new Set();
  /** Whoever asks once, and asks again over a new link. */
  readonly askers: Set<LinkUser> = new Set();
  readonly #init: ConnectionInit;
  readonly #link: RenewedLink;
  readonly #hello: DeadlineTimer;
  readonly #header: Uint8Array = new Uint8Array(HEADER_BYTES);
  readonly #requests: Map<number, RequestHandler> = new Map();
  readonly #sessions: Map<bigint, SessionHandler> = new Map();
  readonly #cursors: Map<number, CursorHandler> = new Map();
  /** Messages for which the link had no room. Batches wait in their sessions. */
  #outbox: Uint8Array[][] = [];
  #state: ConnectionState = "down";
  #broker: Welcome | undefined;
  #lastRequest = 0;
  #lastCursor = 0;

  constructor(init: ConnectionInit) {
    this.#init = init;
    this.#hello = new DeadlineTimer(init.host, () => this.#noWelcome());
    this.#link = init.link(this);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The broker, while it is there. */
  get broker(): Welcome | undefined {
    return this.#state === "ready" ? this.#broker : undefined;
  }

  /** Whether both ends are in this process. */
  get local(): boolean {
    return this.#link.local;
  }

  /** Resolves when a closed link holds nothing any more. */
  get ended(): Promise<void> {
    return this.#link.ended;
  }

  /** Adds a user. It is told at once where the broker is there already. */
  add<User extends LinkUser>(users: Set<User>, user: User): void {
    users.add(user);
    if (this.broker !== undefined) user.linked(this.broker, this.#init.host.nowMs());
  }

  /** A number for a request, whose answer goes to `handler`, if the link lives so long. */
  nextRequest(handler: RequestHandler): number {
    do this.#lastRequest = this.#lastRequest === REQUEST_MAX ? 1 : this.#lastRequest + 1; while (
      this.#requests.has(this.#lastRequest)
    );
    this.#requests.set(this.#lastRequest, handler);
    return this.#lastRequest;
  }

  /** Its answer is not waited for any more. */
  forgetRequest(request: number): void {
    this.#requests.delete(request);
  }

  /** A number for a stream, whose messages go to `handler`. */
  nextCursor(handler: CursorHandler): number {
    this.#cursors.set(++this.#lastCursor, handler);
    return this.#lastCursor;
  }

  /** What the broker says of `session` is for `handler` from now on; of `before` no longer. */
  bindSession(session: bigint, before: bigint, handler: SessionHandler): void {
    if (this.#sessions.get(before) === handler) this.#sessions.delete(before);
    if (session !== 0n) this.#sessions.set(session, handler);
  }

  /** Sends now or later, in order. What the link cannot take before it breaks is lost with it. */
  send(message: ClientMessage): void {
    if (this.#state !== "ready") return;
    if (message.type === "unsubscribe") this.#cursors.delete(message.cursor);
    this.#push(encodeMessage(message, this.#init.crc32));
  }

  /** Sends now or not at all; users are told when the link has room. */
  trySendBatch(message: Batch, body: Uint8Array): boolean {
    if (this.#state !== "ready" || this.#outbox.length > 0) return false;
    return this.#link.trySend([encodeBatchHeader(message, this.#init.crc32, this.#header), body]);
  }

  /** Closes the link for good. */
  close(): void {
    if (this.#state === "closed") return;
    const linked = this.#state === "ready";
    this.#go("closed");
    this.#drop();
    this.#link.close();
    if (linked) this.#unlinkUsers();
  }

  /** The broker broke the rules: another link may do better. */
  violated(error: LogError): void {
    this.#link.reset(error);
  }

  // What the link tells.

  opened(): void {
    this.#go("opened");
    if (this.#state !== "greeting") return;
    const hello = { type: "hello", versionMin: WIRE_VERSION, versionMax: WIRE_VERSION, features: 0 } as const;
    this.#push(encodeMessage(hello, this.#init.crc32));
    const nowMs = this.#init.host.nowMs();
    this.#hello.set(nowMs + HELLO_TIMEOUT_MS, nowMs);
  }

  message(frames: Uint8Array[]): void {
    if (this.#state === "closed" || this.#state === "down") return;
    const message = decodeMessage(frames, this.#init.crc32);
    if (message instanceof WireError) return this.violated(message);
    if (message.type === "unknown") {
      return this.send({ type: "unsupported", request: message.request, unknownType: message.unknownType });
    }
    const nowMs = this.#init.host.nowMs();
    if (this.#state === "greeting") this.#greeted(message as BrokerMessage, nowMs);
    else this.#dispatch(message as BrokerMessage, frames, nowMs);
  }

  writable(): void {
    let sent = 0;
    while (sent < this.#outbox.length && this.#link.trySend(this.#outbox[sent]!)) sent++;
    this.#outbox.splice(0, sent);
    if (this.#outbox.length > 0 || this.#state !== "ready") return;
    const nowMs = this.#init.host.nowMs();
    for (const user of this.publishers) user.writable?.(nowMs);
  }

  closed(reason?: Error, retryMs: number = 0): void {
    if (this.#state === "closed") return;
    const linked = this.#state === "ready";
    this.#go("lost");
    this.#drop();
    if (linked) this.#unlinkUsers();
    this.#init.disconnected(reason, retryMs);
  }

  failed(reason: Error, retryMs: number): void {
    if (this.#state === "closed") return;
    if (retryMs < Infinity || !isPermissionError(reason)) return this.#init.disconnected(reason, retryMs);
    this.#go("closed");
    this.#drop();
    this.#link.close();
    const text = `Cannot reach the broker: ${reason.message}`;
    this.#init.failed(new LogError("ERR_LOG_DISCONNECTED", text, { cause: reason }));
  }

  #go(input: ConnectionInput): void {
    this.#state = next(CONNECTION_TRANSITIONS, this.#state, input);
  }

  #push(frames: Uint8Array[]): void {
    if (this.#outbox.length === 0 && this.#link.trySend(frames)) return;
    this.#outbox.push(frames);
  }

  /** Nothing of a link outlives it. */
  #drop(): void {
    this.#hello.stop();
    this.#outbox = [];
    this.#requests.clear();
    this.#cursors.clear();
  }

  *#users(): Iterable<LinkUser> {
    yield* this.publishers;
    yield* this.readers;
    yield* this.consumers;
    yield* this.askers;
  }

  #unlinkUsers(): void {
    for (const user of [...this.#users()]) user.unlinked();
  }

  #noWelcome(): void {
    if (this.#state === "greeting") {
      this.#link.reset(new LogError("ERR_LOG_TIMEOUT", `No welcome within ${HELLO_TIMEOUT_MS} ms`));
    }
  }

  #greeted(message: BrokerMessage, nowMs: number): void {
    if (message.type === "refused" || message.type === "unsupported") {
      const text = message.type === "refused" ? message.error.message : "The broker does not know hello";
      this.#go("closed");
      this.#drop();
      this.#link.close();
      return this.#init.failed(new LogError("ERR_LOG_UNSUPPORTED", text));
    }
    if (message.type !== "welcome") return;
    this.#hello.stop();
    this.#go("welcomed");
    this.#broker = message;
    this.#init.connected(message);
    for (const user of [...this.#users()]) user.linked(message, nowMs);
  }

  #dispatch(message: BrokerMessage, frames: readonly Uint8Array[], nowMs: number): void {
    switch (message.type) {
      case "ack":
      case "grant":
      case "fenced":
      case "storeState":
        this.#sessions.get(message.session)?.sessionMessage(message, nowMs);
        return;
      case "records":
        if (message.request === 0) {
          this.#cursors.get(message.cursor)?.cursorMessage(message, frames.slice(2));
          return;
        }
        return this.#answer(message.request, message, nowMs);
      case "subscribed":
        this.#requests.delete(message.request);
        this.#cursors.get(message.cursor)?.cursorMessage(message, []);
        return;
      case "cursorEnded":
        this.#cursors.get(message.cursor)?.cursorMessage(message, []);
        this.#cursors.delete(message.cursor);
        return;
      case "consumerSuperseded":
        for (const consumer of [...this.consumers]) consumer.superseded(message);
        return;
      case "refused":
        if (message.request !== 0) return this.#answer(message.request, message, nowMs);
        this.#sessions.get(message.session)?.sessionMessage(message, nowMs);
        return;
      case "welcome":
        return;
      default:
        return this.#answer(message.request, message, nowMs);
    }
  }

  #answer(request: number, message: BrokerMessage, nowMs: number): void {
    const handler = this.#requests.get(request);
    this.#requests.delete(request);
    handler?.(message, nowMs);
  }
}

/** What became of a request that was not answered as it should have been. */
export function refusalOf(message: BrokerMessage, topic?: string): LogError {
  if (message.type === "refused") {
    const { code, message: text, from, to } = message.error;
    return new LogError(code, text, { topic, from, to });
  }
  if (message.type === "unsupported") {
    const text = `The broker does not know messages of type ${message.unknownType}`;
    return new LogError("ERR_LOG_UNSUPPORTED", text, { topic });
  }
  return new LogError("ERR_LOG_MALFORMED", `The broker answered with a message of type "${message.type}"`, {
    topic,
  });
}
