// A program for the tests: listeners of sockets throw, which must surface as errors that nobody caught, and nothing else
// must suffer. With an argument it does not look out for them: the runtime ends it, or lets it end, with a code of its own.
import process from "node:process";
import { Pair } from "../../mod.ts";

interface ErrorTarget {
  addEventListener(
    type: "error",
    listener: (event: { readonly error: unknown; preventDefault(): void }) => void,
  ): void;
}

const heard: string[] = [];
const surfaced = new Promise<void>((resolve) => {
  const take = (error: unknown): void => {
    heard.push((error as Error).message);
    if (heard.length === 2) resolve();
  };
  if (process.argv[2] !== undefined) return;
  if ("Deno" in globalThis) {
    (globalThis as unknown as ErrorTarget).addEventListener("error", (event) => {
      event.preventDefault();
      take(event.error);
    });
  } else {
    process.on("uncaughtException", take);
    process.on("unhandledRejection", () => heard.push("an unhandled rejection"));
  }
});

const [left, right] = [new Pair(), new Pair()];
for (const [name, pair] of [["left", left], ["right", right]] as const) {
  pair.events.on("handshake", () => {
    throw new Error(`a listener of ${name}`);
  });
}
await left.bind("tcp://127.0.0.1:*");
right.connect(left.lastEndpoint!);
await right.send("still here");
const [frame] = await left.receive();
if (process.argv[2] === undefined) await surfaced;
console.log([new TextDecoder().decode(frame), ...heard.sort()].join(", "));
left.close();
right.close();
