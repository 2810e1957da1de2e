/**
 * The peers of a socket as links. Whatever connections tell is kept until the end of the current callback and dealt with
 * there, so that no machine is ever called from inside a call of its own, a decoder or a write:
 *
 * 1. messages, one of each link in turn, as one burst, then `endOfBurst`;
 * 2. inputs that have memory again go on;
 * 3. links whose end was asked for end;
 * 4. links that may write again are told, those first that have waited longest;
 * 5. links that are over are told so, last.
 *
 * What a turn of the event loop may deliver and send is bounded; the rest waits for the next turn.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { Scheduler, Task } from "../../engine/scheduler.ts";
import { FairQueue } from "../../pattern/distribution/fair_queue.ts";
import { keepForLater } from "../../pattern/pipe/outbound_queue.ts";
import type { PeersEvents } from "../../pattern/distribution/peers.ts";
import type { Peer, Pipe } from "../../pattern/pipe/pipe.ts";
import type { ConnectionInput } from "../../session/owner.ts";
import { messageBytes } from "../../socket/message.ts";
import { SendBudget } from "../../socket/send_budget.ts";
import type { LinkEvents } from "../link.ts";
import { LinkInput, PipeLink, type PipeLinkOwner } from "./pipe_link.ts";
import { TurnAllowance } from "./turn_allowance.ts";

/** What a {@link LinkSet} is made of. */
export interface LinkSetInit {
  readonly scheduler: Scheduler;
  /** A peer is there. Called from inside its connection: nothing may be sent before it has returned. */
  readonly joined: (link: PipeLink) => LinkEvents;
  /** Told of each link in a callback of its own, before its first message. */
  readonly opened?: (link: PipeLink) => void;
  /** Ends a link's connection, where `close` was asked for. */
  readonly end: (link: PipeLink) => void;
  /** The same, where the socket is about to be closed; missing: its own close does it. */
  readonly closing?: (link: PipeLink) => void;
  /** Behind each burst of messages. */
  readonly endOfBurst: () => void;
}

/** See the module. */
export class LinkSet implements Task, PeersEvents, PipeLinkOwner {
  readonly #init: LinkSetInit;
  readonly #scheduler: Scheduler;
  readonly #links: Map<Pipe, PipeLink> = new Map();
  readonly #peers: Map<Peer, PipeLink> = new Map();
  readonly #queue: FairQueue = new FairQueue();
  readonly #allowance: TurnAllowance;
  readonly #budget: SendBudget;
  readonly #restarts: Set<ConnectionInput> = new Set();
  #joined: PipeLink[] = [];
  #closing: PipeLink[] = [];
  #over: PipeLink[] = [];
  /** Links whose `trySend` failed and is worth a try now, or will be when the turn's budget is new. */
  readonly #waiting: Set<PipeLink> = new Set();
  #closeSocket: (() => void) | undefined;
  #arranged = false;
  #turnArranged = false;

  constructor(init: LinkSetInit) {
    this.#init = init;
    this.#scheduler = init.scheduler;
    this.#allowance = new TurnAllowance(init.scheduler);
    this.#budget = new SendBudget(init.scheduler, () => this.#arrange());
  }

  /** Links that have not been told of their end. */
  get size(): number {
    return this.#links.size;
  }

  /** Makes the allocator of a new connection. */
  inputOf(connection: ConnectionInput): LinkInput {
    return new LinkInput(connection, this);
  }

  /**
   * Delivers what has arrived, at the end of this callback, then nothing more; then calls `close`, which closes the socket.
   * Every link is told of its end after that.
   */
  closeAll(close: () => void): void {
    this.#closeSocket ??= close;
    this.#arrange();
  }

  /** Why a peer's connection was lost, as far as the socket's events tell. */
  failed(peer: Peer | undefined, reason: Error | undefined): void {
    const link = peer === undefined ? undefined : this.#peers.get(peer);
    if (link !== undefined && link.state !== "closing") link.reason ??= reason;
  }

  // What the pattern tells.

