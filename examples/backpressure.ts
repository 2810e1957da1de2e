/** Backpressure without a promise per message: for programs that count nanoseconds. */

import { Pull, Push } from "../mod.ts";

const COUNT = 20_000;

// At most so many messages wait for the peer on this side, and so many on the other.
const push = new Push({ sendHighWaterMark: 100 });
const pull = new Pull({ receiveHighWaterMark: 100 });
const endpoint = await pull.bind("tcp://127.0.0.1:0");
push.connect(endpoint);

/** Sends until somebody is full, then waits until it is worth another try. */
async function produce(): Promise<number> {
  let waits = 0;
  for (let number = 0; number < COUNT;) {
    if (push.trySend(String(number))) number++;
    else {
      waits++;
      await push.waitWritable();
    }
  }
  return waits;
}

const producing = produce();

// One message at a time, as long as there are any.
let received = 0;
while (received < COUNT / 2) {
  const message = pull.tryReceive();
  if (message === undefined) await pull.waitReadable();
  else received++;
}

// Or whatever is there, as an array that is never empty. What is left when the loop is left stays in the socket.
for await (const batch of pull.batches(500)) {
  received += batch.length;
  if (received === COUNT) break;
}

console.log(`${received} messages, and the sender ${await producing > 0 ? "had" : "did not have"} to wait`);
push.close();
pull.close();
