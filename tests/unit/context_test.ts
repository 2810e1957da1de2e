import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { Context } from "../../src/socket/context.ts";
import { Proxy } from "../../src/socket/proxy.ts";
import { Dealer, Pull, Push, Router } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";

function makeWorld(): { world: World; context: Context } {
  const world = new World(1);
  return { world, context: new Context({ host: world.host, transports: { sim: world.network } }) };
}

test("the error of an unknown scheme names every scheme of the context once, before and after the adapter is loaded", async () => {
  const { network } = new World(1);
  const context = new Context({ transports: { mine: network } });
  const pull = new Pull({ context });
  const message = (): string => assertThrows(() => pull.connect("udp://127.0.0.1:1"), MisuseError).message;
  assertEquals(
    message(),
    'Unknown transport "udp": this context has inproc, tcp, ipc, tls, ws, wss, worker, mine',
  );
  await context.transport("tcp");
  assertEquals(
    message(),
    'Unknown transport "udp": this context has inproc, tcp, ipc, tls, ws, wss, worker, mine',
  );
});

test("bind resolves with the endpoint that others connect to", async () => {
  const { world, context } = makeWorld();
  for (const address of ["sim://here", "inproc://here"]) {
    const pull = new Pull({ context });
    const endpoint = await world.driveTo(pull.bind(address));
    assertEquals([endpoint, pull.lastEndpoint], [address, address]);
    const push = new Push({ context });
    push.connect(endpoint);
    await world.driveTo(push.ready());
  }
  context.close();
});

test("sockets, contexts and proxies are disposed of as their close says", async () => {
  const { world, context } = makeWorld();
  const push = new Push({ context });
  push[Symbol.dispose]();
  assertEquals(push.closed, true);
  const proxy = new Proxy(new Router({ context }), new Dealer({ context }));
  const running = proxy.run();
  proxy[Symbol.dispose]();
  await world.driveTo(running);
  assertEquals(proxy.frontEnd.closed, false, "a proxy's sockets are not its own");
  context[Symbol.dispose]();
  assertEquals([context.closed, proxy.frontEnd.closed], [true, true]);
});

test("a context that is disposed of asynchronously has waited for what its sockets still sent", async () => {
  const { world, context } = makeWorld();
  const other = new Context({ host: world.host, transports: { sim: world.network } });
  const pull = new Pull({ context: other });
  const push = new Push({ context });
  push.connect("sim://late");
  void push.send("last words");
  let gone = false;
  const disposed = context[Symbol.asyncDispose]().then(() => gone = true);
  const again = context[Symbol.asyncDispose]();
  await world.driveFor(100);
  assert(push.closed && !gone, "the message is still here");
  await world.driveTo(pull.bind("sim://late"));
  await world.driveTo(Promise.all([disposed, again]));
  await world.drive(() => pull.readable);
  assertEquals(pull.receiveMany().map(([frame]) => new TextDecoder().decode(frame)), ["last words"]);
  await world.driveTo(new Context({ host: world.host })[Symbol.asyncDispose]());
  other.close();
});
