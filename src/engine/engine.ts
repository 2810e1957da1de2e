/**
 * One connection as a state machine: bytes, time and commands in; bytes, events and a deadline out. Nothing
 * here is async, reads a clock, or throws because of what a peer did.
 *
 * Four kinds of method. **Inputs** (`started`, `receive`, `receiveEnd`, `transportFailed`, `handleTimeout`)
 * report what happened outside. **Commands** (`attach`, `resumeDecoding`, `subscribe`, `close`) say what the
 * socket wants. **Polls** return what to do: after every input and command call `pollTransmit`, `pollEvent`
 * and `pollTimeoutMs` until they have nothing more. **Getters** change nothing.
 *
 * @module
 */

import { copyOf, NO_BYTES } from "../bytes/bytes.ts";
import { PeerError } from "../errors.ts";
import { decodeCommand, encodeCommandFrame, encodePing } from "../zmtp/commands.ts";
import type { BodyAllocator } from "../zmtp/frame_decoder.ts";
import {
  acceptMechanism,
  encodeGreeting,
  type Greeting,
  GreetingDecoder,
  understandsSubscribeCommand,
} from "../zmtp/greeting.ts";
import type {
  Mechanism,
  MechanismFactory,
  MechanismInit,
  SealingMechanism,
  Verdict,
} from "../zmtp/mechanism/mechanism.ts";
import { acceptPeer, type Property } from "../zmtp/metadata.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import { VERSION_MAJOR, VERSION_MINOR } from "../zmtp/wire.ts";
import { HandshakeReader } from "./handshake_reader.ts";
import { InputSide, type InputSideInit } from "./input_side.ts";
import { CommandBudget } from "./command_budget.ts";
import type { CloseReason, EngineEvent } from "./engine_events.ts";
import type { Limits } from "./limits.ts";
import { Liveness, type Timings } from "./liveness.ts";
import type { Inbound, Outbound } from "./link.ts";
import { OutputSide } from "./output_side.ts";
import type { PendingTotal } from "./pending_chunks.ts";
import { ENGINE_TRANSITIONS, type EngineInput, type EngineState } from "./states.ts";
import { next } from "../state_table.ts";

/**
 * If PINGs are sent, a large segment is written in parts of this size: each part that the transport takes
 * shows that data is still being read.
 */
const WRITE_BYTES_MAX = 262_144;

/** What an engine needs. */
export interface EngineInit {
  readonly socketType: SocketType;
  readonly identity: Uint8Array;
  readonly properties?: readonly Property[];
  readonly mechanism: MechanismFactory;
  /** Whether incoming peers need a verdict from outside. */
  readonly authorizes?: boolean;
  readonly limits: Limits;
  readonly timings: Timings;
  readonly pendingTotal: PendingTotal;
  readonly random: (into: Uint8Array) => void;
  readonly allocator?: BodyAllocator | undefined;
  /** Allocates memory with arbitrary content, where the host can do that faster than with zeroed memory. */
  readonly memory?: ((bytes: number) => Uint8Array) | undefined;
}

/** What the mechanism is created from, made once for all connections with the same settings. */
const mechanismInits: WeakMap<EngineInit, MechanismInit> = new WeakMap();

function mechanismInitOf(init: EngineInit): MechanismInit {
  let made = mechanismInits.get(init);
  if (made === undefined) {
    made = {
      socketType: init.socketType,
      identity: init.identity,
      properties: init.properties ?? [],
      propertiesMax: init.limits.handshakePropertiesMax,
      authorizes: init.authorizes ?? false,
      random: init.random,
    };
    mechanismInits.set(init, made);
  }
  return made;
}

function sealedInputInit(init: EngineInit, opener: SealingMechanism): InputSideInit {
  const frameBytesMax = init.limits.frameBytesMax + opener.overheadBytes;
  return { ...init, limits: { ...init.limits, frameBytesMax }, opener };
}

/** Nearly every peer has our version, and then the text is not one of its own. */
function versionOf({ major, minor }: Greeting): string {
  return major === VERSION_MAJOR && minor === VERSION_MINOR ? OUR_VERSION : `${major}.${minor}`;
}

const OUR_VERSION = `${VERSION_MAJOR}.${VERSION_MINOR}`;

/**
 * The protocol of one connection, without I/O. Of its parts, an idle connection keeps only those that it will
 * need again: a server may have many thousands.
 */
