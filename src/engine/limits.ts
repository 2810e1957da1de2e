/**
 * Every bound on a connection, with its default. Counts are bounded as well as bytes: a flood of empty frames
 * costs a peer nothing.
 *
 * @module
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Bounds on one connection. Unless its comment says otherwise, exceeding one closes that connection with a
 * `PeerError` and harms no other.
 */
export interface Limits {
  /** Bytes of one frame's body. Checked before anything is allocated. */
  readonly frameBytesMax: number;
  /** Bytes of all frames of one message. Without this bound a peer could send `MORE` forever. */
  readonly messageBytesMax: number;
  /** Frames of one message. */
  readonly messageFramesMax: number;
  /** Bytes of one command during the handshake. */
  readonly handshakeCommandBytesMax: number;
  /** Metadata properties in a handshake command. */
  readonly handshakePropertiesMax: number;
  /** Topics that one peer may hold. There may be twice as many unread notifications of them. */
  readonly subscriptionsMax: number;
  /** Bytes of all topics that one peer may hold. Those in unread notifications may be twice as many. */
  readonly subscriptionBytesMax: number;
  /** Commands waiting to be written to one peer. PONGs are coalesced to the latest. */
  readonly commandsMax: number;
  /** PING, PONG and unknown commands that one peer may send per second; unused ones are saved for an hour. */
  readonly commandsPerSecondMax: number;
  /** Bytes of undecoded memory that one connection may hold before its transport is paused. */
  readonly pendingBytesMax: number;
  /** How far a transport that cannot pause may run past `pendingBytesMax` before it is closed. */
  readonly unpausableBytesMax: number;
}

/** The defaults of {@link Limits}. */
export const DEFAULT_LIMITS: Limits = {
  frameBytesMax: 256 * MIB,
  messageBytesMax: 512 * MIB,
  messageFramesMax: 65_536,
  handshakeCommandBytesMax: 64 * KIB,
  handshakePropertiesMax: 64,
  subscriptionsMax: 500_000,
  subscriptionBytesMax: 64 * MIB,
  commandsMax: 1_024,
  commandsPerSecondMax: 4_096,
  pendingBytesMax: 10 * MIB,
  unpausableBytesMax: 1 * MIB,
};

/** Half-open handshakes that one listener holds at a time. */
export const HANDSHAKES_MAX = 1_000;

/** Bounds over all connections of a context. docs/PROTOCOL.md describes what happens at each. */
export interface TotalLimits {
  /** Bytes that wait undecoded, half-received messages included. */
  readonly pendingTotalBytesMax: number;
  /** Bytes that wait to be sent. */
  readonly queuedTotalBytesMax: number;
  /** Bytes that were received and that the application has not read. */
  readonly receivedTotalBytesMax: number;
  /** Bytes that the topics of all subscribers take up. */
  readonly subscriptionsTotalBytesMax: number;
}

/** The defaults of {@link TotalLimits}. */
export const DEFAULT_TOTAL_LIMITS: TotalLimits = {
  pendingTotalBytesMax: 256 * MIB,
  queuedTotalBytesMax: 1_024 * MIB,
  receivedTotalBytesMax: 1_024 * MIB,
  subscriptionsTotalBytesMax: 1_024 * MIB,
};

/** The default bound on bytes that wait for one peer, for each direction. */
export const HIGH_WATER_MARK_BYTES: number = 64 * MIB;
