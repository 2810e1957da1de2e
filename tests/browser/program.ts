/**
 * What runs in a page or a worker: scenes that a test starts by name, and whose results are plain values. It is
 * bundled from the package, as a user's program would be.
 *
 * @module
 */

import { Request, Subscriber } from "hawser";
import { connectLog, publishing } from "hawser/log";

const decoder = new TextDecoder();
const text = (frame: Uint8Array | undefined): string => decoder.decode(frame);

/** A subscriber that stays from one scene to the next. */
let kept: Subscriber | undefined;

const scenes = {
  /** One reply. */
  async request(endpoint: string, question: string): Promise<string> {
    const request = new Request();
    request.connect(endpoint);
    const [reply] = await request.request(question, { timeoutMs: 10_000 });
    request.close();
    return text(reply);
  },

  /** Subscribes, and returns the first messages that come. */
  async subscribe(endpoint: string, topic: string, count: number): Promise<string[]> {
    kept = new Subscriber({ reconnectInterval: 10 });
    kept.subscribe(topic);
    kept.connect(endpoint);
    return await scenes.more(count);
  },

  /** The next messages of the subscriber of before. */
  async more(count: number): Promise<string[]> {
    const messages: string[] = [];
    while (messages.length < count) messages.push(text((await kept!.receive({ timeoutMs: 10_000 }))[0]));
    return messages;
  },

  /** Records of a topic, from the first one. */
  async log(endpoint: string, topic: string, count: number): Promise<string[]> {
    const log = await connectLog(endpoint);
    const values: string[] = [];
    for await (const { position, value } of log.subscribe(topic, { from: "earliest" })) {
      values.push(`${position} ${text(value)}`);
      if (values.length === count) break;
    }
    await log.close();
    return values;
  },

  /** Publishes in a topic, and returns the positions. */
  async publish(endpoint: string, topic: string, values: readonly string[]): Promise<string[]> {
    const log = await connectLog(endpoint, { features: { publishing } });
    const publisher = log.publisher(topic);
    const published = await Promise.all(values.map((value) => publisher.publish(value)));
    await log.close();
    return published.map(({ position }) => String(position));
  },

  /** What a log says that was not given publishers. */
  async withoutPublishing(endpoint: string): Promise<string> {
    const log = await connectLog(endpoint);
    try {
      log.publisher("orders");
      return "";
    } catch (error) {
      return String(error);
    } finally {
      await log.close();
    }
  },

  /** Reads a flood for a while, and tells how a timer of the page fared meanwhile. */
  async flood(endpoint: string, messages: number): Promise<{
    readonly received: number;
    readonly ordered: boolean;
    readonly losses: number;
    readonly ticks: number;
    readonly longestGapMs: number;
  }> {
    const subscriber = new Subscriber();
    let losses = 0;
    subscriber.events.on("disconnect", () => losses++);
    subscriber.subscribe();
    let [ticks, longestGapMs, lastMs] = [0, 0, performance.now()];
    const timer = setInterval(() => {
      const nowMs = performance.now();
      longestGapMs = Math.max(longestGapMs, nowMs - lastMs);
      lastMs = nowMs;
      ticks++;
    }, 10);
    subscriber.connect(endpoint);
    let [received, last, ordered] = [0, -1, true];
    while (received < messages) {
      const [frame] = await subscriber.receive({ timeoutMs: 10_000 });
      const number = new DataView(frame!.buffer, frame!.byteOffset).getUint32(0);
      if (number <= last) ordered = false;
      last = number;
      received++;
    }
    clearInterval(timer);
    subscriber.close();
    return { received, ordered, losses, ticks, longestGapMs };
  },

  /** Why an endpoint cannot be reached, as the first event says it. */
  failure(endpoint: string): Promise<string> {
    const subscriber = new Subscriber({ reconnectInterval: -1 });
    return new Promise((resolve) => {
      subscriber.events.on(
        "connect:delay",
        ({ error }) => resolve(`${(error as { code?: string }).code} ${error}`),
      );
      subscriber.connect(endpoint);
    });
  },

  /** Milliseconds until a subscriber that waits long to reconnect is back, when the page goes online. */
  async wake(endpoint: string): Promise<number> {
    const subscriber = new Subscriber({ reconnectInterval: 60_000 });
    const retrying = new Promise((resolve) => subscriber.events.on("connect:retry", resolve));
    const back = new Promise((resolve) => subscriber.events.on("handshake", resolve));
    subscriber.connect(endpoint);
    await retrying;
    await (globalThis as unknown as { readonly serverIsUp: () => Promise<void> }).serverIsUp();
    const startMs = performance.now();
    globals.dispatchEvent(new Event("online"));
    await back;
    subscriber.close();
    return performance.now() - startMs;
  },
} as const;

type Scene = (...args: unknown[]) => Promise<unknown>;

/** Runs a scene by its name. */
async function run([name, ...args]: readonly [keyof typeof scenes, ...unknown[]]): Promise<unknown> {
  return await (scenes[name] as unknown as Scene)(...args);
}

interface WorkerGlobals {
  dispatchEvent(event: Event): boolean;
  readonly document?: unknown;
  onmessage: ((event: { readonly data: readonly [keyof typeof scenes, ...unknown[]] }) => void) | null;
  postMessage(value: unknown): void;
  run: typeof run;
}

const globals = globalThis as unknown as WorkerGlobals;
globals.run = run;
// In a worker scenes come as messages.
if (globals.document === undefined) {
  globals.onmessage = ({ data }) => {
    run(data).then(
      (result) => globals.postMessage({ result }),
      (error) => globals.postMessage({ error: String(error) }),
    );
  };
}
