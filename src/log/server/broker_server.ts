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
import type { StoreFactory } from "../store/store.ts";
import { LinkServer } from "./link_server.ts";

/** What a {@link BrokerServer} is made of. */
export interface BrokerServerInit {
  readonly context: Context;
  readonly host: Host;
  readonly stores: StoreFactory;
  readonly options?: BrokerInput | undefined;
  /** Told what people should know: cuts, failed stores. */
  readonly notice?: ((text: string, error?: LogError) => void) | undefined;
}

/** See the module. `await using` closes it. */
export class BrokerServer implements AsyncDisposable {
  readonly broker: Broker;
  readonly #server: LinkServer;
  #closing: Promise<void> | undefined;

  private constructor(broker: Broker, server: LinkServer) {
    this.broker = broker;
    this.#server = server;
  }

  /**
   * Listens on every endpoint of the options.
   *
   * @throws {MisuseError} (rejects) `ERR_OPTION`, `ERR_ENDPOINT`, `ERR_ADDRESS_IN_USE`, `ERR_ADDRESS`. Nothing listens then.
   */
  static async start(init: BrokerServerInit): Promise<BrokerServer> {
    const { context, host, stores, options, notice } = init;
    const broker = new Broker({ host, stores, options, notice });
    const server = new LinkServer({ context, accept: broker.accept, endOfBurst: broker.endOfBurst });
    const started = new BrokerServer(broker, server);
    try {
      for (const endpoint of broker.options.listen) await server.bind(endpoint);
    } catch (error) {
      await started.close();
      throw error;
    }
    return started;
  }

  /** Where it listens, with the ports and paths that the system chose. */
  get endpoints(): readonly string[] {
    return this.#server.endpoints;
  }

  status(): BrokerStatus {
    return this.broker.status();
  }

  /** Orders and stores what was taken, tells publishers, syncs, ends every link, and stops listening. */
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
