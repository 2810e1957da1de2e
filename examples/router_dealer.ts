/** ROUTER and DEALER: the first frame says who a message is from, or for whom. Nobody has to take turns. */

import { Dealer, MisuseError, Router } from "../mod.ts";

const text = (frame?: Uint8Array): string => new TextDecoder().decode(frame);

// `mandatory`: a message for somebody unknown is an error, and one for somebody who is full waits.
const router = new Router({ mandatory: true });
const endpoint = await router.bind("tcp://127.0.0.1:0");

const dealers = ["left", "right"].map((routingId) => new Dealer({ routingId }));
for (const dealer of dealers) {
  dealer.connect(endpoint);
  // A dealer may send as often as it likes before anything comes back.
  await dealer.send("first");
  await dealer.send("second");
}

for (let received = 0; received < 4; received++) {
  const [sender, message] = await router.receive();
  await router.send([sender!, `${text(message)} from ${text(sender)}`]);
}

for (const dealer of dealers) {
  console.log(text((await dealer.receive())[0]));
  console.log(text((await dealer.receive())[0]));
  dealer.close();
}

try {
  await router.send(["middle", "hello?"]);
} catch (error) {
  if (!(error instanceof MisuseError)) throw error;
  console.log(error.code);
}
router.close();
