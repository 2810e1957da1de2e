/**
 * The options of every socket type. Names and units are those of zeromq.js; hawser's own
 * options carry their unit in the name.
 *
 * An option that is set later applies to later `bind` and `connect` calls, or at once where its comment says
 * so.
 *
 * @module
 */

import { isPlainObject } from "../arguments.ts";
import { copyOf } from "../bytes/bytes.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import { DEFAULT_LIMITS, HANDSHAKES_MAX, HIGH_WATER_MARK_BYTES } from "../engine/limits.ts";
import { MisuseError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { TlsOptions, WebSocketOptions } from "../transport_options.ts";
import { areOwnProperties } from "../zmtp/metadata.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import { BYTES, type CallOption, show, TIMER_MAX, valueFault, wholeNumber } from "./call_options.ts";

/** Options that every socket has. */
export interface SocketOptions {
  /**
   * Milliseconds that queued messages may take to leave after `close`; a `drop` event reports those that did
   * not. -1: forever, 0: they are dropped without an event. Default 1 000. At once.
   */
  linger?: number;
  /**
   * Largest size of an incoming frame, in bytes; a peer that sends more is disconnected. -1: no limit.
   * Default 256 MiB.
   */
  maxMessageSize?: number;
  /** Whether `*` and host names may resolve to IPv6. Default false. */
  ipv6?: boolean;
  /** Connections that may wait to be accepted. Default 511. */
  backlog?: number;
  /** Milliseconds that opening a stream may take. 0: the system's own limit. Default 0. */
  connectTimeout?: number;
  /**
   * Milliseconds from dial or accept to the end of the handshake, including the opening of the stream. 0: no
   * limit. Default 30 000.
   */
  handshakeInterval?: number;
  /** Milliseconds between two PINGs. 0: no PINGs. Default 0. */
  heartbeatInterval?: number;
  /**
   * Milliseconds of silence after a PING that end the connection. -1: as `heartbeatInterval`. Default -1.
   *
   * A PING cannot be answered before everything sent ahead of it has arrived. So the time starts when the
   * transport has taken the PING, and is extended for data handed over but not confirmed by then: by twice
   * what that data needs at the last measured rate, or at 1 MiB a second until one is measured. A large
   * transfer thus survives a slow link, and a peer lost partway through one is detected that much later.
   */
  heartbeatTimeout?: number;
  /**
   * Milliseconds of silence from this side after which the peer may end the connection, rounded up to tenths
   * of a second. 0: none. Default 0.
   */
  heartbeatTimeToLive?: number;
  /**
   * Minimum milliseconds before a lost connection is tried again; a random extra of up to the same amount is
   * added. When more than three connections in a row end within 30 s, the wait doubles with each, up to 8 s.
   * Values from 0 to 9 count as 10. -1: never. Default 100.
   */
  reconnectInterval?: number;
  /**
   * Maximum milliseconds of the wait to reconnect, up to which it also doubles with every attempt. 0, or not
   * more than `reconnectInterval`: it does not grow with attempts. Default 0.
   */
  reconnectMaxInterval?: number;
  /** TCP keep-alive. 1: on, 0: off, -1: the system's setting. Default -1. */
  tcpKeepalive?: number;
  /** Seconds of silence before the first keep-alive probe. -1: the system's setting. Default -1. */
  tcpKeepaliveIdle?: number;
  /** Properties (`X-…`) that this socket announces to its peers. Bytes are copied. */
  metadata?: Readonly<Record<string, string | Uint8Array>>;
  /** Largest size of an incoming message, all frames together, in bytes. Default 512 MiB. */
  messageBytesMax?: number;
  /** Largest number of frames in an incoming message. Default 65 536. */
  messageFramesMax?: number;
  /** Undecoded bytes that one connection may hold before it is paused. Default 10 MiB. */
  pendingBytesMax?: number;
  /**
   * Certificates and authorities of `tls://` and `wss://`. `null`: none of our own, and the runtime's
   * authorities. Bytes are copied. Default null.
   */
  tls?: TlsOptions | null;
  /** Who may connect over `ws://` and `wss://`, headers of requests, PINGs. Default null: all defaults. */
  webSocket?: WebSocketOptions | null;
  /**
   * Unfinished handshakes that one listener holds at a time; at the limit, a new one replaces another.
   * Default 1 000.
   */
  handshakesMax?: number;
}

/** Options of sockets that send. */
export interface SendOptions {
  /** Messages that may wait for one peer before it counts as full. 0: no limit. Default 1 000. At once. */
  sendHighWaterMark?: number;
  /**
   * Bytes that may wait for one peer before it counts as full. 0: no limit. Default 64 MiB. libzmq has no
   * such mark. At once.
   */
  sendHighWaterMarkBytes?: number;
  /**
   * Milliseconds after which a blocked `send` is rejected (`ERR_AGAIN`). -1: never, 0: at once. Default -1.
   * At once.
   */
  sendTimeout?: number;
  /**
   * Sends that may be blocked at the same time; any more are rejected (`ERR_WAITERS`). Default 65 536. At
   * once.
   */
  sendWaitersMax?: number;
  /** Queue messages only for connected peers. Default false. */
  immediate?: boolean;
}

/** Options of sockets that receive. */
export interface ReceiveOptions {
  /**
   * Messages that may wait to be received from one peer before decoding stops. 0: no limit. Default 1 000. At
   * once.
   */
  receiveHighWaterMark?: number;
  /**
   * Bytes that may wait to be received from one peer before decoding stops. 0: no limit. Default 64 MiB.
   * libzmq has no such mark. At once.
   */
  receiveHighWaterMarkBytes?: number;
  /**
   * Milliseconds after which a blocked `receive`, or the next step of an iteration, is rejected
   * (`ERR_AGAIN`). -1: never, 0: at once. Default -1. At once.
   */
  receiveTimeout?: number;
}

/** Options of sockets that can keep only the newest message. */
export interface ConflateOptions {
  /**
   * Keep only the newest message per peer; high-water marks do not apply then. For single-frame messages.
   * Default false.
   */
  conflate?: boolean;
}

/** Options of sockets that identify themselves to their peers. */
export interface RoutingIdOptions {
  /**
   * The id by which peers know this socket: 1 to 255 bytes, the first not 0. `null`: none. Bytes are copied.
   */
  routingId?: string | Uint8Array | null;
  /**
   * Send an empty message on each new connection, so that a Router learns of this socket. Default false. At
   * once.
   */
  probeRouter?: boolean;
}

/** Options of `Router`. */
export interface RouterOptions {
  /**
   * Reject sends to unknown peers (`ERR_UNROUTABLE`) and wait for full ones. Default false: such messages are
   * dropped. At once.
   */
  mandatory?: boolean;
  /**
   * Let a new peer take over a routing id that is in use. Default false: the new peer is refused. At once.
   */
  handover?: boolean;
}

/** Options of `Request`. */
export interface RequestOptions {
  /** Number requests, so that only matching replies are accepted. Default false. At once. */
  correlate?: boolean;
  /**
   * Allow a new request before the reply to the last one; combine it with `correlate`. Default false. At
   * once.
   */
  relaxed?: boolean;
}

/** Options of `Publisher` and `XPublisher`. */
export interface PublishOptions {
  /** Wait for full subscribers instead of dropping their messages. Default false. At once. */
  noDrop?: boolean;
  /**
   * Deliver to subscribers whose subscriptions do *not* match. Set it on both sides. Default false. At once.
   */
  invertMatching?: boolean;
  /** Topics that one subscriber may hold. Default 500 000. At once. */
  subscriptionsMax?: number;
  /** Total bytes of the topics that one subscriber may hold. Default 64 MiB. At once. */
  subscriptionBytesMax?: number;
}

/** Options of `XPublisher`. */
export interface XPublishOptions {
  /**
   * What the socket receives. `null`: only a topic's first subscription and last cancellation. `"allSubs"`:
   * every subscription. `"allSubsUnsubs"`: every cancellation too. At once.
   */
  verbosity?: "allSubs" | "allSubsUnsubs" | null;
  /**
   * The application decides: a received subscription takes effect only through `subscribe()`. Default false.
   * At once.
   */
  manual?: boolean;
  /** Message sent to every new subscriber. `null`: none. Bytes are copied. At once. */
  welcomeMessage?: string | Uint8Array | null;
}

/** Options of `Subscriber`. */
export interface SubscribeOptions {
  /** Receive messages that do *not* match. Set it on both sides. Default false. At once. */
  invertMatching?: boolean;
}

/** Every option of every type. */
export type AnyOptions =
  & SocketOptions
  & SendOptions
  & ReceiveOptions
  & ConflateOptions
  & RoutingIdOptions
  & RouterOptions
  & RequestOptions
  & PublishOptions
  & XPublishOptions
  & SubscribeOptions;

/** What can stand for a topic, a routing id or other bytes. */
export type BytesLike = string | Uint8Array;

/** All options with their values. */
export type OptionValues = Required<AnyOptions>;

/** The name of an option. */
export type OptionName = keyof OptionValues;

/** Everything about an option except its type and its documentation, which are in the interfaces above. */
export interface OptionRow extends CallOption {
  /** The default. */
  readonly value: unknown;
  /**
   * Copies an allowed value that refers to the caller's memory, so that later writes there do not change the
   * option. Used again for a caller that reads the option.
   */
  readonly keep?: (value: unknown) => unknown;
}

function whole(what: string, value: number, min: number, max?: number): OptionRow {
  return { ...wholeNumber(what, min, max), value };
}

/** A count or size that must have a limit. */
function bound(what: string, value: number): OptionRow {
  return whole(what, value, 1);
}

const FLAG: OptionRow = {
  allowed: "true or false",
  allows: (value) => typeof value === "boolean",
  value: false,
};

function time(value: number, min: number): OptionRow {
  return whole("milliseconds", value, min, TIMER_MAX);
}

/** What else is allowed only the platform knows: see {@link TransportOptionRows}. */
const OF_TRANSPORTS: OptionRow = {
  allowed: "null",
  allows: (value) => value === null,
  value: null,
  keep: copyFields,
};

/** What a platform allows, besides `null`, as the options that it hands to its transports. */
export type TransportOptionRows = Readonly<Record<string, CallOption>>;

const BOTH_WAYS: readonly SocketType[] = ["PAIR", "DEALER", "ROUTER", "REQ", "REP", "XPUB", "XSUB"];
const ALL: readonly SocketType[] = ["PUSH", "PULL", "PUB", "SUB", ...BOTH_WAYS];

interface Group {
  readonly types: readonly SocketType[];
  readonly rows: Readonly<Record<string, OptionRow>>;
}

/**
 * The options of one of the interfaces above, and the socket types that have them. The compiler checks that
 * none is missing.
 */
function group<Options>(
  types: readonly SocketType[],
  rows: Readonly<Record<keyof Options, OptionRow>>,
): Group {
  return { types, rows };
}

const GROUPS: readonly Group[] = [
  group<SocketOptions>(ALL, {
    linger: time(1_000, -1),
    maxMessageSize: whole("bytes, -1 for no limit", DEFAULT_LIMITS.frameBytesMax, -1),
    ipv6: FLAG,
    backlog: whole("connections", 511, 1, 65_535),
    connectTimeout: time(0, 0),
    handshakeInterval: time(30_000, 0),
    heartbeatInterval: time(0, 0),
    heartbeatTimeout: time(-1, -1),
    heartbeatTimeToLive: whole("milliseconds", 0, 0, 6_553_500),
    reconnectInterval: time(100, -1),
    reconnectMaxInterval: time(0, 0),
    tcpKeepalive: whole("-1 (system), 0 (off) or 1 (on)", -1, -1, 1),
    tcpKeepaliveIdle: whole("seconds, -1 for the system's", -1, -1, 32_767),
    metadata: {
      allows: isMetadata,
      allowed: "an object of strings or Uint8Arrays by different names of 1 to 255 of A-Z a-z 0-9 - _ . +, " +
        "neither Socket-Type nor Identity",
      value: Object.freeze({}),
      // Connections read it long after it was checked.
      keep: copyMetadata,
    },
    messageBytesMax: bound("bytes", DEFAULT_LIMITS.messageBytesMax),
    messageFramesMax: bound("frames", DEFAULT_LIMITS.messageFramesMax),
    pendingBytesMax: bound("bytes", DEFAULT_LIMITS.pendingBytesMax),
    tls: OF_TRANSPORTS,
    webSocket: OF_TRANSPORTS,
    handshakesMax: bound("handshakes", HANDSHAKES_MAX),
  }),
  group<SendOptions>(["PUSH", "PUB", ...BOTH_WAYS], {
    sendHighWaterMark: whole("messages, 0 for no limit", 1_000, 0),
    sendHighWaterMarkBytes: whole("bytes, 0 for no limit", HIGH_WATER_MARK_BYTES, 0),
    sendTimeout: time(-1, -1),
    sendWaitersMax: whole("sends", 65_536, 0),
    immediate: FLAG,
  }),
  group<ReceiveOptions>(["PULL", "SUB", ...BOTH_WAYS], {
    receiveHighWaterMark: whole("messages, 0 for no limit", 1_000, 0),
    receiveHighWaterMarkBytes: whole("bytes, 0 for no limit", HIGH_WATER_MARK_BYTES, 0),
    receiveTimeout: time(-1, -1),
  }),
  group<ConflateOptions>(["PUSH", "PULL", "DEALER", "PUB", "SUB"], {
    conflate: FLAG,
  }),
  group<RoutingIdOptions>(["DEALER", "ROUTER", "REQ"], {
    routingId: {
      allows: (value) =>
        value === null || (BYTES.allows(value) && isRoutingId(optionBytes(value as BytesLike))),
      allowed: "null, or a string or Uint8Array of 1 to 255 bytes whose first is not 0",
      value: null,
      keep: copyIfBytes,
    },
    probeRouter: FLAG,
  }),
  group<RouterOptions>(["ROUTER"], {
    mandatory: FLAG,
    handover: FLAG,
  }),
  group<RequestOptions>(["REQ"], {
    correlate: FLAG,
    relaxed: FLAG,
  }),
  group<PublishOptions>(["PUB", "XPUB"], {
    noDrop: FLAG,
    invertMatching: FLAG,
    subscriptionsMax: bound("topics", DEFAULT_LIMITS.subscriptionsMax),
    subscriptionBytesMax: bound("bytes", DEFAULT_LIMITS.subscriptionBytesMax),
  }),
  group<XPublishOptions>(["XPUB"], {
    verbosity: {
      allows: (value) => value === null || value === "allSubs" || value === "allSubsUnsubs",
      allowed: 'null, "allSubs" or "allSubsUnsubs"',
      value: null,
    },
    manual: FLAG,
    welcomeMessage: {
      allows: (value) => value === null || BYTES.allows(value),
      allowed: "null, a string or a Uint8Array",
      value: null,
      keep: copyIfBytes,
    },
  }),
  group<SubscribeOptions>(["SUB"], {
    invertMatching: FLAG,
  }),
];

/** Every option, by name. */
export const OPTION_ROWS: Readonly<Record<OptionName, OptionRow>> = Object.assign(
  {},
  ...GROUPS.map(({ rows }) => rows),
);

/** The names of the options that each socket type has. */
export const OPTION_NAMES: Readonly<Record<SocketType, readonly OptionName[]>> = Object.fromEntries(
  ALL.map((type): readonly [SocketType, readonly OptionName[]] => [type, namesOf(type)]),
) as Record<SocketType, readonly OptionName[]>;

function namesOf(type: SocketType): readonly OptionName[] {
  return GROUPS.flatMap(({ types, rows }) => types.includes(type) ? Object.keys(rows) as OptionName[] : []);
}

/** Returns every option with its default. */
export function defaultOptions(): OptionValues {
  return Object.fromEntries(
    Object.entries(OPTION_ROWS).map(([name, row]) => [name, row.value]),
  ) as OptionValues;
}

/**
 * Checks one option of a socket type and returns the value to keep. `ofTransports`: what the platform allows.
 *
 * @throws {MisuseError} `ERR_OPTION`: the type has no such option, or the value is not allowed. The message
 * says what is.
 */
export function checkOption(
  type: SocketType,
  name: string,
  value: unknown,
  ofTransports: TransportOptionRows = {},
): unknown {
  const names: readonly string[] = OPTION_NAMES[type];
  if (!names.includes(name)) {
    const meant = nearest(name, names);
    throw new MisuseError(
      "ERR_OPTION",
      `Unknown option "${name}" of a ${type} socket` +
        (meant === undefined ? `; it has ${names.join(", ")}` : `; did you mean "${meant}"?`),
    );
  }
  const row = OPTION_ROWS[name as OptionName];
  const more = ofTransports[name];
  if (row.allows(value) || more?.allows(value)) return row.keep === undefined ? value : row.keep(value);
  throw valueFault(name, value, more === undefined ? row.allowed : `${row.allowed}, or ${more.allowed}`);
}

/**
 * Returns the value of an option for a caller. Bytes in it are copies: writing to them does not change the
 * option.
 */
export function readOption(name: OptionName, kept: unknown): unknown {
  return OPTION_ROWS[name].keep?.(kept) ?? kept;
}

function copyIfBytes(value: unknown): unknown {
  return value instanceof Uint8Array ? copyOf(value) : value;
}

/** Copies an object of options, with the bytes, lists and headers in it. */
function copyFields(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(copyFields));
  if (!isPlainObject(value)) return copyIfBytes(value);
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([name, field]) => [name, copyFields(field)])),
  );
}

