import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { webSocketTransport } from "../../adapters/websocket/mod.ts";
import type { TransportFactory, TransportHandlers } from "../../src/ports.ts";
import { Context } from "../../src/socket/context.ts";
import { Pull, Push } from "../../src/socket/sockets.ts";
import { simulate } from "../support/simulate.ts";
import type { World } from "../support/world.ts";

// The whole of ws in the simulated world: upgrades in pieces of any size, and sockets that share a port by path.

/** The world's network with the endpoints of TCP: `tcp://127.0.0.1:8080` is `sim://8080`. */
function asTcp(network: TransportFactory): TransportFactory {
  const name = (address: string): string => `sim://${address.slice(address.lastIndexOf(":") + 1)}`;
  return {
    dial: (address, options) => network.dial(name(address), options),
    listen: (address, options) => {
      const listen = network.listen(name(address), options);
      return async (accept, failed) => ({ ...await listen(accept, failed), address });
    },
  };
}

const MESSAGES = 12;

test("sockets that share a port by path each get what is theirs, whatever pieces the requests come in", async () => {
  const answers: string[] = [];
  await simulate("ws paths", 40, async (world) => {
    const context = new Context({
      host: world.host,
      transports: { ws: webSocketTransport("ws", asTcp(world.network), world.host) },
    });
    const paths = ["/", "/a", "/a/b"].slice(0, world.random.integer(1, 3));
    const pulls = paths.map(() => new Pull({ context }));
    const events: string[] = [];
    for (const [i, pull] of pulls.entries()) {
      pull.events.on("handshake", ({ peer }) => events.push(peer.http!.path));
      await world.driveTo(pull.bind(`ws://127.0.0.1:8080${paths[i]}`));
    }
    nuisance(world, answers);
    const pushes = paths.map((path) => {
      const push = new Push({ context });
      push.connect(`ws://127.0.0.1:8080${path}?x=1`);
      return push;
    });
    for (const [i, push] of pushes.entries()) {
      for (let n = 0; n < MESSAGES; n++) await world.driveTo(push.send(`${paths[i]} ${n}`));
    }
    for (const [i, pull] of pulls.entries()) {
      for (let n = 0; n < MESSAGES; n++) {
        const [frame] = await world.driveTo(pull.receive());
        assertEquals(new TextDecoder().decode(frame), `${paths[i]} ${n}`);
      }
    }
    assertEquals(events.sort(), paths.map((path) => `${path}?x=1`).sort());
    for (const socket of [...pushes, ...pulls]) socket.close();
    await world.drive(() => world.network.addresses.length === 0);
    context.close();
  });
  assert(answers.length > 0 && answers.every((text) => text.startsWith("HTTP/1.1 404 ")), answers.join());
});

/** A client that asks for a path where nothing is, and is refused. */
function nuisance(world: World, answers: string[]): void {
  let answer = "";
  const handlers: TransportHandlers = {
    open: () => void transport.write(new TextEncoder().encode("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")),
    data: (chunk) => answer += new TextDecoder().decode(chunk),
    drain: () => {},
    end: () => transport.close("flush"),
    close: () => void (answer !== "" && answers.push(answer)),
  };
  const transport = world.network.dial("sim://8080", {})(handlers);
}
