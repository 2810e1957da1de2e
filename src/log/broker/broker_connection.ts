/**
 * One link of a broker: understands what its client asks, and answers.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import { DISCARDED } from "../../zmtp/frame_sink.ts";
import { LogError } from "../errors.ts";
import type { IngestEvents, IngestTarget, IngestTargets } from "../ingest/ingest_types.ts";
import type { Ingest } from "../ingest/ingest.ts";
import { type IngestRefusal, REFUSAL_CODES } from "../ingest/states.ts";
import type { FrameLink, InputControl, LinkEvents } from "../link.ts";
import { decodeMessage, isClientMessage, WireError } from "../wire/codec.ts";
import { WIRE_VERSION } from "../wire/layout.ts";
import type {
  Batch,
  BrokerMessage,
  ClientMessage,
  Commit,
  Hello,
  OpenConsumer,
  OpenTopic,
  Read,
  Records,
} from "../wire/messages.ts";
import { ConnectionFeeds } from "./connection_feeds.ts";
import { Outbox } from "./outbox.ts";
import { refusal } from "./refusal.ts";
import type { Topic } from "./topic.ts";
import type { ReaderClient } from "./topic_readers.ts";
import type { SessionClient } from "./topic_sessions.ts";

/** What a connection needs of its broker. */
export interface ConnectionBroker {
  readonly nowMs: number;
  /** Nothing is taken any more; links end soon. */
  readonly closed: boolean;
  readonly crc32: Crc32;
  readonly brokerId: number;
  readonly logId: bigint;
  readonly batchBytesMax: number;
  makeIngest(
    events: IngestEvents,
    targets: IngestTargets,
    input: InputControl | undefined,
    local: boolean,
  ): Ingest;
  /** Opens a topic, and makes it where that is asked for and allowed. */
  openTopic(name: string, message: OpenTopic, done: TopicDone): void;
  /** A topic that is there; `wait`: as soon as somebody makes it. The answer cancels. */
  findTopic(name: string, wait: boolean, done: TopicDone): () => void;
  report(): unknown;
  gone(connection: BrokerConnection): void;
}

export type TopicDone = (topic: Topic | LogError) => void;

