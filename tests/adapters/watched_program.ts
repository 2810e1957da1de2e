// A program for the tests: two sockets meet and part. Prints what the diagnostics channels told, if it was asked to.
import process from "node:process";
import { Pull, Push } from "../../mod.ts";

const heard: string[] = [];
if (process.argv.includes("channels")) {
  const { subscribe } = await import("node:diagnostics_channel");
  for (const name of ["hawser:event", "hawser:state"]) {
    subscribe(name, (message) => {
      const { kind, socketType, event, state } = message as {
        readonly kind: string;
        readonly socketType: string;
        readonly event?: { readonly type: string };
        readonly state?: string;
      };
      heard.push(`${name} ${kind} ${socketType} ${event?.type ?? state}`);
    });
  }
}
const pull = new Pull();
const push = new Push();
push.connect(await pull.bind("tcp://127.0.0.1:0"));
await Promise.all([pull.ready(), push.ready()]);
const left = new Promise<void>((resolve) => pull.events.on("disconnect", () => resolve()));
push.close();
await left;
await pull[Symbol.asyncDispose]();
for (const line of heard) console.log(line);
console.log("done");
