// A receiver whose whole process stands still for a while: `frozen_program <endpoint> <messages> <milliseconds> [<PEM>…]`.
import process from "node:process";
import { Pull } from "../../mod.ts";
import { numberedBody } from "./lanes.ts";

const [endpoint = "", messages = "0", milliseconds = "0", certificate, key] = process.argv.slice(2);
const tls = certificate === undefined || key === undefined ? null : { certificate, key };
const pull = new Pull({ tls, heartbeatInterval: 500, heartbeatTimeout: 60_000, receiveHighWaterMark: 100 });
let lost = 0;
pull.events.on("disconnect", () => lost++);
console.log(await pull.bind(endpoint));

for (let index = 0; index < Number(messages); index++) {
  const [body] = await pull.receive();
  const expected = numberedBody(index, body!.length);
  if (Buffer.compare(body!, expected) !== 0) throw new Error(`message ${index} is not what was sent`);
  if (index > 0) continue;
  // Not a timer: nothing in this process may run meanwhile, neither reads nor heartbeats.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds));
}
console.log(`${messages} received, ${lost} connections lost`);
pull.close();
