/**
 * `hawser broker`: a broker that listens, until it is told to stop.
 *
 * @module
 */

import { type BrokerServer, startBroker } from "../log.ts";
import { type Command, type CommandInput, configurationOptions, expectOperands } from "./command.ts";
import { readConfiguration } from "./configuration.ts";
import { letHeapGrow } from "./heap.ts";
import { type HttpServer, serveHttp } from "./http.ts";
import { Interruption } from "./interruption.ts";
import { line, type Terminal } from "./terminal.ts";

/** See the module. */
export const brokerCommand: Command = {
  name: "broker",
  operands: "",
  summary: "run a broker",
  about:
    `Listens for publishers and readers. Prints one line when it is ready, with the actual endpoints if the system chose the
port. SIGTERM, SIGINT and SIGHUP stop it in order: everything it has accepted is ordered, synced and acknowledged, and it
exits with 0. A second signal stops it at once. Without --dir, topics are kept in memory and are lost when it stops.`,
  options: {},
  configuration: configurationOptions("", ["connect", "publisher.", "subscribe."]),
  async run(input: CommandInput): Promise<number> {
    expectOperands(brokerCommand, input.operands, 0, 0);
    const { terminal } = input;
    const { broker: options, tls, webSocket } = readConfiguration(input);
    letHeapGrow();
    const interruption = new Interruption(terminal);
    const notice = (text: string): void => {
      line(terminal.stderr, `hawser: ${text}`);
    };
    try {
      const server = await startBroker({ ...options, tls, webSocket, notice });
      await serve(server, options.http, terminal, interruption);
      return 0;
    } finally {
      interruption.stop();
    }
  },
};

/** Until the first signal. */
async function serve(
  server: BrokerServer,
  address: string | undefined,
  { stdout, stderr }: Terminal,
  interruption: Interruption,
): Promise<void> {
  let http: HttpServer | undefined;
  try {
    if (address !== undefined) {
      http = await serveHttp(address, {
        status: () => server.status(),
        get draining() {
          return interruption.signal.aborted;
        },
      });
    }
    const { options } = server.broker;
    const where = [...server.endpoints, ...http === undefined ? [] : [http.url]].join(" ");
    line(stdout, `hawser broker: ready on ${where}, topics in ${options.dir ?? "memory"}`);
    await interruption.happened;
    line(stderr, "hawser broker: stopping; a second signal ends it at once");
  } finally {
    await server.close();
    await http?.close();
  }
}
