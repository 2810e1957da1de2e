/**
 * The options of every socket type: names and units of zeromq.js, checked by zod; options of ours carry their unit.
 *
 * An option that is set later acts on later `bind` and `connect` calls, except those that say "at once".
 *
 * @module
 */

import { z } from "zod/v3";
import { copyOf } from "../bytes/bytes.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import { DEFAULT_LIMITS, HANDSHAKES_MAX, HIGH_WATER_MARK_BYTES } from "../engine/limits.ts";
import { MisuseError } from "../errors.ts";
import { areOwnProperties } from "../zmtp/metadata.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import { BYTES, show, TIMER_MAX, valueFault } from "./call_options.ts";

/** Options that every socket has. */
export interface SocketOptions {
  /**
   * Milliseconds that queued messages may take to leave after `close`; a `drop` event tells of those that did not. -1: for
   * ever, 0: they are dropped, which no event tells of. Default 1 000. At once.
   */
  linger?: number;
  /** Bytes of one incoming frame; a peer that sends more is closed. -1: no limit. Default 256 MiB. */
  maxMessageSize?: number;
  /** Whether `*` and host names may mean IPv6. Default false. */
  ipv6?: boolean;
  /** Connections waiting to be accepted. Default 511. */
  backlog?: number;
  /** Milliseconds for opening a stream. 0: as long as the system takes. Default 0. */
  connectTimeout?: number;
  /** Milliseconds from dial or accept to the end of the handshake, opening the stream included. 0: no limit. Default 30 000. */
  handshakeInterval?: number;
  /** Milliseconds between two PINGs. 0: none. Default 0. */
  heartbeatInterval?: number;
  /**
   * Milliseconds of silence after a PING that end the connection. -1: `heartbeatInterval`. Default -1.
   *
   * A PING cannot be answered before all that was sent ahead of it has arrived. So the time counts from when
   * the transport has taken the PING, and what was handed over and not confirmed by then is given its time as
   * well: twice what it needs at the rate last seen, or at 1 MiB a second as long as none was seen. A slow
   * link ends no large transfer; a peer that is lost in the middle of one is found as much later.
   */
  heartbeatTimeout?: number;
  /** Milliseconds of our silence after which the peer may end the connection; rounded up to tenths of a second. 0: none. Default 0. */
  heartbeatTimeToLive?: number;
  /**
   * Milliseconds until a lost connection is tried again, at least; up to as much again is added by chance. Where more
   * than three connections in a row end within 30 s, it doubles with each, up to 8 s. Below 10 it counts as 10. -1: never. Default 100.
   */
  reconnectInterval?: number;
  /**
   * Milliseconds up to which that wait doubles with every attempt, too, and which it never exceeds. 0, or not more than
   * `reconnectInterval`: it does not grow with attempts. Default 0.
   */
  reconnectMaxInterval?: number;
  /** TCP keep-alive. 1: on, 0: off, -1: as the system has it. Default -1. */
  tcpKeepalive?: number;
  /** Seconds of silence before the first keep-alive probe. -1: as the system has it. Default -1. */
  tcpKeepaliveIdle?: number;
  /** Properties (`X-…`) that peers are told of this socket. Bytes are copied. */
  metadata?: Readonly<Record<string, string | Uint8Array>>;
  /** Bytes of all frames of one incoming message. Default 512 MiB. */
  messageBytesMax?: number;
  /** Frames of one incoming message. Default 65 536. */
  messageFramesMax?: number;
  /** Bytes that wait undecoded for one connection before it is paused. Default 10 MiB. */
  pendingBytesMax?: number;
  /** Handshakes that one listener holds at a time; at the limit a newcomer takes the place of one. Default 1 000. */
  handshakesMax?: number;
}

/** Options of sockets that send. */
export interface SendOptions {
  /** Messages that wait for one peer before it counts as full. 0: no limit. Default 1 000. At once. */
  sendHighWaterMark?: number;
  /** Bytes, in addition. 0: no limit. Default 64 MiB (libzmq has no such mark). At once. */
  sendHighWaterMarkBytes?: number;
  /** Milliseconds after which a blocked `send` is rejected (`ERR_AGAIN`). -1: never, 0: at once. Default -1. At once. */
  sendTimeout?: number;
  /** Sends that may be blocked at a time; more are rejected (`ERR_WAITERS`). Default 65 536. At once. */
  sendWaitersMax?: number;
  /** Queue messages only for peers that are there. Default false. */
  immediate?: boolean;
}

