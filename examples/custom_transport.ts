/** A transport of one's own: see duplex_transport.ts for the making of it. */

import { Context, Pull, Push } from "../mod.ts";
import { pipeTransport } from "./duplex_transport.ts";

const context = new Context();
context.register("pipe", pipeTransport());

const pull = new Pull({ context });
await pull.bind("pipe://here");
const push = new Push({ context });
push.connect("pipe://here");

// Larger than any buffer in between, so it goes through in parts, at the reader's pace.
const large = new Uint8Array(10_000_000).fill(7);
await push.send(["large", large]);
const [name, body] = await pull.receive();
console.log(`${new TextDecoder().decode(name)}: ${body!.length} bytes, ${body!.every((byte) => byte === 7)}`);

// Closes every socket in it.
context.close();
