/**
 * Questions that are asked once: about topics, the broker's state, and what may be removed. They are asked again over a new
 * link, which changes nothing.
 *
 * @module
 */

import type { Host } from "../../ports.ts";
import type { TopicInput } from "../configuration/topic.ts";
import { LogError } from "../errors.ts";
import type {
  BrokerMessage,
  ClientMessage,
  Done,
  OpenTopic,
  StatusReport,
  TopicOpened,
} from "../wire/messages.ts";
import { type Connection, type LinkUser, refusalOf } from "./connection.ts";
import { type Holds, type LogWaiter, type LogWaitOptions, refusedWait, Waits } from "./waits.ts";

/** Asks with the number of the request. */
type Question = (request: number) => ClientMessage;

/** See the module. */
export class TopicRequests implements LinkUser {
  readonly #host: Host;
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #waits: Waits<Question, BrokerMessage>;
  /** No more questions. */
  #error: LogError | undefined;

  /** `timeoutMs`: within which each is answered. */
  constructor(host: Host, connection: Connection, holds: Holds, timeoutMs: number) {
    this.#host = host;
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#waits = new Waits(holds);
    connection.add(connection.askers, this);
  }

  openTopic(topic: string, options: TopicInput, wait: LogWaitOptions): Promise<TopicOpened> {
    return this.#ask("topicOpened", topic, wait, (request) => ({
      type: "openTopic",
      request,
      topic,
      options: options as OpenTopic["options"],
    }));
  }

  trim(topic: string, before: bigint, wait: LogWaitOptions): Promise<Done> {
    return this.#ask("done", topic, wait, (request) => ({ type: "trim", request, topic, before }));
  }

  status(wait: LogWaitOptions): Promise<StatusReport> {
    return this.#ask("statusReport", undefined, wait, (request) => ({ type: "status", request }));
  }

  /** Nothing is answered any more. */
  fail(error: LogError): void {
    this.#error = error;
    this.#connection.askers.delete(this);
    this.#waits.rejectAll(error);
  }

  linked(): void {
    for (const waiter of this.#waits) this.#send(waiter);
  }

  unlinked(): void {}

  async #ask<Type extends BrokerMessage["type"]>(
    type: Type,
    topic: string | undefined,
    wait: LogWaitOptions,
    question: Question,
  ): Promise<Extract<BrokerMessage, { type: Type }>> {
    const refused = refusedWait(wait);
    if (refused !== undefined) throw refused;
    if (this.#error !== undefined) throw this.#error;
    let asked: LogWaiter<Question, BrokerMessage> | undefined;
    const answer = this.#waits.wait(question, wait, (waiter) => {
      asked = waiter;
      if (this.#connection.broker !== undefined) this.#send(waiter);
    });
    const cancel = this.#host.schedule(this.#timeoutMs, () => {
      const text = `The broker did not answer within ${this.#timeoutMs} ms`;
      asked?.reject(new LogError("ERR_LOG_TIMEOUT", text, { topic }));
    }, false);
    try {
      const message = await answer;
      if (message.type === type) return message as Extract<BrokerMessage, { type: Type }>;
      throw refusalOf(message, topic);
    } finally {
      cancel();
    }
  }

  #send(waiter: LogWaiter<Question, BrokerMessage>): void {
    const request = this.#connection.nextRequest((message) => {
      // A broker that closes ends its links; the next one is asked again.
      if (message.type === "refused" && message.error.code === "ERR_LOG_CLOSED") return;
      waiter.resolve(message);
    });
    this.#connection.send(waiter.task(request));
  }
}
