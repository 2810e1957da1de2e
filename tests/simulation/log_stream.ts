/**
 * Streams of records into a simulated log: each is what one publisher has to say, over any number of programs of its name.
 *
 * @module
 */

import { decodeUtf8, encodeUtf8 } from "../../src/bytes/utf8.ts";
import type { Ack } from "../../src/log/topic_options.ts";
import type { PublisherSetup, SimulatedClient, SimulatedPublisher, Submission } from "./log_client.ts";
import type { LogWorld } from "./log_world.ts";

/** What a stream is. */
export interface StreamInit extends PublisherSetup {
  readonly topic: string;
  readonly records: number;
  /** Bytes of a value: at least `valueBytesMin`, default 0, and up to `valueBytesMax` more. */
  readonly valueBytesMin?: number;
  readonly valueBytesMax?: number;
  /** Between two bursts of records; 0: as fast as they are taken. */
  readonly paceMs?: number;
  /** Records in a burst, at most. */
  readonly burst?: number;
  /** The publisher is closed behind the last record. Default: yes. */
  readonly closes?: boolean;
}

/** Whose record this is, and which. */
export function labelOf(value: Uint8Array): { readonly label: string; readonly index: number } {
  const end = value.indexOf(0x3b);
  const [label, index] = decodeUtf8(value.subarray(0, end < 0 ? 0 : end)).split(":");
  return { label: label!, index: Number(index) };
}

/** See the module. */
export class Stream {
  readonly world: LogWorld;
  readonly label: string;
  readonly init: StreamInit;
  /** What there is to be said. */
  readonly values: Uint8Array[] = [];
  /** Indices of what was submitted, by any program. */
  readonly submitted: Set<number> = new Set();
  /** One after the other. The last one lives. */
  readonly programs: SimulatedPublisher[] = [];
  readonly #closes: boolean;
  readonly #indices: Map<Submission, number> = new Map();
  #next = 0;
  /** The program knows where to begin. */
  #placed = false;

  constructor(world: LogWorld, client: SimulatedClient, label: string, init: StreamInit) {
    this.world = world;
    this.label = label;
    this.init = init;
    this.#closes = init.closes ?? true;
    const { random } = world;
    const { records, valueBytesMin = 0, valueBytesMax = 120 } = init;
    for (let index = 0; index < records; index++) {
      const head = encodeUtf8(`${label}:${index};`);
      const value = random.bytes(head.length + valueBytesMin + random.size(valueBytesMax));
      value.set(head);
      this.values.push(value);
    }
    world.explainers.push(() => this.toString());
    this.begin(client);
  }

  get publisher(): SimulatedPublisher {
    return this.programs.at(-1)!;
  }

  /** The least durable acknowledgement that it was given. */
  get level(): Ack {
    return this.publisher.session.level;
  }

  /** Everything was said, and answered; and the publisher is closed, if it is to be. */
  get done(): boolean {
    const { pending, session } = this.publisher;
    return this.#placed && this.#next >= this.values.length && pending === 0 &&
      (!this.#closes || session.state === "closed");
  }

  indexOf(submission: Submission): number {
    return this.#indices.get(submission)!;
  }

  /** A program begins, or one of the same name begins anew: where the log says that the last one ended. */
  begin(client: SimulatedClient): void {
    this.programs.push(client.publisher(this.init.topic, this.init));
    this.#placed = this.init.name === undefined;
    if (!this.#placed) this.#next = 0;
    this.#later(this.publisher);
  }

  toString(): string {
    const { session } = this.publisher;
    const { state, epoch, settledThrough } = session;
    return `${this.label}: ${state}, epoch ${epoch}, ${settledThrough} of ${this.#next} of ${this.values.length} ` +
      `answered, ${this.publisher.complaints.join(", ")} ${
        this.publisher.events.map(({ type }) => type).join(" ")
      }`;
  }

  #later(publisher: SimulatedPublisher): void {
    const { around } = publisher.client.world;
    const { paceMs = 4 } = this.init;
    around.later(this.world.random.upTo(paceMs) + 0.01, () => {
      if (publisher !== this.publisher) return;
      const { error } = publisher.session;
      // An older program came back later than its newcomer: somebody starts that one again.
      if (error?.code === "ERR_LOG_SUPERSEDED") return this.begin(this.world.client());
      if (error !== undefined) return;
      this.#burst();
      const more = !this.#placed || this.#next < this.values.length;
      if (!more && this.#closes) publisher.close();
      if (more || this.init.name !== undefined) this.#later(publisher);
    });
  }

  #burst(): void {
    const { burst = 6 } = this.init;
    const { session } = this.publisher;
    if (!this.#placed && session.everOpened) {
      this.#placed = true;
      const { lastSequence } = session;
      this.#next = lastSequence === undefined ? 0 : Number(lastSequence) + 1;
    }
    if (!this.#placed) return;
    for (let count = this.world.random.size(burst); count > 0 && this.#next < this.values.length; count--) {
      const sequence = this.init.name === undefined ? undefined : BigInt(this.#next);
      if (!this.publisher.publish(this.values[this.#next]!, sequence)) return;
      this.#indices.set(this.publisher.submitted.at(-1)!, this.#next);
      this.submitted.add(this.#next++);
    }
  }
}
