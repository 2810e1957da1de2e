/**
 * A broker that listens: the machine, its door, and their end in the right order.
 *
 * @module
 */

import type { Host } from "../../ports.ts";
import type { Context } from "../../socket/context.ts";
import { Broker } from "../broker/broker.ts";
import type { BrokerStatus } from "../broker/status.ts";
import type { BrokerInput } from "../configuration/broker.ts";
import type { LogError } from "../errors.ts";
import { showAs } from "../../inspect.ts";
import type { StoreFactory } from "../store/store.ts";
import type { TlsOptions, WebSocketOptions } from "../../transport_options.ts";
import { LinkServer } from "./link_server.ts";
import { transportOptions } from "../links/transport_options.ts";

/** What a {@link BrokerServer} is made of. */
export interface BrokerServerInit {
  readonly context: Context;
  readonly host: Host;
  readonly stores: StoreFactory;
  readonly options?: BrokerInput | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly webSocket?: WebSocketOptions | undefined;
  /** Told what people should know: cuts, failed stores. */
  readonly notice?: ((text: string, error?: LogError) => void) | undefined;
}

/**
 * A broker that listens; made by `startBroker`. It lives until {@link BrokerServer.close}, and keeps the process alive as long.
 * `await using` closes it.
 */
export class BrokerServer implements AsyncDisposable {
  static {
    showAs(BrokerServer.prototype, "BrokerServer", (one) => {
      const { topics, connections } = one.broker.status();
      const { dir } = one.broker.options;
      return { endpoints: one.endpoints, dir, topics: topics.length, connections };
    });
  }

  /** @internal The machine behind the door. */
  readonly broker: Broker;
  readonly #server: LinkServer;
  #closing: Promise<void> | undefined;

  private constructor(broker: Broker, server: LinkServer) {
    this.broker = broker;
    this.#server = server;
  }

  /**
   * @internal
   * Listens on every endpoint of the options. The stores belong to the broker from here on.
   *
   * @throws {MisuseError} (rejects) `ERR_OPTION`, `ERR_ENDPOINT`, `ERR_ADDRESS_IN_USE`, `ERR_ADDRESS`, `ERR_PERMISSION`,
   * `ERR_CLOSED`. Nothing listens then, and the stores are closed.
   */
  static async start(init: BrokerServerInit): Promise<BrokerServer> {
    const { context, host, stores, options, tls, webSocket, notice } = init;
    let broker: Broker | undefined;
    let server: LinkServer | undefined;
    try {
      broker = new Broker({ host, stores, options, notice });
      const socket = transportOptions({ tls, webSocket });
      server = new LinkServer({ context, accept: broker.accept, endOfBurst: broker.endOfBurst, socket });
      for (const endpoint of broker.options.listen) await server.bind(endpoint);
      return new BrokerServer(broker, server);
    } catch (error) {
      await new Promise<void>((resolve) =>
        broker === undefined ? stores.close(resolve) : broker.close(resolve)
      );
      await server?.stop();
      throw error;
    }
  }

  /** Where it listens, with the ports and paths that the system chose: what `connectLog` takes. */
  get endpoints(): readonly string[] {
    return this.#server.endpoints;
  }

  /**
   * Uses a new certificate for connections that are accepted from now on. Without `tls`, its files are read
   * again. Connections that exist live on.
   *
   * @throws {MisuseError} (rejects) `ERR_CERTIFICATE_KEY`, `ERR_OPTION`, `ERR_CLOSED`. Nothing changed then.
   */
  renewTls(tls?: TlsOptions): Promise<void> {
    return this.#server.renewTls(tls);
  }

  /** What it is doing now: topics, sessions, readers, consumers' lag, memory, and counters since its start. */
  status(): BrokerStatus {
    return this.broker.status();
  }

  /**
   * Orders and stores what was taken, tells publishers, syncs, ends every link, and stops listening. Clients try to come back until
   * they are closed. Resolves when the stores have let go of everything; a second call waits for the first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await new Promise<void>((resolve) => this.broker.close(resolve));
    await this.#server.stop();
  }
}
