/** The log's half of `npm start`, by itself: the lines of a folder's files through an ordered topic. */

import { readFolderArguments, runJob } from "../ventilator/arguments.ts";
import { findFolder } from "../ventilator/command.ts";
import { streamFolder } from "./lines/command.ts";

const USAGE = `node tools/run.mjs examples/log/main [folder]

Starts a broker on Node with its files in a temporary folder, and publishers on Deno and Bun, a process each. They read
the files of the folder and publish every line to one topic of order 5. A subscriber here checks that nothing is missing,
nothing comes twice, and every publisher's lines come in its order, byte for byte as they are in the files.

  folder       what to read, with everything below. Default: this project, without packages and build output.
               Symbolic links are not followed. Lines of more than 64 KiB go as several records.
  --help       print this

Ends with 0 if all of that is so, with 1 if not, or if a process is lost or something cannot be read.
`;

await runJob(async () => {
  const { folder } = readFolderArguments(USAGE);
  await streamFolder(await findFolder(folder));
});
