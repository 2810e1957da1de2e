/** Events: what happens to a socket's endpoints and peers. */

import { Pull, Push } from "../mod.ts";

const pull = new Pull();

// By callback, for one kind of event …
pull.events.on("handshake", ({ peer }) => {
  console.log(`a ${peer.socketType} is there, speaking ZMTP ${peer.version} (${peer.mechanism})`);
});

// … or all of them in order, until the socket is closed.
const types: string[] = [];
const watching = (async () => {
  for await (const event of pull.events) {
    types.push(event.type);
    if ("error" in event && event.error !== undefined) console.log(`${event.type}: ${event.error.message}`);
    // When its only peer has left, this program is done.
    if (event.type === "disconnect") pull.close();
  }
})();

const endpoint = await pull.bind("tcp://127.0.0.1:0");
const push = new Push();
push.connect(endpoint);
await push.send("hello");
await pull.receive();
push.close();

await watching;
console.log(types.join(", "));
