/**
 * A simulated connection: two ends, two directions, and the ways in which it can break.
 *
 * @module
 */

import type { Dial, TransportInfo } from "../../src/ports.ts";
import type { EventLoop } from "./event_loop.ts";
import { Lane } from "./lane.ts";
import type { LaneHooks } from "./lane.ts";
import { LinkEnd } from "./link_end.ts";
import type { LinkEndHost } from "./link_end.ts";
import type { Random } from "./random.ts";
import type { LinkOptions } from "./world_options.ts";

/** What a link needs of the world. */
export interface LinkInit {
  readonly id: number;
  readonly loop: EventLoop;
  readonly random: Random;
  readonly options: LinkOptions;
  readonly violate: (message: string) => never;
  /** An end got its handlers. Without this, an end opens by itself. */
  readonly attached?: (link: Link, end: LinkEnd) => void;
}

export class Link {
  readonly id: number;
  readonly client: LinkEnd;
  readonly server: LinkEnd;
  /** The direction from the client. */
  readonly toServer: Lane;
  /** The direction from the server. */
  readonly toClient: Lane;
  /** The ends as the code under test takes them. Each may be dialled once. */
  readonly dialClient: Dial;
  readonly dialServer: Dial;
  readonly #init: LinkInit;
  #options: LinkOptions;
  #broken = false;
  #begun = false;

  constructor(init: LinkInit) {
    this.id = init.id;
    this.#init = init;
    this.#options = init.options;
    const host = this.#endHost();
    this.toServer = new Lane(`#${init.id}>`, host, this.#hooks(() => this.client, () => this.server));
    this.toClient = new Lane(`#${init.id}<`, host, this.#hooks(() => this.server, () => this.client));
    this.client = new LinkEnd(`#${init.id} client`, host, {
      outbound: this.toServer,
      inbound: this.toClient,
    });
    this.server = new LinkEnd(`#${init.id} server`, host, {
      outbound: this.toClient,
      inbound: this.toServer,
    });
    this.dialClient = (handlers) => this.client.attach(handlers);
    this.dialServer = (handlers) => this.server.attach(handlers);
  }

  get options(): LinkOptions {
    return this.#options;
  }

  /** Whether it was cut or aborted. */
  get broken(): boolean {
    return this.#broken;
  }

  get closed(): boolean {
    return this.client.state === "closed" && (this.server.state === "closed" || this.server.state === "idle");
  }

  /** Changes options of this link alone. What an end can do (`pull`, `writev`) is fixed once it is dialled. */
  configure(options: Partial<LinkOptions>): this {
    this.#options = { ...this.#options, ...options };
    return this;
  }

  /** Breaks the connection now. `keepsFlight`: what was taken so far still arrives first. */
  cut(options?: { readonly keepsFlight?: boolean; readonly cause?: unknown }): void {
    if (this.#broken) return;
    this.#broken = true;
    const keepsFlight = options?.keepsFlight ?? false;
    this.#init.loop.note(`#${this.id} cut${keepsFlight ? " after the flight" : ""}`);
    this.toServer.kill(keepsFlight);
    this.toClient.kill(keepsFlight);
    const cause = options?.cause ?? systemError("ECONNRESET");
    this.client.fail(cause, keepsFlight);
    this.server.fail(cause, keepsFlight);
  }

  /** From now on nothing arrives at either end, and nobody is told. */
  silence(): void {
    this.#init.loop.note(`#${this.id} falls silent`);
    this.toServer.silence();
    this.toClient.silence();
  }

  /** Nothing arrives for so long, in both directions. */
  stall(delayMs: number): void {
    this.toServer.stall(delayMs);
    this.toClient.stall(delayMs);
  }

  /** Refuses a connection that is being opened. */
  refuse(cause: unknown): void {
    this.#broken = true;
    this.client.fail(cause, false);
  }

  describe(): string {
    return `  ${this.client.describe()}\n  ${this.server.describe()}`;
  }

  #hooks(sender: () => LinkEnd, receiver: () => LinkEnd): LaneHooks {
    return {
      taken: () => sender().drained(),
      finished: () => sender().finished(),
      arrived: () => receiver().wake(),
      broke: (keepsFlight) => this.cut({ keepsFlight }),
      fellSilent: () => this.silence(),
    };
  }

  #endHost(): LinkEndHost {
    const options = (): LinkOptions => this.#options;
    return {
      loop: this.#init.loop,
      random: this.#init.random,
      violate: this.#init.violate,
      get options() {
        return options();
      },
      attached: (end) => this.#attached(end),
      aborted: (end) => this.#aborted(end),
      otherEnd: (end) => end === this.client ? this.server : this.client,
    };
  }

  #attached(end: LinkEnd): void {
    if (!this.#begun) this.#drawFaults();
    if (this.#init.attached !== undefined) return this.#init.attached(this, end);
    this.#init.loop.io(end.outbound.latencyMs, `${end.name} connects`, () => {
      end.opened(this.infoOf(end, `sim://server-${this.id}`));
    });
  }

  /** What an end is told when it opens. */
  infoOf(end: LinkEnd, serverAddress: string): TransportInfo {
    const clientAddress = `sim://client-${this.id}`;
    return end === this.client
      ? { localAddress: clientAddress, remoteAddress: serverAddress }
      : { localAddress: serverAddress, remoteAddress: clientAddress };
  }

  #drawFaults(): void {
    this.#begun = true;
    const { random } = this.#init;
    const { cutBytesMean, cutKeepsFlightChance, silenceBytesMean } = this.#options;
    if (cutBytesMean > 0) {
      const lane = random.pick([this.toServer, this.toClient]);
      lane.breakAt(random.integer(1, 2 * cutBytesMean), { keepsFlight: random.chance(cutKeepsFlightChance) });
    }
    if (silenceBytesMean > 0) {
      random.pick([this.toServer, this.toClient]).silenceAt(random.integer(1, 2 * silenceBytesMean));
    }
  }

  #aborted(end: LinkEnd): void {
    if (this.#broken) return;
    this.#broken = true;
    const keepsFlight = this.#init.random.chance(this.#options.cutKeepsFlightChance);
    end.outbound.kill(keepsFlight);
    // Over a silent link the other end never learns; its buffer fills, and that is all it will see.
    if (end.outbound.silent) return;
    end.inbound.kill(false);
    const other = end === this.client ? this.server : this.client;
    other.fail(systemError("ECONNRESET"), keepsFlight);
  }
}

const SYSTEM_MESSAGES = {
  ECONNRESET: "the connection was reset",
  ECONNREFUSED: "nobody listens there",
  ETIMEDOUT: "the connection did not open in time",
} as const;

/** An error as a runtime gives it as the cause of a close. */
export function systemError(code: keyof typeof SYSTEM_MESSAGES): Error & { readonly code: string } {
  return Object.assign(new Error(`${code}: ${SYSTEM_MESSAGES[code]}`), { code });
}
