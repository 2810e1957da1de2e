/**
 * A broker's door and its callers in a simulated world.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { DealerLink, type DealerLinkInit } from "../../src/log/client/dealer_link.ts";
import { LinkServer, type LinkServerInit } from "../../src/log/server/link_server.ts";
import { Context } from "../../src/socket/context.ts";
import { Caller, Door } from "../support/log_links.ts";
import type { World } from "../support/world.ts";

/** Without heartbeats the world falls silent, which tests wait for. */
const SILENT = { heartbeatInterval: 0 };

const PATIENCE_MS = 1e9;

export const ADDRESS = "sim://broker";

/** See the module. */
export class LogScene {
  readonly world: World;
  readonly context: Context;
  readonly door: Door;
  readonly server: LinkServer;
  readonly callers: Caller[] = [];
  readonly links: DealerLink[] = [];

  constructor(
    world: World,
    options: { readonly server?: LinkServerInit["socket"]; readonly door?: Door } = {},
  ) {
    this.world = world;
    this.context = new Context({ host: world.host, transports: { sim: world.network } });
    this.door = options.door ?? new Door();
    this.server = this.makeServer(this.door, options.server);
  }

  makeServer(door: Door, socket: LinkServerInit["socket"] = {}): LinkServer {
    const { accept, endOfBurst } = door;
    return new LinkServer({ context: this.context, accept, endOfBurst, socket: { ...SILENT, ...socket } });
  }

  /** Listens at {@link ADDRESS}, or elsewhere. */
  async listen(address: string = ADDRESS): Promise<void> {
    assertEquals(await this.world.driveTo(this.server.bind(address)), address);
  }

  /** Begins to connect a client. */
  call(options: Partial<DealerLinkInit> = {}, caller: Caller = new Caller()): Caller {
    const link = new DealerLink({
      context: this.context,
      endpoint: ADDRESS,
      events: caller,
      ...options,
      socket: { ...SILENT, ...options.socket },
    });
    caller.link = link;
    this.links.push(link);
    this.callers.push(caller);
    return caller;
  }

  /** Connects a client and drives until both ends know of it. */
  async connect(options: Partial<DealerLinkInit> = {}): Promise<Caller> {
    const caller = this.call(options);
    const { length } = this.door.served;
    await this.until(() => caller.isOpen && this.door.served.length > length, "both ends to be open");
    return caller;
  }

  /** Drives until `holds`, for as long as the slowest world takes. */
  async until(holds: () => boolean, waitingFor = "the condition"): Promise<void> {
    await this.world.drive(holds, { waitingFor, withinMs: PATIENCE_MS });
  }

  /** Ends everything, and proves that nothing is left: no link, no stream, no memory, no hold on the process. */
  async end(): Promise<void> {
    for (const link of this.links) link.close();
    await this.world.driveTo(Promise.all(this.links.map((link) => link.ended)), {
      waitingFor: "the clients' ends",
      withinMs: PATIENCE_MS,
    });
    await this.world.driveTo(this.server.stop(), { waitingFor: "the server's end", withinMs: PATIENCE_MS });
    await this.world.driveIdle({ withinMs: PATIENCE_MS });
    this.door.assertDone();
    for (const caller of this.callers) assertEquals(caller.opens, caller.closes);
    assertEquals(this.server.links, 0);
    assertEquals(this.world.holdsProcess, false, "something still keeps the process alive");
    assertEquals(this.world.network.addresses, [], "somebody still listens");
    assertEquals(this.context.runtime.pendingTotal.bytes, 0, "pending memory is not given back");
    assertEquals(this.context.runtime.receivedTotal.bytes, 0, "received memory is not given back");
    this.world.assertNoViolations();
  }
}
