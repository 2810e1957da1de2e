/**
 * A pipe that is nothing but two lists, for tests of what patterns do with pipes.
 *
 * @module
 */

import type { Outgoing } from "../../src/pattern/pipe/outbound_queue.ts";
import { framesOf, type PatternEvents, type PatternOptions } from "../../src/pattern/pattern.ts";
import { type KnownPeer, type Message, type Peer, Pipe } from "../../src/pattern/pipe/pipe.ts";
import type { SharedRun } from "../../src/zmtp/shared_run.ts";

/** See the module. */
export class FakePipe extends Pipe {
  readonly name: string;
  /** Messages that the other side sent. */
  readonly arrived: Message[] = [];
  /** Messages that were written. */
  readonly written: Message[] = [];
  readonly told: string[] = [];
  refused: Error | undefined = undefined;
  /** Messages that may still be written. */
  room: number = Infinity;
  /** How often a message was written that had been framed before. */
  framed = 0;
  onRefuse: (() => void) | undefined = undefined;

  constructor(name: string) {
    super();
    this.name = name;
  }

  get canWrite(): boolean {
    return !this.closed && this.room > 0;
  }

  write(message: Outgoing): boolean {
    if (!this.canWrite) return false;
    this.room--;
    this.written.push([...framesOf(message)]);
    return true;
  }

  writeShared(_run: SharedRun, message: Outgoing): boolean {
    this.framed++;
    return this.write(message);
  }

  read(): Message | undefined {
    return this.arrived.shift();
  }

  get readableMessages(): number {
    return this.arrived.length;
  }

  get queuedMessages(): number {
    return this.written.length;
  }

  subscribe(topic: Uint8Array, on: boolean): void {
    this.told.push(`${on ? "+" : "-"}${new TextDecoder().decode(topic)}`);
  }

  refuse(why: Error): void {
    this.refused = why;
    this.onRefuse?.();
  }

  /** The text of everything written, frames joined by `|`. */
  get texts(): string[] {
    return this.written.map(textOf);
  }
}

/** A message as text, frames joined by `|`. */
export function textOf(message: readonly Uint8Array[]): string {
  return message.map((frame) => new TextDecoder().decode(frame)).join("|");
}

/** Text as a message, frames split at `|`. */
export function messageOf(text: string): Message {
  return text.split("|").map((frame) => new TextEncoder().encode(frame));
}

/** A peer that has been described. */
export function known(peer: Peer): KnownPeer {
  return { id: peer.id, identity: peer.identity, peer };
}

/** A peer as a handshake tells of it. */
export function peerOf(identity = ""): Peer {
  return {
    id: 1,
    endpoint: "fake://",
    localAddress: "",
    remoteAddress: "",
    socketType: undefined,
    identity: new TextEncoder().encode(identity),
    metadata: new Map(),
    mechanism: "NULL",
    version: "3.1",
    tls: undefined,
    http: undefined,
  };
}

/** Listens to a pattern. */
export class FakeEvents implements PatternEvents {
  readable_ = 0;
  writable_ = 0;
  readonly drops: string[] = [];

  readable(): void {
    this.readable_++;
  }

  writable(): void {
    this.writable_++;
  }

  dropped(pipe: Pipe | undefined, why: string): void {
    this.drops.push(`${(pipe as FakePipe | undefined)?.name ?? "nobody"}: ${why}`);
  }
}

/** Options as they are when nobody sets any. */
export function patternOptions(options: Partial<PatternOptions> = {}): PatternOptions {
  return {
    sendMark: { messages: 1_000, bytes: 0 },
    receiveMark: { messages: 1_000, bytes: 0 },
    mandatory: false,
    handover: false,
    probeRouter: false,
    correlate: false,
    relaxed: false,
    invertMatching: false,
    noDrop: false,
    verbosity: null,
    manual: false,
    welcomeMessage: undefined,
    subscriptionsMax: 500_000,
    subscriptionBytesMax: 1 << 26,
    ...options,
  };
}