/** Options of sockets that receive. */
export interface ReceiveOptions {
  /** Messages that wait to be received from one peer before decoding stops. 0: no limit. Default 1 000. At once. */
  receiveHighWaterMark?: number;
  /** Bytes, in addition. 0: no limit. Default 64 MiB (libzmq has no such mark). At once. */
  receiveHighWaterMarkBytes?: number;
  /** Milliseconds after which a blocked `receive`, or the next of an iteration, is rejected (`ERR_AGAIN`). -1: never, 0: at once. Default -1. At once. */
  receiveTimeout?: number;
}

/** Options of sockets that keep only the newest message on request. */
export interface ConflateOptions {
  /** Keep only the newest message per peer; high-water marks do not count then. For messages of one frame. Default false. */
  conflate?: boolean;
}

/** Options of sockets that tell peers who they are. */
export interface RoutingIdOptions {
  /** 1 to 255 bytes, the first not 0; `null`: none. Bytes are copied. */
  routingId?: string | Uint8Array | null;
  /** Send an empty message on each new connection, so that a Router learns of this socket. Default false. At once. */
  probeRouter?: boolean;
}

/** Options of `Router`. */
export interface RouterOptions {
  /** Reject sends to unknown peers (`ERR_UNROUTABLE`), and wait for full ones. Default false: they are dropped. At once. */
  mandatory?: boolean;
  /** A new peer with a routing id in use takes it over. Default false: it is refused. At once. */
  handover?: boolean;
}

/** Options of `Request`. */
export interface RequestOptions {
  /** Number requests, so that only their own replies are taken. Default false. At once. */
  correlate?: boolean;
  /** Allow a new request before the last one's reply; combine it with `correlate`. Default false. At once. */
  relaxed?: boolean;
}

/** Options of `Publisher` and `XPublisher`. */
export interface PublishOptions {
  /** Wait for full subscribers instead of dropping their messages. Default false. At once. */
  noDrop?: boolean;
  /** Deliver to those whose subscriptions do *not* match. Set it on both sides. Default false. At once. */
  invertMatching?: boolean;
  /** Topics that one subscriber may hold. Default 500 000. At once. */
  subscriptionsMax?: number;
  /** Bytes of all topics of one subscriber. Default 64 MiB. At once. */
  subscriptionBytesMax?: number;
}

/** Options of `XPublisher`. */
export interface XPublishOptions {
  /**
   * `null`: only a topic's first and last subscriber are told. `"allSubs"`: every subscription. `"allSubsUnsubs"`:
   * cancellations too. At once.
   */
  verbosity?: "allSubs" | "allSubsUnsubs" | null;
  /** The application decides: subscriptions take effect through `subscribe()` after they were received. Default false. At once. */
  manual?: boolean;
  /** Sent to every new subscriber. `null`: none. Bytes are copied. At once. */
  welcomeMessage?: string | Uint8Array | null;
}

/** Options of `Subscriber`. */
export interface SubscribeOptions {
  /** Receive what does *not* match. Set it on both sides. Default false. At once. */
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

/** All options with their values. */
export type OptionValues = Required<AnyOptions>;

/** The name of an option. */
export type OptionName = keyof OptionValues;

/** Everything about an option but its type and its text for people, which stand in the interfaces above. */
export interface OptionRow {
  readonly schema: z.ZodTypeAny;
  /** What the message of an error says is allowed. */
  readonly allowed: string;
  readonly value: unknown;
  /**
   * Copies an allowed value that holds memory of the caller's: what is kept must not change with it. What is kept is
   * copied again for whoever reads the option.
   */
  readonly keep?: (value: unknown) => unknown;
}

const MAX = Number.MAX_SAFE_INTEGER;

function whole(what: string, value: number, min: number, max = MAX): OptionRow {
  const upTo = max === MAX ? "or more" : `to ${max}`;
  return {
    schema: z.number().int().min(min).max(max),
    allowed: `${what}: a whole number, ${min} ${upTo}`,
    value,
  };
}

/** A count or size without "no limit". */
function bound(what: string, value: number): OptionRow {
  return whole(what, value, 1);
}

const FLAG: OptionRow = { schema: z.boolean(), allowed: "true or false", value: false };
const BYTES_OR_TEXT = z.union([z.string(), z.instanceof(Uint8Array)]);

function time(value: number, min: number): OptionRow {
  return whole("milliseconds", value, min, TIMER_MAX);
}

const BOTH_WAYS: readonly SocketType[] = ["PAIR", "DEALER", "ROUTER", "REQ", "REP", "XPUB", "XSUB"];
const ALL: readonly SocketType[] = ["PUSH", "PULL", "PUB", "SUB", ...BOTH_WAYS];

interface Group {
  readonly types: readonly SocketType[];
  readonly rows: Readonly<Record<string, OptionRow>>;
}

/** The options of one of the interfaces above, and the types of sockets that have them. The compiler misses none. */
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
      schema: z.record(z.string(), BYTES_OR_TEXT).refine(isMetadata),
      allowed: "an object of strings or Uint8Arrays by different names of 1 to 255 of A-Z a-z 0-9 - _ . +, " +
        "neither Socket-Type nor Identity",
      value: Object.freeze({}),
      // Connections read it long after it was checked.
      keep: copyMetadata,
    },
    messageBytesMax: bound("bytes", DEFAULT_LIMITS.messageBytesMax),
    messageFramesMax: bound("frames", DEFAULT_LIMITS.messageFramesMax),
    pendingBytesMax: bound("bytes", DEFAULT_LIMITS.pendingBytesMax),
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
      schema: BYTES_OR_TEXT.nullable().refine(isRoutingId),
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
      schema: z.enum(["allSubs", "allSubsUnsubs"]).nullable(),
      allowed: 'null, "allSubs" or "allSubsUnsubs"',
      value: null,
    },
    manual: FLAG,
    welcomeMessage: {
      schema: BYTES_OR_TEXT.nullable(),
      allowed: "null, a string or a Uint8Array",
      value: null,
      keep: copyIfBytes,
    },
  }),
  group<SubscribeOptions>(["SUB"], {
    invertMatching: FLAG,
  }),
];

