/** Every wait takes an AbortSignal. */

import { MisuseError, Pull, Push } from "../mod.ts";

const pull = new Pull();
const endpoint = await pull.bind("tcp://127.0.0.1:0");

/** What became of a wait. */
async function outcome(wait: Promise<unknown>): Promise<string> {
  try {
    await wait;
    return "done";
  } catch (error) {
    if (!(error instanceof MisuseError)) throw error;
    return `${error.code}, because of ${(error.cause as Error).message}`;
  }
}

// Whoever loses interest says so. The socket goes on: an aborted receive takes no message with it.
const controller = new AbortController();
const waiting = pull.receive({ signal: controller.signal });
controller.abort(new Error("a change of plans"));
console.log(await outcome(waiting));

// Or a deadline does.
const push = new Push();
const deadline = AbortSignal.timeout(100);
deadline.addEventListener("abort", () => console.log("time is up"));
console.log((await outcome(push.send("nobody is there", { signal: deadline }))).split(",")[0]);

push.connect(endpoint);
await push.send("hello");
console.log(await outcome(pull.receive({ signal: AbortSignal.timeout(10_000) })));

push.close();
pull.close();
