/** REQ and REP: a question, its answer, and what to do when none comes. */

import { MisuseError, Reply, Request } from "../mod.ts";

/** A server that answers in capitals. */
async function shout(reply: Reply): Promise<void> {
  for await (const [question] of reply) {
    await reply.send(new TextDecoder().decode(question).toUpperCase());
  }
}

const broken = new Reply();
const silent = await broken.bind("tcp://127.0.0.1:0");
const working = new Reply();
const serving = await working.bind("tcp://127.0.0.1:0");
const server = shout(working);

// `correlate` numbers the requests, so that a late answer is never taken for the answer to a later question.
const request = new Request({ correlate: true });
request.connect(silent);
await request.ready();
request.connect(serving);
await request.ready({ peers: 2 });

// The first attempt goes to the server that never answers, the second to the next one.
const [answer] = await request.request("hello", { timeoutMs: 200, retries: 1 });
console.log(new TextDecoder().decode(answer));

working.close();
await server;
try {
  await request.request("anybody?", { timeoutMs: 200 });
} catch (error) {
  if (!(error instanceof MisuseError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}
request.close();
broken.close();
