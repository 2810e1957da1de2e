/**
 * A consumer's name as its reader sees it: takes the name, commits how far it has read, and learns of a newcomer.
 *
 * One commit is under way at a time. What is committed meanwhile waits, and only the last of it is sent: it says all that
 * those before it did.
 *
 * @module
 */

import { next } from "../../state_table.ts";
import { LogError } from "../errors.ts";
import type {
  CloseConsumer,
  Commit,
  ConsumerOpened,
  ConsumerSuperseded,
  Done,
  OpenConsumer,
  Refused,
} from "../wire/messages.ts";
import { CONSUMER_TRANSITIONS, type ConsumerInput, type ConsumerState } from "./states.ts";

/** What a consumer is made of. */
export interface ConsumerInit<Token> {
  readonly topic: string;
  readonly consumer: string;
  readonly target: ConsumerTarget<Token>;
}

/** The surroundings of a consumer. Nothing of it may call the consumer back from inside. */
export interface ConsumerTarget<Token> {
  /** A number for a request; its answer comes back here. */
  nextRequest(): number;
  /** Sends now or later, in order, as long as the link lives. */
  send(message: OpenConsumer | Commit | CloseConsumer): void;
  /** The name is ours; for the first time it tells where to begin. */
  opened(message: ConsumerOpened): void;
  /** Whoever waits for a commit is to be told. */
  settled(tokens: readonly Token[], error: LogError | undefined): void;
  /** Nothing can be committed any more. */
  ended(error: LogError): void;
}

interface PendingCommit<Token> {
  readonly position: bigint;
  readonly generation: number;
  readonly tokens: Token[];
}

/** See the module. */
export class ConsumerHandle<Token> {
  readonly #init: ConsumerInit<Token>;
  readonly #target: ConsumerTarget<Token>;
  #state: ConsumerState = "offline";
  #handle = 0;
  #epoch = 0;
  #request = 0;
  #committed: bigint | undefined;
  #sent: PendingCommit<Token> | undefined;
  #waiting: PendingCommit<Token> | undefined;

  constructor(init: ConsumerInit<Token>) {
    this.#init = init;
    this.#target = init.target;
  }

  get state(): ConsumerState {
    return this.#state;
  }

  /** What the broker confirmed last; `undefined`: nothing was committed yet. */
  get committed(): bigint | undefined {
    return this.#committed;
  }

  /** 0: not open. */
  get handle(): number {
    return this.#handle;
  }

  /** There is a link. */
  linked(): void {
    if (this.#isFinal) return;
    this.#go("linked");
    this.#request = this.#target.nextRequest();
    const { topic, consumer } = this.#init;
    this.#target.send({ type: "openConsumer", request: this.#request, topic, consumer });
  }

  /** The link is gone: what was not confirmed is committed again. */
  unlinked(): void {
    if (this.#isFinal) return;
    this.#go("unlinked");
    this.#handle = 0;
    this.#request = 0;
    const sent = this.#sent;
    this.#sent = undefined;
    if (sent === undefined) return;
    if (this.#waiting === undefined) this.#waiting = sent;
    else this.#waiting.tokens.unshift(...sent.tokens);
  }

  /** The answer to `openConsumer`. */
  opened(message: ConsumerOpened): void {
    if (this.#state === "closed" && message.request !== 0 && message.request === this.#request) {
      // The name was asked for before it was given up.
      this.#request = 0;
      return this.#target.send({ type: "closeConsumer", handle: message.handle });
    }
    if (message.request !== this.#request || this.#state !== "opening") return;
    this.#go("opened");
    this.#request = 0;
    this.#handle = message.handle;
    this.#epoch = message.epoch;
    this.#committed = message.position;
    this.#target.opened(message);
    this.#send();
  }

  /** Where to go on reading next time. The last call counts, higher or lower. */
  commit(position: bigint, generation: number, token: Token): void {
    const tokens = this.#waiting?.tokens ?? [];
    tokens.push(token);
    this.#waiting = { position, generation, tokens };
    this.#send();
  }

  /** The answer to a commit. */
  done({ request, position }: Done): void {
    const sent = this.#sent;
    if (request !== this.#request || sent === undefined) return;
    this.#request = 0;
    this.#sent = undefined;
    this.#committed = position;
    this.#target.settled(sent.tokens, undefined);
    this.#send();
  }

  /** A request was refused. */
  refused({ request, error: { code, message, from, to } }: Refused): void {
    if (request !== this.#request || request === 0 || this.#isFinal) return;
    // A broker that closes ends its links; the next one is asked again.
    if (code === "ERR_LOG_CLOSED") return;
    const error = new LogError(code, message, { topic: this.#init.topic, from, to });
    const sent = this.#sent;
    this.#request = 0;
    if (code === "ERR_LOG_SUPERSEDED") return this.#end("superseded", error);
    if (sent === undefined) return this.#end("failed", error);
    this.#sent = undefined;
    this.#target.settled(sent.tokens, error);
    this.#send();
  }

  /** A newcomer has the name. */
  superseded({ handle, epoch }: ConsumerSuperseded): void {
    if (this.#state !== "open" || handle !== this.#handle || epoch !== this.#epoch) return;
    const text = `A newcomer took over the consumer "${this.#init.consumer}"`;
    this.#end("superseded", new LogError("ERR_LOG_SUPERSEDED", text, { topic: this.#init.topic }));
  }

  /** The topic cannot be had. */
  fail(error: LogError): void {
    if (!this.#isFinal) this.#end("failed", error);
  }

  /** Gives the name back, or as soon as it is ours. What was not confirmed is rejected. */
  close(): void {
    if (this.#isFinal) return;
    if (this.#state === "open") this.#target.send({ type: "closeConsumer", handle: this.#handle });
    this.#go("closed");
    this.#reject(new LogError("ERR_LOG_CLOSED", "The consumer is closed", { topic: this.#init.topic }));
  }

  get #isFinal(): boolean {
    return this.#state === "superseded" || this.#state === "failed" || this.#state === "closed";
  }

  #go(input: ConsumerInput): void {
    this.#state = next(CONSUMER_TRANSITIONS, this.#state, input);
  }

  #send(): void {
    const waiting = this.#waiting;
    if (this.#state !== "open" || this.#sent !== undefined || waiting === undefined) return;
    this.#sent = waiting;
    this.#waiting = undefined;
    this.#request = this.#target.nextRequest();
    const { position, generation } = waiting;
    this.#target.send({
      type: "commit",
      request: this.#request,
      handle: this.#handle,
      epoch: this.#epoch,
      position,
      generation,
    });
  }

  #end(input: "superseded" | "failed", error: LogError): void {
    this.#go(input);
    this.#reject(error);
    this.#target.ended(error);
  }

  #reject(error: LogError): void {
    const tokens = [...this.#sent?.tokens ?? [], ...this.#waiting?.tokens ?? []];
    this.#sent = undefined;
    this.#waiting = undefined;
    if (tokens.length > 0) this.#target.settled(tokens, error);
  }
}
