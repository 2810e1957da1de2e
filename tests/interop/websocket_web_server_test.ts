import { createServer } from "node:http";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { webSocketListener } from "../../adapters/http/mod.ts";
import { Pull, Push } from "../../mod.ts";
import { hasWebServer, serveWeb } from "../support/web_servers.ts";
import { within } from "./support/deadline.ts";
import { hasNodePeer, startNodePeer } from "./support/libzmq.ts";
import { PeerSpeaker } from "./support/speakers.ts";

// libzmq connects to sockets behind a web server, whose own code does the upgrade on some runtimes.

const skip = hasNodePeer() ? false : "the npm package zeromq does not load in a Node process";

/** Both directions between sockets at `web` and libzmq's, which connects to `port`. */
async function converse(name: string, port: number): Promise<void> {
  const peer = startNodePeer();
  await using pull = new Pull();
  await using push = new Push();
  await pull.bind(`ws://${name}/in`);
  await push.bind(`ws://${name}/out`);
  const theirPush = await PeerSpeaker.open(peer, "PUSH", {});
  const theirPull = await PeerSpeaker.open(peer, "PULL", {});
  await theirPush.connect(`ws://127.0.0.1:${port}/in`);
  await theirPull.connect(`ws://127.0.0.1:${port}/out`);
  for (let i = 0; i < 20; i++) {
    await theirPush.send([{ text: `there ${i}` }, { text: "" }]);
    const [frame, empty] = await within(pull.receive(), "a message of libzmq");
    assertEquals([new TextDecoder().decode(frame), empty!.length], [`there ${i}`, 0]);
    await push.send([`here ${i}`, new Uint8Array(i * 10_000)]);
  }
  await within(theirPull.receive(20), "messages of ours");
  await Promise.all([theirPush.close(), theirPull.close()]);
  assertEquals(await peer.leave(), 0);
}

test("libzmq at a server of node:http", { skip }, async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  using web = webSocketListener({ name: "interop-http" });
  web.attach(server);
  await converse(web.name, (server.address() as { readonly port: number }).port);
  server.close();
  server.closeAllConnections();
});

if (hasWebServer) {
  test("libzmq at the web server of the runtime", { skip }, async () => {
    using web = webSocketListener({ name: "interop-serve" });
    const server = serveWeb(web);
    await converse(web.name, server.port);
    await server.stop();
  });
}
