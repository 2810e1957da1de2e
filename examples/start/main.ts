/** `npm start [folder]`: what hawser does, with a folder's files: first its sockets, then its log. */

import { readFolderArguments, runJob } from "../ventilator/arguments.ts";
import { digestFolder, findFolder } from "../ventilator/command.ts";
import { streamFolder } from "../log/lines/command.ts";

const USAGE = `npm start [folder] [-- options]

Two jobs with every file of a folder, over several processes on Node, Deno and Bun:

  Sockets      The contents go out to three workers over a PUSH socket, their digests (SHA-256) come back to a PULL
               socket, and each is compared with a digest made here. By itself: examples/ventilator/main.
  The log      Publishers on Deno and Bun send every line through an ordered topic of a broker that keeps files, and a
               subscriber checks that none is missing, doubled, changed or out of order. By itself: examples/log/main.

  folder       what to read, with everything below. Default: this project, without packages and build output.
               Symbolic links are not followed.
  --digests    print the digest of every file: of its content, or above 1 MiB of the digests of its 1 MiB pieces
  --help       print this

Ends with 0 if everything is right, with 1 if not, or if a process is lost or something cannot be read.
`;

await runJob(async () => {
  const { folder, flags } = readFolderArguments(USAGE, ["digests"]);
  const found = await findFolder(folder);
  console.log("== sockets ==");
  await digestFolder(found, { digests: flags.has("digests") });
  console.log("\n== the log ==");
  await streamFolder(found);
});
