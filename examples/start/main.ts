/** `npm start [folder]`: what hawser does, with a folder's files: its sockets, its log, and its sockets over tls and ws. */

import { readFolderArguments, runJob } from "../ventilator/arguments.ts";
import { digestFolder, findFolder } from "../ventilator/command.ts";
import type { WorkerPlan } from "../ventilator/runtime.ts";
import { streamFolder } from "../log/lines/command.ts";

const USAGE = `npm start [folder] [-- options]

Three jobs with every file of a folder, over several processes on Node, Deno and Bun:

  Sockets      The contents go out to three workers over a PUSH socket, their digests (SHA-256) come back to a PULL
               socket, and each is compared with a digest made here. By itself: examples/ventilator/main.
  The log      Publishers on Deno and Bun send every line through an ordered topic of a broker that keeps files, and a
               subscriber checks that none is missing, doubled, changed or out of order. By itself: examples/log/main.

  tls and ws   The same contents go to one worker over TLS and to one over WebSockets.

  folder       what to read, with everything below. Default: this project, without packages and build output.
               Symbolic links are not followed.
  --digests    print the digest of every file: of its content, or above 1 MiB of the digests of its 1 MiB pieces
  --help       print this

Ends with 0 if everything is right, with 1 if not, or if a process is lost or something cannot be read.
`;

/** One worker over TLS, one over WebSockets. */
const ENCRYPTED_AND_WEB: readonly WorkerPlan[] = [
  { runtime: "Deno", scheme: "tls" },
  { runtime: "Bun", scheme: "ws" },
];

await runJob(async () => {
  const { folder, flags } = readFolderArguments(USAGE, ["digests"]);
  const found = await findFolder(folder);
  console.log("== sockets ==");
  await digestFolder(found, { digests: flags.has("digests") });
  console.log("\n== the log ==");
  await streamFolder(found);
  console.log("\n== tls and ws ==");
  await digestFolder(found, { digests: false, plan: ENCRYPTED_AND_WEB });
});
