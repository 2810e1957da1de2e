/**
 * Both ends of an inproc connection. There is no engine and no handshake on the wire: the two sockets are
 * introduced to each other directly.
 *
 * @module
 */

import { asciiBytes, copyOf } from "../bytes/bytes.ts";
import { PeerError } from "../errors.ts";
import type { HighWaterMark } from "../pattern/pipe/outbound_queue.ts";
import { InprocPipe } from "../pattern/pipe/inproc_pipe.ts";
import type { Peer } from "../pattern/pipe/pipe.ts";
import type { Host } from "../ports.ts";
import { next } from "../state_table.ts";
import { announcesIdentity, compatible } from "../zmtp/socket_type.ts";
import { Backoff } from "./backoff.ts";
import { LINGER_OVER, tellDropped } from "./dropped.ts";
import type { KeepAlive } from "./keep_alive.ts";
import type { Session, SessionOptions, SessionOwner } from "./owner.ts";
import { INPROC_TRANSITIONS, type InprocInput, type InprocState } from "./states.ts";

/** The inproc names of a context: the sockets that are bound to them, and the sessions that wait for one. */
export interface InprocNames {
  bind(binding: InprocBinding, bound: () => void): boolean;
  unbind(binding: InprocBinding): void;
  connect(session: InprocSession): void;
  forget(session: InprocSession): void;
}

/** What both ends need of their context. */
export interface InprocRuntime {
  readonly host: Host;
  readonly keepAlive: KeepAlive;
  readonly inproc: InprocNames;
  nextPeerId(): number;
}

/** One end of an inproc connection. States: states.ts. */
export class InprocSession implements Session {
  readonly endpoint: string;
  readonly owner: SessionOwner;
  readonly #runtime: InprocRuntime;
  readonly #connects: boolean;
  readonly #options: SessionOptions;
  readonly #routingId: Uint8Array | undefined;
  readonly #backoff: Backoff;
  pipe: InprocPipe;
  #state: InprocState = "idle";
  #other: InprocSession | undefined;
  /** The pipe that is attached to the pattern. */
  #shown: InprocPipe | undefined;
  #cancelLinger: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;

  /**
   * `connects`: this is the connecting end, which waits for its name to be bound. `options`: those of the
   * endpoint, if it is older than the session.
   */
  constructor(
    owner: SessionOwner,
    runtime: InprocRuntime,
    endpoint: string,
    connects: boolean,
    routingId?: Uint8Array,
    options: SessionOptions = owner.sessionOptions,
  ) {
    this.owner = owner;
    this.#runtime = runtime;
    this.endpoint = endpoint;
    this.#connects = connects;
    this.#options = options;
    this.#routingId = routingId;
    this.#backoff = new Backoff((into) => runtime.host.random(into));
    this.pipe = this.#makePipe();
  }