function copyMetadata(value: unknown): unknown {
  const properties = Object.entries(value as Readonly<Record<string, string | Uint8Array>>);
  return Object.freeze(Object.fromEntries(properties.map(([name, told]) => [name, copyIfBytes(told)])));
}

/** Encodes text as UTF-8 and copies bytes, for values that are kept longer than the call. */
export function ownBytes(value: BytesLike): Uint8Array {
  return typeof value === "string" ? encodeUtf8(value) : copyOf(optionBytes(value));
}

/** Encodes text as UTF-8 and returns bytes as they are. @throws {MisuseError} `ERR_OPTION`: it is neither. */
export function optionBytes(value: BytesLike): Uint8Array {
  if (!BYTES.allows(value)) {
    throw new MisuseError("ERR_OPTION", `Cannot use ${show(value)} as bytes: allowed is ${BYTES.allowed}`);
  }
  return typeof value === "string" ? encodeUtf8(value) : value;
}

function isMetadata(value: unknown): boolean {
  if (!isPlainObject(value) || !Object.values(value).every((told) => BYTES.allows(told))) return false;
  const properties = Object.entries(value).map(([name, told]) =>
    [name, optionBytes(told as BytesLike)] as const
  );
  return areOwnProperties(properties);
}

function isRoutingId(bytes: Uint8Array): boolean {
  return bytes.length >= 1 && bytes.length <= 255 && bytes[0] !== 0;
}
