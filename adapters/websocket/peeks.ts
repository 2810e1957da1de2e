/**
 * Streams of a listener that several sockets share by path: each is looked at until the first line of its
 * request has arrived, and then handed to the socket that is meant, with all that was read.
 *
 * They are not yet any socket's, so their number and their time are bounded here.
 *
 * @module
 */

import { PeerError } from "../../src/errors.ts";
import type { Attach, Dial, Host, Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";
import { HalfOpen, hostOf } from "../../src/session/half_open.ts";
import { HeadReader, REQUEST_SINGLES } from "../../src/websocket/upgrade/http_head.ts";
import { parseRequestLine, pathOf, withoutQuery } from "../../src/websocket/upgrade/policy.ts";

/** Streams of one listener that may be looked at. At the limit, the oldest of the busiest host goes. */
const PEEKS_MAX = 1_000;

/** What becomes of a stream. */
export interface PeekEvents {
  /**
   * The request is for this path; `undefined`: it is malformed, or there is none. `raw` is the stream from
   * its beginning, which is dialled now or not at all: then it is aborted.
   */
  found(path: string | undefined, raw: Dial): void;
  /** The stream was given up. */
  failed(error: PeerError): void;
}

/** The streams of one listener. */
export class Peeks {
  readonly #host: Host;
  readonly #endpoint: string;
  readonly #events: PeekEvents;
  readonly #timeoutMs: number;
  readonly #open: HalfOpen<PeekedStream> = new HalfOpen();

  /** `timeoutMs`: what a stream may take; 0: as long as it likes. */
  constructor(endpoint: string, timeoutMs: number, events: PeekEvents, host: Host) {
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
    this.#host = host;
  }

  /** Takes a stream that a client opened. */
  take(attach: Attach): void {
    if (this.#open.size >= PEEKS_MAX) {
      this.#giveUp(
        this.#open.worst!,
        new PeerError(
          "ERR_PEER_HANDSHAKES",
          `Gave up a request at ${this.#endpoint}: the limit of ${PEEKS_MAX} unfinished ones was reached`,
        ),
      );
    }
    const stream: PeekedStream = new PeekedStream(attach, this.#host, {
      opened: ({ remoteAddress }) => this.#open.add(stream, hostOf(remoteAddress)),
      found: (path) => {
        this.#forget(stream);
        this.#events.found(path, stream.dial);
        if (!stream.taken) stream.abort();
      },
      lost: () => this.#forget(stream),
    });
    this.#open.add(stream, "");
    if (this.#timeoutMs > 0) {
      stream.cancelTimeout = this.#host.schedule(this.#timeoutMs, () =>
        this.#giveUp(
          stream,
          new PeerError(
            "ERR_PEER_HANDSHAKE_TIMEOUT",
            `No request at ${this.#endpoint} within ${this.#timeoutMs} ms`,
          ),
        ), false);
    }
  }

  /** Ends all of them. */
  close(): void {
    for (let stream = this.#open.worst; stream !== undefined; stream = this.#open.worst) {
      this.#forget(stream);
      stream.abort();
    }
  }

  #giveUp(stream: PeekedStream, error: PeerError): void {
    this.#forget(stream);
    stream.abort();
    this.#events.failed(error);
  }

  #forget(stream: PeekedStream): void {
    stream.cancelTimeout();
    this.#open.delete(stream);
  }
}

interface StreamEvents {
  opened(info: TransportInfo): void;
  found(path: string | undefined): void;
  lost(): void;
}

/** One stream: it keeps what arrives until somebody takes it, and then steps aside. */
class PeekedStream implements TransportHandlers {
  cancelTimeout: () => void = () => {};
  readonly #host: Host;
  readonly #events: StreamEvents;
  readonly #raw: Transport;
  readonly #reader: HeadReader = new HeadReader(REQUEST_SINGLES);
  #info: TransportInfo | undefined;
  #chunks: Uint8Array[] = [];
  #ended = false;
  #found = false;
  /** Who took it, and whether it was told all that there was before. */
  #target: TransportHandlers | undefined;
  #caughtUp = false;
  #closed: { readonly cause: unknown } | undefined;

  constructor(attach: Attach, host: Host, events: StreamEvents) {
    this.#host = host;
    this.#events = events;
    this.#raw = attach(this);
    // The sockets of the listener keep the process alive, as long as there are any.
    this.#raw.setReferenced?.(false);
  }

  get taken(): boolean {
    return this.#target !== undefined;
  }

  /** Hands the stream over. What is known of it follows at the end of the callback. */
  readonly dial: Dial = (handlers) => {
    this.#target = handlers;
    this.#host.microtask(() => this.#catchUp(handlers));
    return this.#raw;
  };

  abort(): void {
    this.#chunks = [];
    this.#raw.close("abort");
  }

  open(info: TransportInfo): void {
    this.#info = info;
    this.#events.opened(info);
  }

  data(chunk: Uint8Array): void {
    if (this.#caughtUp) return this.#target!.data(chunk);
    this.#chunks.push(chunk);
    if (this.#found) return;
    const reader = this.#reader;
    reader.receive(chunk);
    if (reader.failure !== undefined) return this.#find(undefined);
    if (reader.hasLine) this.#find(pathIn(reader.line));
  }

  bodyMemory(): Uint8Array | undefined {
    return this.#caughtUp ? this.#target!.bodyMemory?.() : undefined;
  }

  drain(): void {
    this.#target?.drain();
  }

  end(): void {
    if (this.#caughtUp) return this.#target!.end();
    this.#ended = true;
    // The socket tells it.
    if (!this.#found) this.#find(undefined);
  }

  close(cause?: unknown): void {
    if (this.#caughtUp) return this.#target!.close(cause);
    this.#closed = { cause };
    if (!this.#found) this.#events.lost();
  }

  #find(path: string | undefined): void {
    this.#found = true;
    this.#events.found(path);
  }

  #catchUp(target: TransportHandlers): void {
    if (this.#closed === undefined && this.#info !== undefined) {
      target.open(this.#info);
      // More may arrive meanwhile, from inside of a call of the target's.
      for (const chunk of this.#chunks) target.data(chunk);
      if (this.#ended) target.end();
    }
    this.#chunks = [];
    this.#caughtUp = true;
    if (this.#closed !== undefined) target.close(this.#closed.cause);
  }
}

function pathIn(line: string): string | undefined {
  const parsed = parseRequestLine(line);
  const path = "status" in parsed ? undefined : pathOf(parsed.target);
  return path === undefined ? undefined : withoutQuery(path);
}