/** See the module. */
export class BrokerConnection
  implements LinkEvents, SessionClient, ReaderClient, IngestTargets, IngestEvents {
  readonly local: boolean;
  readonly ingest: Ingest;
  readonly peer: string;
  readonly #broker: ConnectionBroker;
  readonly #link: FrameLink;
  readonly #outbox: Outbox;
  readonly #sessions: Map<bigint, Topic> = new Map();
  readonly #feeds: ConnectionFeeds;
  readonly #consumers: Map<number, Topic> = new Map();
  readonly #topics: Set<Topic> = new Set();
  #greeted = false;
  #lastHandle = 0;
  #closed = false;

  constructor(broker: ConnectionBroker, link: FrameLink, input: InputControl | undefined, peer: string) {
    this.#broker = broker;
    this.#link = link;
    this.peer = peer;
    this.local = link.local;
    this.#outbox = new Outbox(link, broker.crc32, () => this.#end("It does not read its answers"));
    this.#feeds = new ConnectionFeeds({
      local: link.local,
      outbox: this.#outbox,
      find: (topic, done) => broker.findTopic(topic, true, done),
      used: (topic) => this.#topics.add(topic),
      tell: (message) => this.tell(message),
    });
    this.ingest = broker.makeIngest(this, this, input, link.local);
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  get feeds(): number {
    return this.#feeds.size;
  }

  // What the link tells.

  message(frames: Uint8Array[]): void {
    if (this.#closed || this.#broker.closed || this.ingest.messageArrived(frames)) return;
    const message = decodeMessage(frames, this.#broker.crc32);
    if (message instanceof WireError) return this.#malformed(message, frames);
    if (message.type === "unknown" || !isClientMessage(message)) {
      const unknownType = message.type === "unknown" ? message.unknownType : frames[0]![1]!;
      const request = "request" in message ? message.request : 0;
      return this.tell({ type: "unsupported", request, unknownType });
    }
    this.#handle(message);
  }

  writable(): void {
    if (this.#closed) return;
    this.#outbox.flush();
    this.#feeds.pump();
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox.clear();
    this.ingest.closed();
    this.#feeds.close();
    const { nowMs } = this.#broker;
    for (const topic of this.#topics) {
      topic.readers.forget(this);
      topic.sessions.forget(this);
    }
    for (const [session, topic] of [...this.#sessions]) topic.sessions.disconnected(session, this, nowMs);
    this.#broker.gone(this);
  }

  // What topics tell.

  tell(message: BrokerMessage): void {
    if (this.#closed) return;
    // A session's last acknowledgements come before its end.
    if (message.type === "fenced") this.#outbox.ackNow(message.session);
    this.#outbox.tell(message);
  }

  tellRecords(records: Records, bodies: readonly Uint8Array[]): void {
    if (!this.#closed) this.#outbox.tellRecords(records, bodies);
  }

  ackReady(topic: Topic, session: bigint): void {
    if (!this.#closed) this.#outbox.ackReady(topic, session);
  }

  sessionIs(topic: Topic, session: bigint, here: boolean): void {
    const older = this.#sessions.get(session);
    if (!here) {
      if (older !== topic) return;
      this.#sessions.delete(session);
      // What there is to be told of it is told to the link that has it.
      this.#outbox.forgetAck(session);
      return;
    }
    // Ids are a topic's own, and nobody with good intent uses one twice.
    if (older !== undefined && older !== topic) {
      older.sessions.disconnected(session, this, this.#broker.nowMs);
    }
    this.#sessions.set(session, topic);
  }

  // What ingest asks and tells.

  find(session: bigint): IngestTarget | undefined {
    return this.#sessions.get(session)?.ingest;
  }

  refused({ session, epoch, batch }: Batch, why: IngestRefusal): void {
    const code = REFUSAL_CODES[why];
    // A duplicate is answered with what is committed: its session is marked for that.
    if (code === undefined) return;
    const message = `Batch ${batch} of session ${session} was not taken: ${why}`;
    this.tell({ type: "refused", request: 0, session, epoch, batch, error: { code, message } });
  }

  failed(error: LogError): void {
    this.#end(error.message);
  }

  /** The topic is closed or reopened: whoever uses it must begin anew, and does when the link is. */
  uses(topic: Topic): boolean {
    return this.#topics.has(topic);
  }

  end(reason: string): void {
    this.#end(reason);
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#link.close(new LogError("ERR_LOG_DISCONNECTED", reason));
    this.closed();
  }

  #malformed(error: WireError, frames: readonly Uint8Array[]): void {
    const why = frames.includes(DISCARDED) ? `${error.message} (its body was too large)` : error.message;
    this.tell(refusal(error.request, error.code, why));
  }

  #handle(message: ClientMessage): void {
    switch (message.type) {
      case "hello":
        return this.#hello(message);
      case "read":
        return this.#read(message);
      case "status":
        return this.tell({
          type: "statusReport",
          request: message.request,
          report: this.#broker.report(),
        });
      case "batch":
      case "unsupported":
        return;
    }
    if (!this.#greeted) {
      const request = "request" in message ? message.request : 0;
      return this.tell(
        refusal(request, "ERR_LOG_UNSUPPORTED", "Say hello first, so that both know the version"),
      );
    }
    this.#handleGreeted(message);
  }

  #handleGreeted(message: ClientMessage): void {
    switch (message.type) {
      case "openTopic":
        return this.#broker.openTopic(
          message.topic,
          message,
          (topic) => this.#opened(message.request, topic),
        );
      case "openSession":
        return this.#withTopic(
          message,
          (topic) => topic.sessions.open(message, this, this.#broker.nowMs),
        );
      case "yield":
        return this.#sessions.get(message.session)?.sessions.yielded(message, this);
      case "closeSession":
        return this.#sessions.get(message.session)?.sessions.close(message, this, this.#broker.nowMs);
      case "subscribe":
        return this.#feeds.subscribe(message);
      case "credit":
        return this.#feeds.credit(message);
      case "unsubscribe":
        return this.#feeds.unsubscribe(message.cursor);
      case "openConsumer":
        return this.#openConsumer(message);
      case "commit":
        return this.#commit(message);
      case "closeConsumer":
        this.#consumers.get(message.handle)?.readers.closeConsumer(message.handle, this);
        this.#consumers.delete(message.handle);
        return;
      case "trim":
        return this.#withTopic(
          message,
          (topic) =>
            topic.trim(
              message.before,
              (position) => this.tell({ type: "done", request: message.request, position }),
            ),
        );
    }
  }

  #hello({ versionMin, versionMax }: Hello): void {
    if (versionMin > WIRE_VERSION || versionMax < WIRE_VERSION) {
      const text = `This broker speaks version ${WIRE_VERSION}, the client ${versionMin} to ${versionMax}`;
      return this.tell(refusal(0, "ERR_LOG_UNSUPPORTED", text));
    }
    this.#greeted = true;
    const { brokerId, logId, batchBytesMax } = this.#broker;
    this.tell({ type: "welcome", version: WIRE_VERSION, features: 0, brokerId, logId, batchBytesMax });
  }

  #opened(request: number, topic: Topic | LogError): void {
    if (topic instanceof LogError) return this.tell(refusal(request, topic.code, topic.message));
    this.#topics.add(topic);
    this.tell({
      type: "topicOpened",
      request,
      topic: topic.name,
      options: topic.options,
      durability: topic.store.durability,
      generation: topic.generation,
      earliest: topic.earliest,
      tail: topic.visibleTail,
    });
  }

  /** For requests about a topic that must be there. */
  #withTopic(
    message: { readonly request: number; readonly topic: string },
    run: (topic: Topic) => void,
  ): void {
    this.#broker.findTopic(message.topic, false, (topic) => {
      if (this.#closed) return;
      if (topic instanceof LogError) return this.tell(refusal(message.request, topic.code, topic.message));
      this.#topics.add(topic);
      run(topic);
    });
  }

  #read(message: Read): void {
    this.#withTopic(message, (topic) => topic.readers.read(message, this, this.#broker.nowMs));
  }

  #commit(message: Commit): void {
    const topic = this.#consumers.get(message.handle);
    if (topic !== undefined) return topic.readers.commit(message, this);
    const text = "This link has no consumer with such a handle";
    this.tell(refusal(message.request, "ERR_LOG_SUPERSEDED", text));
  }

  #openConsumer(message: OpenConsumer): void {
    this.#withTopic(message, (topic) => {
      const handle = ++this.#lastHandle;
      this.#consumers.set(handle, topic);
      topic.readers.openConsumer(message, handle, this);
    });
  }
}
