/** PUSH and PULL: work is dealt out in turn to whoever pulls. */

import { Pull, Push } from "../mod.ts";

const push = new Push();
const endpoint = await push.bind("tcp://127.0.0.1:0");

const workers = ["Ada", "Grace"].map((name) => ({ name, pull: new Pull() }));
for (const { pull } of workers) pull.connect(endpoint);
// Who connects late gets nothing of what was sent before. Wait until both are there.
await push.ready({ peers: workers.length });

for (let number = 1; number <= 6; number++) await push.send(`task ${number}`);
// Queued messages leave after `close` too, for as long as the option `linger` allows.
push.close();

for (const { name, pull } of workers) {
  const tasks: string[] = [];
  while (tasks.length < 3) {
    const [task] = await pull.receive();
    tasks.push(new TextDecoder().decode(task));
  }
  console.log(`${name}: ${tasks.join(", ")}`);
  pull.close();
}
