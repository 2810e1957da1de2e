// A program for the tests: listens with `node:net` at the path, or the TCP port, of its argument, says so, and stays
// until it is killed.
import { createServer } from "node:net";

const where = process.argv[2] ?? "";
const server = createServer();
server.listen(where === "tcp" ? { host: "127.0.0.1", port: 0, backlog: 1 } : { path: where }, () => {
  const bound = server.address();
  console.log(typeof bound === "object" ? bound?.port : "bound");
});
