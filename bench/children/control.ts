/**
 * The line protocol between the harness and a measured process, and the meter of a receiving loop.
 *
 * stdin:  `START [warmupMs windowMs]`, `STOP`; its end means exit.
 * stdout: `READY pid endpoint`, `WINDOW`, `RESULT json`, `STOPPED [total]`, `FAILED reason`.
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";

/** What a child was asked to be, from its `name=value` arguments. */
export interface Parameters {
  readonly role: string;
  readonly pattern: string;
  readonly endpoint: string;
  readonly bytes: number;
  readonly api: string;
  readonly highWaterMark: number;
  /** The folder of the certificates; empty if none are needed. */
  readonly certificates: string;
}

/** One measured window. */
export interface Result {
  readonly messages: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly p999Us?: number;
}

const QUIET_MS = 30;

export function readParameters(): Parameters {
  const values = new Map<string, string>();
  for (const argument of process.argv.slice(2)) {
    const equals = argument.indexOf("=");
    values.set(argument.slice(0, equals), argument.slice(equals + 1));
  }
  return {
    role: values.get("role") ?? "receive",
    pattern: values.get("pattern") ?? "push-pull",
    endpoint: values.get("endpoint") ?? "tcp://127.0.0.1:0",
    bytes: Number(values.get("bytes") ?? 64),
    api: values.get("api") ?? "sync",
    highWaterMark: Number(values.get("hwm") ?? 1000),
    certificates: values.get("certificates") ?? "",
  };
}

/** Synchronous, so that a line leaves at once even from a loop that never yields. */
export function say(line: string): void {
  writeSync(1, line + "\n");
}

export function sayReady(endpoint = ""): void {
  say(`READY ${process.pid} ${endpoint}`);
}

/** Reports to the harness and ends the process: a broken child must never look like a slow one. */
export function fail(cause: unknown): never {
  const reason = cause instanceof Error ? cause.stack ?? cause.message : String(cause);
  say("FAILED " + reason.split("\n").slice(0, 3).map((line) => line.trim()).join(" | "));
  process.exit(1);
}

/** Follows the harness. A missing stop handler means that there is nothing to stop. */
export function follow(
  handlers: { start(warmupMs: number, windowMs: number): void; stop?(): void },
): void {
  let rest = "";
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  process.stdin.setEncoding("utf8");
  process.stdin.on("end", () => process.exit(0));
  process.stdin.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [command, warmupMs, windowMs] = line.split(" ");
      if (command === "START") handlers.start(Number(warmupMs), Number(windowMs));
      else if (command === "STOP") handlers.stop === undefined ? say("STOPPED") : handlers.stop();
    }
  });
}

/** Ends the current turn of the event loop, so that stdin, timers and sockets get theirs. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/**
 * Measures a receiving loop from its running totals. The loop calls `check` whenever it has taken what there was;
 * the window opens and closes at such a call and its true length is what is divided by.
 */
export class Meter {
  messages = 0;
  #phase: "idle" | "armed" | "warming" | "measuring" = "idle";
  #deadlineMs = 0;
  #warmupMs = 0;
  #windowMs = 0;
  #beganMs = 0;
  #beganMessages = 0;
  #beganBytes = 0;

  /** The warm-up starts with the first message from now on. */
  start(warmupMs: number, windowMs: number): void {
    this.#warmupMs = warmupMs;
    this.#windowMs = windowMs;
    this.#beganMessages = this.messages;
    this.#phase = "armed";
  }

  /** Takes the totals since the process began. */
  check(messages: number, bytes: number): void {
    this.messages = messages;
    if (this.#phase === "idle") return;
    const nowMs = performance.now();
    if (this.#phase === "armed") {
      if (messages === this.#beganMessages) return;
      this.#phase = "warming";
      this.#deadlineMs = nowMs + this.#warmupMs;
    } else if (nowMs >= this.#deadlineMs) {
      if (this.#phase === "warming") this.#open(messages, bytes, nowMs);
      else this.#close(messages, bytes, nowMs);
    }
  }

  /** Says STOPPED once nothing more arrives: a backlog must not run on into another's sample. */
  stop(): void {
    let last = -1;
    const timer = setInterval(() => {
      if (this.messages !== last) {
        last = this.messages;
        return;
      }
      clearInterval(timer);
      say("STOPPED");
    }, QUIET_MS);
  }

  #open(messages: number, bytes: number, nowMs: number): void {
    this.#phase = "measuring";
    this.#beganMessages = messages;
    this.#beganBytes = bytes;
    this.#beganMs = nowMs;
    this.#deadlineMs = nowMs + this.#windowMs;
    say("WINDOW");
  }

  #close(messages: number, bytes: number, nowMs: number): void {
    this.#phase = "idle";
    sayResult({
      messages: messages - this.#beganMessages,
      bytes: bytes - this.#beganBytes,
      seconds: (nowMs - this.#beganMs) / 1000,
    });
  }
}

/** Times round trips, one in flight. Answers for each whether to go on. */
export class RoundTrips {
  readonly #samplesUs: number[] = [];
  readonly #windowMs: number;
  readonly #bytes: number;
  readonly #warmUntilMs: number;
  #beganMs = 0;

  constructor(warmupMs: number, windowMs: number, bytes: number) {
    this.#windowMs = windowMs;
    this.#bytes = bytes;
    this.#warmUntilMs = performance.now() + warmupMs;
  }

  add(sentMs: number, receivedMs: number): boolean {
    if (this.#beganMs === 0) {
      if (receivedMs >= this.#warmUntilMs) {
        say("WINDOW");
        this.#beganMs = performance.now();
      }
      return true;
    }
    this.#samplesUs.push((receivedMs - sentMs) * 1000);
    if (receivedMs - this.#beganMs < this.#windowMs) return true;
    this.#report((receivedMs - this.#beganMs) / 1000);
    return false;
  }

  #report(seconds: number): void {
    const sorted = Float64Array.from(this.#samplesUs).sort();
    const messages = sorted.length;
    sayResult({
      messages,
      bytes: messages * this.#bytes,
      seconds,
      p50Us: sorted[Math.floor(messages / 2)] ?? 0,
      p99Us: sorted[Math.floor(messages * 0.99)] ?? 0,
      p999Us: sorted[Math.floor(messages * 0.999)] ?? 0,
    });
  }
}

function sayResult(result: Result): void {
  say("RESULT " + JSON.stringify(result));
}

/** How many messages may pass between two looks at the clock: about a megabyte of them. */
export function messagesPerCheck(bytes: number): number {
  return Math.min(1024, Math.max(1, Math.floor(1048576 / bytes)));
}
