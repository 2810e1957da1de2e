// runtimes: node
import { test } from "node:test";
import { assert } from "@std/assert";
import type { Dial, TransportHandlers } from "../../src/ports.ts";
import { type BridgedOptions, bridgedStreams } from "../support/bridged_streams.ts";
import { World } from "../support/world.ts";
import { type Machines, Stream } from "./machines.ts";

// Would the simulated world notice if the bridge between ZMTP and a stream broke its contract? Faults are planted above
// it, where it meets the driver, and below it, where it meets the stream.

const OPTIONS = { faults: true, link: { canPause: true } };

type Planted = Partial<Pick<BridgedOptions, "above" | "below">>;

/** What a stream over WebSockets runs into in the world of `seed`; `undefined`: nothing. */
async function faultOf(seed: number, planted: Planted): Promise<Error | undefined> {
  const world = World.swarm(seed, OPTIONS);
  const head = new Uint8Array(seed % 3 === 0 ? 0 : 50).fill(33);
  const machines: Machines = {
    streams: (network) => bridgedStreams(network, { host: world.host, head, ...planted }),
  };
  try {
    await new Stream(world, machines).run();
    world.assertNoViolations();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

test("the bridge as it is runs into nothing", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const error = await faultOf(seed, {});
    if (error !== undefined) throw new Error(`seed=${seed}: ${error.message}`, { cause: error });
  }
});

/** Handlers with some replaced. */
function handlersWith(dial: Dial, parts: (handlers: TransportHandlers) => Partial<TransportHandlers>): Dial {
  return (handlers) => dial({ ...withAll(handlers), ...parts(handlers) });
}

/** A driver's handlers are functions, but those of a class would not be copied. */
function withAll(handlers: TransportHandlers): TransportHandlers {
  return {
    open: (info) => handlers.open(info),
    data: (chunk) => handlers.data(chunk),
    drain: () => handlers.drain(),
    end: () => handlers.end(),
    close: (cause) => handlers.close(cause),
  };
}

interface Fault {
  readonly name: string;
  readonly planted: () => Planted;
  readonly seedsMax: number;
}

const FAULTS: readonly Fault[] = [
  {
    name: "the engine's chunk counts as taken while the stream keeps the output buffer",
    seedsMax: 20,
    planted: () => ({
      above: (dial) => (handlers) => {
        const transport = dial(handlers);
        return {
          write: (chunk) => (transport.write(chunk), true),
          writev: (chunks) => (transport.writev!(chunks), true),
          setPaused: (paused) => transport.setPaused(paused),
          close: (mode) => transport.close(mode),
        };
      },
    }),
  },
  {
    name: "the stream's loan is taken for a write that was taken",
    seedsMax: 20,
    planted: () => ({
      below: (dial) => (handlers) => {
        const transport = dial(handlers);
        return {
          write: (chunk) => (transport.write(chunk), true),
          setPaused: (paused) => transport.setPaused(paused),
          close: (mode) => transport.close(mode),
        };
      },
    }),
  },
  {
    name: "a drain of the stream is forgotten",
    seedsMax: 20,
    planted: () => {
      let drains = 0;
      return {
        below: (dial) =>
          handlersWith(dial, (handlers) => ({
            drain: () => ++drains % 4 === 0 ? undefined : handlers.drain(),
          })),
      };
    },
  },
  {
    name: "a byte between two frames is lost",
    seedsMax: 10,
    planted: () => {
      let chunks = 0;
      return {
        below: (dial) =>
          handlersWith(dial, (handlers) => ({
            data: (chunk) =>
              handlers.data(++chunks % 9 === 0 && chunk.length > 1 ? chunk.subarray(1) : chunk),
          })),
      };
    },
  },
  {
    name: "a frame is begun again after a part of it was taken",
    seedsMax: 20,
    planted: () => {
      let writes = 0;
      return {
        below: (dial) => (handlers) => {
          const transport = dial(handlers);
          return {
            write: (chunk) => {
              if (++writes % 7 !== 0 || chunk.length < 4) return transport.write(chunk);
              const again = new Uint8Array(chunk.length + 2);
              again.set(chunk.subarray(0, 2));
              again.set(chunk, 2);
              return transport.write(again);
            },
            setPaused: (paused) => transport.setPaused(paused),
            close: (mode) => transport.close(mode),
          };
        },
      };
    },
  },
  {
    name: "ZMTP goes up twice",
    seedsMax: 10,
    planted: () => {
      let chunks = 0;
      return {
        above: (dial) =>
          handlersWith(dial, (handlers) => ({
            data: (chunk) => {
              if (++chunks % 11 === 0) handlers.data(chunk.slice());
              handlers.data(chunk);
            },
          })),
      };
    },
  },
  {
    name: "memory is used again after it went up",
    seedsMax: 20,
    planted: () => {
      let last: Uint8Array | undefined;
      return {
        above: (dial) =>
          handlersWith(dial, (handlers) => ({
            data: (chunk) => {
              last?.fill(0xee);
              last = chunk;
              handlers.data(chunk);
            },
          })),
      };
    },
  },
];

for (const { name, planted, seedsMax } of FAULTS) {
  test(`the simulation finds that ${name}`, async () => {
    for (let seed = 1; seed <= seedsMax; seed++) if (await faultOf(seed, planted()) !== undefined) return;
    assert(false, `not found within ${seedsMax} seeds`);
  });
}