  /**
   * Attaches the pipe to the pattern, unless `immediate` is set. The pattern may refuse it from inside, so
   * call this once the socket knows the session.
   */
  prepare(): void {
    if (!this.#options.immediate) this.attach();
  }

  get state(): InprocState {
    return this.#state;
  }

  get queuedMessages(): number {
    return this.pipe.queuedMessages;
  }

  /** Marks are read from the options with every message. Only a waiting sender must learn of more room. */
  setMarks(_send: HighWaterMark, _receive: HighWaterMark): void {
    this.pipe.reviewMark();
    this.#other?.pipe.reviewMark();
  }

  /** Looks for the bound end. */
  start(): void {
    if (this.#state === "closed") return;
    this.#go("wait");
    this.#runtime.inproc.connect(this);
  }

  /** Attaches the pipe to the pattern, once. */
  attach(): void {
    if (this.#shown === this.pipe || this.#state === "lingering") return;
    this.#shown = this.pipe;
    this.owner.pattern.attach(this.pipe);
  }

  /** Joins the two ends. Each pattern learns who the other is before messages go over. */
  meet(other: InprocSession): void {
    for (const [end, far] of [[this, other], [other, this]] as const) {
      end.#go("join");
      end.#backoff.connected(this.#runtime.host.nowMs());
      end.#other = far;
    }
    for (const [end, far] of [[this, other], [other, this]] as const) {
      const peer = end.#describe(far);
      end.pipe.known = { id: peer.id, identity: peer.identity, peer };
      end.attach();
      if (end.#state === "closed" || far.#state === "closed") return;
    }
    this.pipe.meet(other.pipe);
    other.pipe.meet(this.pipe);
    for (const end of [this, other]) {
      // An event listener may have closed either end meanwhile.
      if (end.#other === undefined) return;
      end.owner.pattern.ready(end.pipe);
      if (end.#other === undefined) return;
      end.owner.joined(end.endpoint, end.pipe.known!);
    }
    for (const end of [this, other]) {
      if (end.#other === undefined) return;
      end.pipe.deliverWaiting();
      end.pipe.reviewMark();
    }
  }

  close(lingerMs: number): void {
    if (this.#state === "closed" || this.#state === "lingering") return;
    if (this.queuedMessages === 0 || lingerMs === 0) return this.#end();
    // No socket is bound to the name yet. What is queued may still find its receiver; nothing is added to it.
    this.#go("linger");
    this.#detachPipe();
    this.#runtime.keepAlive.hold();
    if (lingerMs < 0) return;
    this.#cancelLinger = this.#runtime.host.schedule(lingerMs, () => this.#end(LINGER_OVER), false);
  }

  /**
   * The other end is gone. A connecting end waits for its name to be bound again or, if it was refused, for a
   * retry.
   */
  #part(refused: boolean): void {
    this.#other = undefined;
    const { known } = this.pipe;
    this.pipe.part();
    if (this.#isOver) return;
    this.#go("part");
    this.owner.left(this.endpoint, known, undefined);
    if (this.#isOver) return;
    if (!this.#connects) return this.#end();
    this.owner.pattern.lost(this.pipe);
    if (this.#options.immediate) this.#replacePipe();
    // What filled the pipe has gone to the other end, so there is room again.
    else this.pipe.reviewMark();
    if (refused) this.#retryLater();
    else this.start();
  }

  #retryLater(): void {
    const { reconnectIntervalMs, reconnectIntervalMaxMs } = this.#options;
    if (reconnectIntervalMs < 0) return this.#end("the endpoint does not reconnect");
    this.#go("refuse");
    const { host } = this.#runtime;
    const delayMs = this.#backoff.nextMs(reconnectIntervalMs, reconnectIntervalMaxMs, host.nowMs());
    this.#cancelRetry = host.schedule(delayMs, () => this.start(), false);
  }

  #replacePipe(): void {
    this.#detachPipe();
    this.pipe = this.#makePipe();
  }

  #detachPipe(): void {
    this.pipe.closed = true;
    if (this.#shown !== this.pipe) return;
    this.#shown = undefined;
    this.owner.pattern.detach(this.pipe);
  }

  /**
   * Ends the session. `why`: the reason to report for dropping what is still queued; omitted if the user
   * asked for it. `refusal`: why our pattern refused the other end.
   */
  #end(why?: string, refusal?: Error): void {
    if (this.#state === "closed") return;
    const lingered = this.#state === "lingering";
    this.#go("close");
    this.#cancelLinger?.();
    this.#cancelRetry?.();
    this.#runtime.inproc.forget(this);
    const { known } = this.pipe;
    if (refusal !== undefined) {
      this.owner.left(this.endpoint, known, refusal);
    }
    this.#detachPipe();
    if (why !== undefined) tellDropped(this.owner, this.endpoint, known, this.queuedMessages, why);
    this.pipe.discardWaiting();
    const other = this.#other;
    this.#other = undefined;
    this.pipe.part();
    if (other !== undefined) {
      // As over streams, a socket that closes itself gets no event.
      if (refusal === undefined && !this.owner.closed) {
        this.owner.left(this.endpoint, known, undefined);
      }
      other.#part(refusal !== undefined);
    }
    if (lingered) this.#runtime.keepAlive.release();
    this.owner.sessionClosed(this);
  }

  /** An event listener may have closed the socket meanwhile. */
  get #isOver(): boolean {
    return this.#state === "closed";
  }

  #go(input: InprocInput): void {
    this.#state = next(INPROC_TRANSITIONS, this.#state, input);
  }

  #makePipe(): InprocPipe {
    const { keepAlive } = this.#runtime;
    const pipe = new InprocPipe({
      pattern: this.owner.pattern,
      options: this.owner.patternOptions,
      conflate: this.#options.conflate,
      busy: (on) => {
        if (on) return keepAlive.hold();
        keepAlive.release();
        if (this.#state === "lingering") this.#end();
      },
      refuse: (why) => {
        this.#end("the peer was refused", why);
      },
    });
    pipe.routingId = this.#routingId;
    return pipe;
  }

  #describe(far: InprocSession): Peer {
    const { socketType, identity: own } = far.#options.engineInit;
    // A copy: a reader that changes it must not rename the far socket.
    const identity = copyOf(own);
    const metadata = new Map([["socket-type", asciiBytes(socketType)]]);
    if (announcesIdentity(socketType)) metadata.set("identity", identity);
    return {
      id: this.#runtime.nextPeerId(),
      endpoint: this.endpoint,
      localAddress: this.endpoint,
      remoteAddress: this.endpoint,
      socketType,
      identity,
      metadata,
      mechanism: "",
      version: "",
      tls: undefined,
      http: undefined,
    };
  }
}

/** A name that a socket is bound to. */
export class InprocBinding {
  readonly endpoint: string;
  readonly #owner: SessionOwner;
  readonly #options: SessionOptions;
  readonly #runtime: InprocRuntime;
  readonly #accepted: (session: InprocSession) => void;

  constructor(
    owner: SessionOwner,
    runtime: InprocRuntime,
    endpoint: string,
    accepted: (session: InprocSession) => void,
  ) {
    this.#owner = owner;
    this.#options = owner.sessionOptions;
    this.#runtime = runtime;
    this.endpoint = endpoint;
    this.#accepted = accepted;
  }

  /** Returns `false` if the name is taken. `bound` is called before any session connects. */
  open(bound: () => void): boolean {
    return this.#runtime.inproc.bind(this, bound);
  }

  accept(connecting: InprocSession): void {
    const ours = this.#owner.pattern.type;
    const theirs = connecting.owner.pattern.type;
    if (!compatible(ours, theirs)) {
      const error = new PeerError(
        "ERR_PEER_SOCKET_TYPE",
        `Cannot connect: a ${theirs} cannot talk to a ${ours}`,
      );
      connecting.owner.emit({ type: "handshake:error:protocol", address: this.endpoint, error });
      this.#owner.emit({ type: "handshake:error:protocol", address: this.endpoint, error });
      return;
    }
    const session = new InprocSession(
      this.#owner,
      this.#runtime,
      this.endpoint,
      false,
      undefined,
      this.#options,
    );
    this.#accepted(session);
    session.meet(connecting);
  }

  close(): void {
    this.#runtime.inproc.unbind(this);
  }
}