export class Engine {
  readonly #init: EngineInit;
  // These are dropped when the handshake is done; a mechanism that seals stays with both sides.
  #mechanism: Mechanism | undefined;
  #greeting: GreetingDecoder | undefined = new GreetingDecoder();
  #handshake: HandshakeReader | undefined;
  #peer: Greeting | undefined;
  readonly #input: InputSide;
  readonly #output: OutputSide;
  readonly #liveness: Liveness;
  #state: EngineState = "greeting";
  #events: EngineEvent[] | undefined;
  /** Made for the first command that it counts. */
  #commandBudget: CommandBudget | undefined;
  #nowMs = 0;
  #canPause = true;
  /** Who hears of an event that arises outside any call: another connection needed memory of this one. */
  listener: { news(): void } | undefined;

  constructor(init: EngineInit) {
    this.#init = init;
    this.#liveness = new Liveness(init.timings);
    const mechanism = init.mechanism.create(mechanismInitOf(init));
    this.#mechanism = mechanism;
    this.#output = new OutputSide(
      init.limits.commandsMax,
      this.#liveness.pings ? WRITE_BYTES_MAX : Infinity,
    );
    this.#input = new InputSide(mechanism.transparent ? init : sealedInputInit(init, mechanism), this);
    this.#output.pushEarly(
      encodeGreeting({ mechanism: init.mechanism.name, asServer: init.mechanism.asServer }),
    );
  }

  // Inputs.

  /** The stream is being opened, or was accepted: the handshake's deadline is set. */
  started(nowMs: number): void {
    this.#liveness.started(nowMs);
  }

  /** Bytes arrived. The engine owns their memory from then on. */
  receive(chunk: Uint8Array, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#state === "ready") {
      this.#liveness.heard(nowMs);
      this.#input.receive(chunk, nowMs);
      return this.#checkInput();
    }
    if (this.#state === "greeting" || this.#state === "handshake") this.#receiveHandshake(chunk);
  }

  /** Where the next bytes belong, if they are the rest of a large body. */
  get bodyMemory(): Uint8Array | undefined {
    return this.#state === "ready" ? this.#input.bodyMemory : undefined;
  }

  /** The peer finished sending, which ends the connection. Complete messages stay readable. */
  receiveEnd(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#state !== "closed") this.#end("ended", { kind: "remote" });
  }

  /** The stream broke. */
  transportFailed(cause: unknown, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#state !== "closed") this.#end("failed", { kind: "transport", cause });
  }

  /** A deadline may have passed. Early and repeated calls do nothing. */
  handleTimeout(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#state === "ready") {
      this.#input.tick(nowMs);
      this.#liveness.paused(!this.#input.wantsRead, nowMs, this.#input.midMessage);
    }
    while (this.#state !== "closed") {
      switch (this.#liveness.check(nowMs, this.wantsRead)) {
        case "nothing":
          return;
        case "ping":
          break;
        case "pong":
          // Before 3.1 there were no PONGs: who is that old, and never sent any, would not know what it is.
          if (!this.#output.legacySubscriptions || this.#liveness.peerKnowsPongs) {
            this.#output.pushPong(NO_BYTES);
          }
          break;
        case "handshakeTimeout":
          return this.#fail(
            "ERR_PEER_HANDSHAKE_TIMEOUT",
            "Cannot shake hands with peer: it did not answer in time",
          );
        case "heartbeatTimeout":
          return this.#fail("ERR_PEER_HEARTBEAT_TIMEOUT", "Lost the peer: nothing was heard from it in time");
      }
    }
  }

  // Commands.

  /** Attaches the pipe. Call once, after `ready`, and call {@link resumeDecoding} next. */
  attach(inbound: Inbound, outbound: Outbound): void {
    if (this.#state !== "ready") return;
    this.#input.attach(inbound);
    this.#output.attach(outbound);
  }

  /** The pipe has room again, or the body allocator has memory. Does nothing while input runs. */
  resumeDecoding(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#state !== "ready") return;
    this.#input.restart();
    this.#checkInput();
  }

  /** Tells the peer that this socket wants a topic, or no longer, after the pipe's next `ahead` segments. */
  subscribe(topic: Uint8Array, on: boolean, ahead = 0): void {
    if (this.#state === "ready") this.#output.subscribe(topic, on, ahead);
  }

  /** The verdict on an `authorize` event. */
  authorize(verdict: Verdict, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#state !== "handshake") return;
    this.#afterMechanism(this.#mechanism!.authorize?.(verdict));
  }

  /** Ends the connection once what is queued has left. */
  close(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#state === "closed" || this.#state === "closing") return;
    this.#go("closeRequested");
    this.#liveness.stop();
    this.#input.finish();
  }

  // Polls.

  /**
   * The next chunks to write, the pipe's own memory. `undefined` if there are none or a write is in flight.
   */
  pollTransmit(): readonly Uint8Array[] | undefined {
    if (this.#liveness.pingDue && this.#output.takesCommands) {
      this.#output.pushCommand(encodePing(this.#init.timings.heartbeatTtlMs, this.#liveness.takePing()));
    }
    const chunks = this.#output.pollTransmit();
    if (this.#output.error !== undefined && this.#state !== "closed") {
      this.#end("failed", { kind: "peer", error: this.#output.error });
    }
    return chunks;
  }

  /** Whether the transport took what the last {@link pollTransmit} returned. */
  transmitted(taken: boolean, nowMs: number): void {
    if (this.#liveness.pings) this.#liveness.writing(this.#output.writeBytes, nowMs);
    this.#output.transmitted(taken);
    if (taken && this.#liveness.pings) this.#liveness.written(nowMs);
  }

  /** What was lent is free again. */
  drained(nowMs: number): void {
    if (this.#output.inFlight && this.#liveness.pings) this.#liveness.written(nowMs);
    this.#output.drained();
  }

  /**
   * The transport took `bytes` of the last {@link pollTransmit} and refused the rest. `transportFailed` must
   * follow.
   */
  refused(bytes: number): void {
    this.#output.refused(bytes);
  }

  /** In state `closing`: everything has left. */
  flushed(): void {
    if (this.#state === "closing") this.#end("flushed", { kind: "local" });
  }

  /** Removes and returns the oldest event. */
  pollEvent(): EngineEvent | undefined {
    const event = this.#events?.shift();
    if (event !== undefined && this.#events!.length === 0) this.#events = undefined;
    return event;
  }

  /** The time at which {@link handleTimeout} is due, on the clock of `nowMs`; `Infinity`: never. */
  pollTimeoutMs(): number {
    return this.#liveness.deadlineMs;
  }

  // Getters.

  get state(): EngineState {
    return this.#state;
  }

  /** Whether the transport should read on. */
  get wantsRead(): boolean {
    // A handshake has its own bounds: what others hold must not keep newcomers out.
    return this.#state !== "ready" || this.#input.wantsRead;
  }

  get hasEvents(): boolean {
    return this.#events !== undefined;
  }

  /** Whether a write was handed out and is not yet taken. */
  get inFlight(): boolean {
    return this.#output.inFlight;
  }

  /** Whether anything waits to be written. */
  get hasOutput(): boolean {
    return this.#output.hasOutput;
  }

  /** Whether anything waits that is worth a write at once. */
  get outputPresses(): boolean {
    return this.#output.presses || this.#liveness.pingDue;
  }

  /** Whether handshake bytes or commands wait, which are never gathered. */
  get hasUrgentOutput(): boolean {
    return this.#output.hasUrgentOutput || this.#liveness.pingDue;
  }

  /** Bytes of memory that wait undecoded. */
  get pendingBytes(): number {
    return this.#input.pendingBytes;
  }

  /** Whether the transport can pause. One that cannot is closed when it runs too far past the bound. */
  set canPause(can: boolean) {
    this.#canPause = can;
  }

  #receiveHandshake(chunk: Uint8Array): void {
    let at = 0;
    const greeting = this.#greeting;
    if (greeting !== undefined) {
      at = greeting.push(chunk, 0);
      if (greeting.error !== undefined) return this.#failWith(greeting.error);
      if (greeting.result === undefined) return;
      this.#greeting = undefined;
      this.#greeted(greeting.result);
    }
    const handshake = this.#handshake ??= new HandshakeReader(this.#init.limits.handshakeCommandBytesMax);
    while (this.#state === "handshake" && at < chunk.length) {
      at = handshake.push(chunk, at);
      if (handshake.error !== undefined) return this.#failWith(handshake.error);
      const { command } = handshake;
      if (command !== undefined) this.#afterMechanism(this.#mechanism!.handleCommand(command));
    }
    if (this.#state !== "ready") return;
    this.#handshake = undefined;
    // Bytes after the last handshake command are traffic: they wait until the pipe is attached.
    if (at < chunk.length) this.#input.receive(chunk.subarray(at), this.#nowMs);
  }

  #greeted(greeting: Greeting): void {
    const error = acceptMechanism(this.#init.mechanism.name, greeting);
    if (error !== undefined) return this.#failWith(error);
    this.#peer = greeting;
    this.#go("greeted");
    this.#afterMechanism(undefined);
  }

  /** Drains the mechanism, as its contract requires, and acts on its status. */
  #afterMechanism(error: PeerError | undefined): void {
    const mechanism = this.#mechanism!;
    for (let body = mechanism.nextCommand(); body !== undefined; body = mechanism.nextCommand()) {
      this.#output.pushEarly(encodeCommandFrame(body));
    }
    const request = mechanism.nextAuthorization?.();
    if (request !== undefined) this.#report({ type: "authorize", request });
    if (error !== undefined) return this.#failWith(error);
    if (mechanism.status === "failed") {
      return this.#fail(
        "ERR_PEER_MECHANISM",
        `Cannot shake hands with peer: ${mechanism.name} refused it`,
      );
    }
    if (mechanism.status === "ready") this.#handshaken(mechanism);
  }

  #handshaken(mechanism: Mechanism): void {
    const accepted = acceptPeer(this.#init.socketType, mechanism.peerMetadata!);
    if (accepted instanceof PeerError) return this.#failWith(accepted);
    const greeting = this.#peer!;
    this.#mechanism = undefined;
    this.#peer = undefined;
    this.#go("accepted");
    this.#liveness.handshaken(this.#nowMs);
    this.#output.legacySubscriptions = !understandsSubscribeCommand(greeting);
    if (!mechanism.transparent) this.#output.sealWith(mechanism);
    this.#report({
      type: "ready",
      peer: { ...accepted, mechanism: mechanism.name, version: versionOf(greeting) },
    });
  }

  // What the input side reports.

  /** @internal */
  command(body: Uint8Array): PeerError | undefined {
    const command = decodeCommand(body);
    if (command instanceof PeerError) return command;
    switch (command.name) {
      case "PING":
        this.#liveness.pinged(this.#nowMs);
        this.#liveness.promised(command.ttlMs, this.#nowMs);
        this.#output.pushPong(command.context);
        return this.#spendBudget();
      case "SUBSCRIBE":
      case "CANCEL":
        this.#input.subscription(copyOf(command.topic), command.name === "SUBSCRIBE");
        return undefined;
      case "ERROR":
        return new PeerError("ERR_PEER_ERROR", `The peer ended the connection: ${command.reason}`);
      case "PONG":
        this.#liveness.ponged(command.context, this.#nowMs);
        return this.#spendBudget();
      default:
        // Unknown commands are legal, and ignored.
        return this.#spendBudget();
    }
  }

  /** @internal */
  giveUp(why: PeerError): void {
    this.#failWith(why);
    this.listener?.news();
  }

  #spendBudget(): PeerError | undefined {
    this.#commandBudget ??= new CommandBudget(this.#init.limits.commandsPerSecondMax);
    return this.#commandBudget.spend(this.#nowMs);
  }

  #checkInput(): void {
    if (this.#state !== "ready") return;
    this.#liveness.paused(!this.#input.wantsRead, this.#nowMs, this.#input.midMessage);
    const { error, pendingBytes } = this.#input;
    if (error !== undefined) return this.#failWith(error);
    const { pendingBytesMax, unpausableBytesMax } = this.#init.limits;
    // If it cannot be paused for the sake of others, nothing bounds how much more arrives.
    const overruns = this.#input.state === "running" && !this.#input.wantsRead;
    if (!this.#canPause && (overruns || pendingBytes > pendingBytesMax + unpausableBytesMax)) {
      this.#fail(
        "ERR_PEER_PENDING",
        `Cannot keep up with peer: ${pendingBytes} bytes are waiting and its transport cannot pause`,
      );
    }
  }

  #fail(code: PeerError["code"], message: string): void {
    this.#failWith(new PeerError(code, message));
  }

  #failWith(error: PeerError): void {
    if (this.#state !== "closed") this.#end("failed", { kind: "peer", error });
  }

  #end(input: EngineInput, reason: CloseReason): void {
    const handshaken = this.#state === "ready" || this.#state === "closing";
    this.#go(input);
    this.#liveness.stop();
    this.#input.finish();
    this.#report({ type: "closed", reason, handshaken });
  }

  #report(event: EngineEvent): void {
    if (this.#events === undefined) this.#events = [event];
    else this.#events.push(event);
  }

  /** The transport is gone and no lent memory is in use any longer. */
  abandon(): void {
    this.#output.abandon();
  }

  #go(input: EngineInput): void {
    this.#state = next(ENGINE_TRANSITIONS, this.#state, input);
  }
}
