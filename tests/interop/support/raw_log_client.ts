/**
 * A broker of the log in this process, and a client of it that is a plain DEALER and knows nothing but the protocol.
 *
 * @module
 */

import { assert } from "@std/assert";
import { detectHost } from "../../../adapters/detect.ts";
import { Context, Dealer } from "../../../mod.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { Broker } from "../../../src/log/broker/broker.ts";
import { LinkServer } from "../../../src/log/server/link_server.ts";
import { MemoryStores } from "../../../src/log/store/memory_store.ts";
import { BatchBuilder } from "../../../src/log/wire/batch_builder.ts";
import { decodeMessage, encodeMessage } from "../../../src/log/wire/codec.ts";
import type { Batch, LogMessage } from "../../../src/log/wire/messages.ts";
import { type LogRecord, RecordBatch } from "../../../src/log/wire/record.ts";
import { within } from "./deadline.ts";

/** A broker whose log is in memory, listening on TCP. */
export class RawBroker {
  readonly broker: Broker;
  readonly server: LinkServer;
  endpoint = "";

  constructor() {
    const context = new Context();
    this.broker = new Broker({ host: detectHost(), stores: new MemoryStores() });
    const { accept, endOfBurst } = this.broker;
    this.server = new LinkServer({ context, accept, endOfBurst });
  }

  async listen(): Promise<void> {
    this.endpoint = await this.server.bind("tcp://127.0.0.1:*");
  }

  async close(): Promise<void> {
    await within(new Promise<void>((done) => this.broker.close(done)), "the broker to close");
    await within(this.server.stop(), "the server to stop");
  }
}

/** See the module. */
export class RawLogClient {
  readonly #dealer: Dealer = new Dealer({ linger: 0 });

  constructor(endpoint: string) {
    this.#dealer.connect(endpoint);
  }

  /** Sends frames as they are. */
  async sendFrames(frames: readonly Uint8Array[]): Promise<void> {
    await this.#dealer.send(frames);
  }

  async send(message: LogMessage, ...bodies: Uint8Array[]): Promise<void> {
    await this.sendFrames([...encodeMessage(message, crc32), ...bodies]);
  }

  /** Sends values as one batch. */
  async publish(batch: Pick<Batch, "session" | "epoch" | "batch">, values: readonly string[]): Promise<void> {
    const builder = new BatchBuilder(new Uint8Array(65_536));
    for (const value of values) assert(builder.append(value));
    const body = builder.body();
    const rest = { lastSequence: undefined, bodyBytes: body.length, bodyCrc: crc32(body, 0) };
    await this.send({ type: "batch", ...batch, count: values.length, ...rest }, body);
  }

  /** The next message, which must be of this type, with the bodies of its records. */
  async receive<T extends LogMessage["type"]>(
    type: T,
  ): Promise<Extract<LogMessage, { type: T }> & { readonly bodies: readonly Uint8Array[] }> {
    const frames = await within(this.#dealer.receive(), `a message of the type "${type}"`);
    const message = decodeMessage(frames, crc32);
    assert(!(message instanceof Error), String(message));
    assert(message.type === type, `${JSON.stringify(message, showBigint)} in place of "${type}"`);
    return { ...message as Extract<LogMessage, { type: T }>, bodies: frames.slice(2) };
  }

  /** As {@link receive}, with all records that come. */
  async receiveRecords(): Promise<readonly LogRecord[]> {
    const { entries, bodies } = await this.receive("records");
    return entries.flatMap((entry, index) => {
      const body = bodies[index]!;
      assert(crc32(body, 0) === entry.bodyCrc, "the CRC of a body is the publisher's");
      const batch = RecordBatch.open(body, entry);
      assert(batch instanceof RecordBatch, String(batch));
      return batch.records();
    });
  }

  /** Reads as often as it takes to have so many records, in answers with as many as the broker likes. */
  async readAll(topic: string, from: bigint, count: number): Promise<string[]> {
    const records: LogRecord[] = [];
    while (records.length < count) {
      const next = records[records.length - 1]?.position ?? from - 1n;
      await this.send({ type: "read", request: 3, topic, from: next + 1n, bytesMax: 65_536, waitMs: 60_000 });
      const found = (await this.receiveRecords()).filter(({ position }) => position > next);
      assert(found.length > 0, "an answer without records, though some must come");
      records.push(...found);
    }
    return records.map(textOf);
  }

  /** Says hello, makes a topic, opens a session. Answers where it may go on. */
  async begin(topic: string, session: bigint): Promise<Extract<LogMessage, { type: "sessionOpened" }>> {
    await this.send({ type: "hello", versionMin: 1, versionMax: 1, features: 0 });
    await this.receive("welcome");
    await this.send({ type: "openTopic", request: 1, topic, options: {} });
    await this.receive("topicOpened");
    await this.send({
      type: "openSession",
      request: 2,
      topic,
      publisher: "",
      session,
      epoch: 0,
      acknowledged: 0,
      ack: 1,
      windowBatches: 16,
      windowBytes: 1_048_576,
    });
    return this.receive("sessionOpened");
  }

  /** Acknowledgements until this many batches are committed. */
  async committed(nextBatch: number): Promise<void> {
    while ((await this.receive("ack")).nextBatch < nextBatch);
  }

  close(): void {
    this.#dealer.close();
  }
}

/** A record as text. */
export function textOf({ position, value }: LogRecord): string {
  return `${position} ${new TextDecoder().decode(value)}`;
}

function showBigint(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