/** Every option. */
export const OPTION_ROWS: Readonly<Record<OptionName, OptionRow>> = Object.assign(
  {},
  ...GROUPS.map(({ rows }) => rows),
);

/** Which options a type of socket has. */
export const OPTION_NAMES: Readonly<Record<SocketType, readonly OptionName[]>> = Object.fromEntries(
  ALL.map((type): readonly [SocketType, readonly OptionName[]] => [type, namesOf(type)]),
) as Record<SocketType, readonly OptionName[]>;

function namesOf(type: SocketType): readonly OptionName[] {
  return GROUPS.flatMap(({ types, rows }) => types.includes(type) ? Object.keys(rows) as OptionName[] : []);
}

/** Every option's default. */
export function defaultOptions(): OptionValues {
  return Object.fromEntries(
    Object.entries(OPTION_ROWS).map(([name, row]) => [name, row.value]),
  ) as OptionValues;
}

/**
 * Checks one option of a socket type and answers the value.
 *
 * @throws {MisuseError} `ERR_OPTION`: the type has no such option, or the value is not allowed; the message names both.
 */
export function checkOption(type: SocketType, name: string, value: unknown): unknown {
  const names: readonly string[] = OPTION_NAMES[type];
  if (!names.includes(name)) {
    throw new MisuseError(
      "ERR_OPTION",
      `Unknown option "${name}" of a ${type} socket; it has ${names.join(", ")}`,
    );
  }
  const row = OPTION_ROWS[name as OptionName];
  if (row.schema.safeParse(value).success) return row.keep === undefined ? value : row.keep(value);
  throw valueFault(name, value, row.allowed);
}

/** The value of an option for its reader. Bytes in it are copies: writing into them changes nothing here. */
export function readOption(name: OptionName, kept: unknown): unknown {
  return OPTION_ROWS[name].keep?.(kept) ?? kept;
}

function copyIfBytes(value: unknown): unknown {
  return value instanceof Uint8Array ? copyOf(value) : value;
}

function copyMetadata(value: unknown): unknown {
  const properties = Object.entries(value as Readonly<Record<string, string | Uint8Array>>);
  return Object.freeze(Object.fromEntries(properties.map(([name, told]) => [name, copyIfBytes(told)])));
}

/** Text as UTF-8, bytes as a copy of their own: for what is kept longer than the call. */
export function ownBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? encodeUtf8(value) : copyOf(optionBytes(value));
}

/** Text as UTF-8, bytes as they are. @throws {MisuseError} `ERR_OPTION`: it is neither. */
export function optionBytes(value: string | Uint8Array): Uint8Array {
  if (!BYTES.allows(value)) {
    throw new MisuseError("ERR_OPTION", `Cannot take ${show(value)} for bytes: allowed is ${BYTES.allowed}`);
  }
  return typeof value === "string" ? encodeUtf8(value) : value;
}

function isMetadata(value: Readonly<Record<string, string | Uint8Array>>): boolean {
  const properties = Object.entries(value).map(([name, told]) => [name, optionBytes(told)] as const);
  return areOwnProperties(properties);
}

function isRoutingId(value: string | Uint8Array | null): boolean {
  if (value === null) return true;
  const bytes = optionBytes(value);
  return bytes.length >= 1 && bytes.length <= 255 && bytes[0] !== 0;
}