  joined(pipe: Pipe): void {
    const link = new PipeLink(pipe, this);
    this.#links.set(pipe, link);
    this.#peers.set(pipe.peer!, link);
    const input = inputOf(pipe);
    if (input !== undefined) input.open = true;
    link.events = this.#init.joined(link);
    if (this.#init.opened === undefined) return;
    this.#joined.push(link);
    this.#arrange();
  }

  left(pipe: Pipe): void {
    const link = this.#links.get(pipe);
    // A socket that closes tells it of those, too, that were refused before.
    if (link === undefined || link.over) return;
    link.over = true;
    if (link.state === "open") link.state = "left";
    this.#over.push(link);
    this.#arrange();
  }

  readable(pipe: Pipe): void {
    if (!this.#links.has(pipe)) return;
    this.#queue.add(pipe);
    this.#arrange();
  }

  writable(pipe: Pipe): void {
    const link = this.#links.get(pipe);
    if (link === undefined) return;
    this.#waiting.add(link);
    this.#arrange();
  }

  closing(): void {
    for (const link of this.#links.values()) {
      this.#shut(link);
      link.pipe.drop();
      if (!link.over) this.#init.closing?.(link);
    }
  }

  // What links ask for.

  send(link: PipeLink, frames: readonly Uint8Array[]): boolean {
    assert(frames.length > 0, "a message without frames");
    if (this.#budget.spent) {
      this.#waiting.add(link);
      return false;
    }
    // A pipe that refuses tells of room.
    if (!link.pipe.write(link.copies ? keepForLater(frames) : frames)) return false;
    this.#budget.spend(messageBytes(frames));
    return true;
  }

  close(link: PipeLink, reason: Error | undefined): void {
    if (link.state !== "open" && link.state !== "left") return;
    link.reason ??= reason;
    this.#shut(link);
    this.#closing.push(link);
    this.#arrange();
  }

  restart(connection: ConnectionInput): void {
    this.#restarts.add(connection);
    this.#arrange();
  }

  // What the scheduler tells.

  callbackEnded(): void {
    this.#arranged = false;
    this.#run();
  }

  turnEnded(): void {
    this.#turnArranged = false;
    this.#run();
  }

  #arrange(): void {
    if (this.#arranged) return;
    this.#arranged = true;
    this.#scheduler.afterCallback(this);
  }

  #run(): void {
    this.#closeAsked();
    this.#tellOpened();
    if (this.#deliver()) this.#init.endOfBurst();
    this.#restartInputs();
    this.#closeAsked();
    this.#tellWritable();
    this.#tellClosed();
    this.#closeAll();
  }

  #closeAll(): void {
    const close = this.#closeSocket;
    if (close === undefined) return;
    this.#closeSocket = undefined;
    close();
  }

  /** From here on nothing is sent or delivered. */
  #shut(link: PipeLink): void {
    link.state = "closing";
    const input = inputOf(link.pipe);
    if (input !== undefined) input.open = false;
  }

  #tellOpened(): void {
    const joined = this.#joined;
    this.#joined = [];
    for (const link of joined) if (link.state === "open" || link.state === "left") this.#init.opened!(link);
  }

  /** Answers whether there was anything. */
  #deliver(): boolean {
    let delivered = false;
    while (!this.#allowance.spent) {
      const message = this.#queue.read();
      if (message === undefined) return delivered;
      this.#allowance.spend(messageBytes(message));
      delivered = true;
      this.#links.get(this.#queue.lastPipe!)!.events!.message(message);
      // A link that was closed meanwhile must not be read from.
      if (this.#closing.length > 0) this.#closeAsked();
    }
    this.#continueNextTurn();
    return delivered;
  }

  #continueNextTurn(): void {
    if (this.#turnArranged) return;
    this.#turnArranged = true;
    this.#scheduler.afterTurn(this);
  }

  #restartInputs(): void {
    if (this.#restarts.size === 0) return;
    const restarts = [...this.#restarts];
    this.#restarts.clear();
    for (const connection of restarts) connection.restart();
  }

  #closeAsked(): void {
    while (this.#closing.length > 0) {
      const link = this.#closing.shift()!;
      this.#waiting.delete(link);
      // What was received and not delivered goes back to whoever gave its memory.
      link.pipe.drop();
      if (!link.over) this.#init.end(link);
    }
  }

  #tellWritable(): void {
    for (const link of this.#waiting) {
      // The budget's renewal comes back here; who waited longest stays in front.
      if (this.#budget.spent) return;
      this.#waiting.delete(link);
      if (link.state === "open") link.events!.writable();
    }
  }

  #tellClosed(): void {
    const over = this.#over;
    this.#over = [];
    for (const link of over) {
      // What had arrived before the end comes first: it waits for the next turn.
      if (link.state === "left" && link.pipe.readableMessages > 0) {
        this.#over.push(link);
        continue;
      }
      this.#links.delete(link.pipe);
      this.#peers.delete(link.pipe.peer!);
      this.#waiting.delete(link);
      this.#queue.remove(link.pipe);
      link.state = "closed";
      link.events!.closed(link.reason);
    }
  }
}

function inputOf(pipe: Pipe): LinkInput | undefined {
  return pipe.allocator instanceof LinkInput ? pipe.allocator : undefined;
}
