/** What runs in the workers of worker_threads_test.ts and worker_web_test.ts. */

import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { Pull, Push, Reply } from "../../../mod.ts";

/** What a worker is told to do. */
export interface WorkerTask {
  readonly role: "echo" | "push" | "pull" | "user";
  readonly address: string;
  readonly count?: number;
}

/** Sends the parent a message of the program's own. */
function tell(message: unknown): void {
  if (parentPort !== null && !isMainThread) parentPort.postMessage(message);
  else (globalThis as unknown as { postMessage(message: unknown): void }).postMessage(message);
}

async function run({ role, address, count = 0 }: WorkerTask): Promise<void> {
  if (role === "push") {
    const push = new Push({ sendHighWaterMark: 10 });
    push.connect(address);
    for (let i = 0; i < count; i++) await push.send([`${i}`, new Uint8Array(i % 2_000).fill(i)]);
    return tell("sent");
  }
  if (role === "pull") {
    const pull = new Pull({ receiveHighWaterMark: 10 });
    await pull.bind(address);
    tell("bound");
    for (let i = 0; i < count; i++) {
      const [name, body] = await pull.receive();
      const sound = new TextDecoder().decode(name) === `${i}` && body!.every((byte) => byte === i % 256);
      if (!sound) return tell(`message ${i} is wrong`);
    }
    pull.close();
    return tell("received");
  }
  const reply = new Reply();
  await reply.bind(address);
  tell("bound");
  for await (const message of reply) await reply.send(message);
}

function start(task: WorkerTask): void {
  run(task).catch((error) => tell(`failed: ${error}`));
}

if (!isMainThread) {
  start(workerData as WorkerTask);
} else {
  const self = globalThis as unknown as { onmessage: (event: { readonly data: WorkerTask }) => void };
  self.onmessage = ({ data }) => start(data);
}
