/** The socket half of `npm start`, by itself: digests every file of a folder, on Node, Deno and Bun at once. */

import { readFolderArguments, runJob } from "./arguments.ts";
import { digestFolder, findFolder } from "./command.ts";

const USAGE = `node tools/run.mjs examples/ventilator/main [folder] [options]

Digests (SHA-256) every file of a folder by three workers: one process each on Node, Deno and Bun. The contents go out
over a PUSH socket, the digests come back to a PULL socket, and each is compared with a digest made here.

  folder       what to read, with everything below. Default: this project, without packages and build output.
               Symbolic links are not followed.
  --digests    print the digest of every file: of its content, or above 1 MiB of the digests of its 1 MiB pieces
  --help       print this

Ends with 0 if every digest is right, with 1 if not, or if a worker is lost or something cannot be read.
`;

await runJob(async () => {
  const { folder, flags } = readFolderArguments(USAGE, ["digests"]);
  await digestFolder(await findFolder(folder), { digests: flags.has("digests") });
});
