/**
 * A process with sockets in it, told what to do line by line: each request is one line of JSON on its standard input,
 * each answer or event one line on its standard output. Three programs speak it: `libzmq_peer.mjs` (libzmq under
 * Node), `libzmq_peer.py` (libzmq under Python) and `hawser_peer.ts` (hawser on any runtime).
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import process from "node:process";
import type { SocketType } from "../../../src/zmtp/socket_type.ts";
import type { Body } from "./bodies.ts";
import { within } from "./deadline.ts";
import type { Command } from "./runtimes.ts";

/** What a peer can be asked. */
export type PeerRequest =
  | { readonly do: "open"; readonly socket: string; readonly type: SocketType; readonly options: object }
  | { readonly do: "bind" | "connect" | "disconnect"; readonly socket: string; readonly address: string }
  | { readonly do: "send"; readonly socket: string; readonly frames: readonly Body[] }
  /** Answers with the frames of `count` messages, described. */
  | { readonly do: "receive"; readonly socket: string; readonly count: number }
  /** Sends messages 0 to `count`, as fast as it may. Under Node only. */
  | { readonly do: "pour"; readonly socket: string; readonly count: number }
  /** Receives them; answers with the first that is not as it was sent, or -1. Under Node only. */
  | { readonly do: "drain"; readonly socket: string; readonly count: number }
  /** Topics are `prefix` and a number below `count`, or `prefix` alone where `count` is 0. */
  | { readonly do: "subscribe"; readonly socket: string; readonly prefix: string; readonly count: number }
  | { readonly do: "close"; readonly socket: string };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Answer {
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: string;
  readonly event?: string;
  readonly socket?: string;
}

/** See the module. */
export class PeerProcess {
  /** Kinds of events in the order they were reported, each behind its socket's name: `s1 handshake`. */
  readonly events: string[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #ended: Promise<number | null>;
  #error: Error | undefined;
  #lastId = 0;
  #sockets = 0;

  constructor(command: Command) {
    const [program, ...args] = command;
    this.#name = args[args.length - 1] ?? program;
    const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], env });
    createInterface({ input: this.#child.stdout! }).on(
      "line",
      (line) => this.#heard(JSON.parse(line) as Answer),
    );
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", (error) => this.#end(() => resolve(-1), error));
      this.#child.on(
        "exit",
        (code) => this.#end(() => resolve(code), new Error(`${this.#name} ended with ${code}`)),
      );
    });
    // It ends with its standard input at the latest; a test that failed before must not wait for it.
    this.#child.unref();
    for (const stream of [this.#child.stdin, this.#child.stdout]) (stream as { unref?(): void }).unref?.();
  }

  /** A name for a socket that was not used before. */
  nextSocketName(): string {
    return `s${++this.#sockets}`;
  }

  /** Asks, and answers what the program answers. */
  ask(request: PeerRequest): Promise<unknown> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const id = ++this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.stdin!.write(`${JSON.stringify({ ...request, id })}\n`);
    return within(answer, `${this.#name} to ${JSON.stringify(request).slice(0, 200)}`);
  }

  /** Stops the whole process, its I/O threads included, until {@link resume}. */
  pause(): void {
    this.#signal("SIGSTOP");
  }

  resume(): void {
    this.#signal("SIGCONT");
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.#signal("SIGKILL");
    await within(this.#ended, `${this.#name} to be gone`);
  }

  /** Lets it close its sockets and end by itself; answers its exit code. */
  leave(): Promise<number | null> {
    this.#child.stdin!.end();
    return within(this.#ended, `${this.#name} to end`);
  }

  #signal(name: NodeJS.Signals): void {
    // Not the child's own `kill`, which Deno obeys once.
    process.kill(this.#child.pid!, name);
  }

  #heard({ id, value, error, event, socket }: Answer): void {
    if (event !== undefined) {
      this.events.push(`${socket} ${event}`);
      return;
    }
    const waiting = this.#waiting.get(id ?? 0);
    this.#waiting.delete(id ?? 0);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(`${this.#name}: ${error}`));
  }

  #end(resolve: () => void, error: Error): void {
    this.#error ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    resolve();
  }
}
