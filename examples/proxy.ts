/** A proxy between any number of clients and any number of workers, which need not know of each other. */

import { Dealer, Proxy, Reply, Request, Router } from "../mod.ts";

const text = (frame?: Uint8Array): string => new TextDecoder().decode(frame);

const proxy = new Proxy(new Router(), new Dealer());
const front = await proxy.frontEnd.bind("tcp://127.0.0.1:0");
const back = await proxy.backEnd.bind("tcp://127.0.0.1:0");
const running = proxy.run();

/** A worker that doubles numbers. */
async function double(worker: Reply): Promise<void> {
  worker.connect(back);
  for await (const [number] of worker) await worker.send(String(2 * Number(text(number))));
}
const workers = [new Reply(), new Reply()];
const working = workers.map(double);
await proxy.backEnd.ready({ peers: workers.length });

const clients = [new Request(), new Request(), new Request()];
const answers = await Promise.all(clients.map(async (client, index) => {
  client.connect(front);
  const [answer] = await client.request(String(index + 1));
  return text(answer);
}));
console.log(answers.join(" "));

// The envelope of a request is the client's routing id and an empty frame; here they count too.
const { frontToBack, backToFront } = proxy.statistics;
console.log(
  `${frontToBack.messages} there, ${backToFront.messages} back, ${frontToBack.frames} frames there`,
);

for (const socket of [...clients, ...workers, proxy.frontEnd, proxy.backEnd]) socket.close();
// A proxy ends with its sockets, or when it is told to: `proxy.terminate()`.
await Promise.all([running, ...working]);
