/** `net://port`: TCP within this machine, over the sockets of `node:net`. The sample of docs/ADAPTERS.md. */

// #region sample
import { connect, createServer, type Socket } from "node:net";
import { fromDuplex, MisuseError, offer, type TransportFactory } from "../adapters/kit/mod.ts";

const overSocket = (socket: Socket) =>
  fromDuplex(socket, { localAddress: "net://here", remoteAddress: "net://there", copy: false });

export const netTransport: TransportFactory = {
  dial(address) {
    const port = portOf(address);
    return (handlers) => overSocket(connect({ port, host: "127.0.0.1", allowHalfOpen: true }))(handlers);
  },
  listen(address) {
    const port = portOf(address);
    return (accept) =>
      new Promise((resolve, reject) => {
        const server = createServer({ allowHalfOpen: true });
        server.on("connection", (socket) => offer(accept, overSocket(socket), () => socket.destroy()));
        server.on("error", (error) => reject(new MisuseError("ERR_ADDRESS_IN_USE", error.message)));
        server.listen(port, "127.0.0.1", () => {
          const bound = (server.address() as { port: number }).port;
          resolve({ address: `net://${bound}`, close: () => Promise.resolve(void server.close()) });
        });
      });
  },
};

function portOf(address: string): number {
  const port = /^net:\/\/(\d+)$/.exec(address)?.[1];
  if (port === undefined) throw new MisuseError("ERR_ENDPOINT", `"${address}" is not net://port`);
  return Number(port);
}
// #endregion
