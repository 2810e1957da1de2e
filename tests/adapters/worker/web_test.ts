// runtimes: deno
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { connectWorker } from "../../../adapters/worker/mod.ts";
import { Context, Pull, Request } from "../../../mod.ts";
import type { WorkerTask } from "./program.ts";

interface WebWorkerHere {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  terminate(): void;
}

const { Worker } = globalThis as unknown as {
  Worker: new (url: URL, options: { type: "module" }) => WebWorkerHere;
};

/** A Web Worker of this program, and what it says to the program. */
function start(
  task: WorkerTask,
): { worker: WebWorkerHere; said: unknown[]; until(message: string): Promise<void> } {
  const worker = new Worker(new URL("./program.ts", import.meta.url), { type: "module" });
  connectWorker(worker as unknown as Parameters<typeof connectWorker>[0]);
  const said: unknown[] = [];
  let wake = (): void => {};
  worker.onmessage = ({ data }) => {
    said.push(data);
    wake();
  };
  worker.postMessage(task);
  const until = async (message: string): Promise<void> => {
    while (!said.includes(message)) {
      const bad = said.find((what) => /failed|wrong/.test(String(what)));
      if (bad !== undefined) throw new Error(String(bad));
      await new Promise<void>((resolve) => wake = resolve);
    }
  };
  return { worker, said, until };
}

test("a Web Worker and its parent find each other both ways, and so do two of its workers", async () => {
  await using context = new Context();
  const echo = start({ role: "echo", address: "worker://web-echo" });
  await echo.until("bound");
  const request = new Request({ context });
  request.connect("worker://web-echo");
  await request.send("hello");
  assertEquals(new TextDecoder().decode((await request.receive())[0]), "hello");
  assertEquals(echo.said, ["bound"]);

  const pull = new Pull({ context });
  await pull.bind("worker://web-parent");
  const push = start({ role: "push", address: "worker://web-parent", count: 100 });
  for (let i = 0; i < 100; i++) assertEquals(new TextDecoder().decode((await pull.receive())[0]), `${i}`);
  await push.until("sent");

  const receives = start({ role: "pull", address: "worker://web-among", count: 300 });
  const sends = start({ role: "push", address: "worker://web-among", count: 300 });
  await receives.until("received");
  await sends.until("sent");
  for (const { worker } of [echo, push, receives, sends]) worker.terminate();
});
