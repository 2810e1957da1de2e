// runtimes: node
import { test } from "node:test";
import { assert } from "@std/assert";
import { Engine } from "../../src/engine/engine.ts";
import type { Inbound, Outbound } from "../../src/engine/link.ts";
import { type BurstTask, Scheduler, type Task } from "../../src/engine/scheduler.ts";
import type { Transport } from "../../src/ports.ts";
import type { Segment } from "../../src/zmtp/segment.ts";
import { World } from "../support/world.ts";
import { type Machines, Stream } from "./machines.ts";

const OPTIONS = { faults: true, link: { canPause: true } };

/** What a stream runs into in the world of `seed`; `undefined`: nothing. */
async function faultOf(seed: number, machines: Machines): Promise<Error | undefined> {
  const world = World.swarm(seed, OPTIONS);
  try {
    await new Stream(world, machines).run();
    world.assertNoViolations();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** The first seed that finds the fault. */
async function seedsUntilFound(
  machines: Machines,
  seedsMax: number,
): Promise<{ seed: number; error: Error }> {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const error = await faultOf(seed, machines);
    if (error !== undefined) return { seed, error };
  }
  throw new Error(`the fault was not found within ${seedsMax} seeds`);
}

test("the machines as they are run into nothing", async () => {
  let broken = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const world = World.swarm(seed, OPTIONS);
    try {
      await new Stream(world).run();
      world.assertNoViolations();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${world.report()}`, { cause: error });
    }
    broken += world.links.filter((link) => link.broken).length;
  }
  assert(broken > 30, `only ${broken} connections broke`);
});

/** An outbound queue with a part of it replaced. */
function outboundWith(queue: Outbound, parts: Partial<Outbound>): Outbound {
  return {
    get hasSegments() {
      return parts.hasSegments ?? queue.hasSegments;
    },
    get presses() {
      return parts.presses ?? queue.presses;
    },
    take: parts.take ?? ((): Segment | undefined => queue.take()),
    release: parts.release ?? ((segment): void => queue.release(segment)),
    discard: parts.discard ?? ((segment): void => queue.discard(segment)),
  };
}

function inboundWith(queue: Inbound, parts: Partial<Inbound>): Inbound {
  return {
    get credit() {
      return parts.credit ?? queue.credit;
    },
    run: parts.run ?? ((bytes, start, end, messages): void => queue.run(bytes, start, end, messages)),
    message: parts.message ?? ((frames, bytes): void => queue.message(frames, bytes)),
    announce: parts.announce ?? ((): void => queue.announce()),
  };
}

interface Fault {
  readonly name: string;
  readonly machines: () => Machines;
  readonly seedsMax: number;
  /** What the simulation says, if only one thing can be meant. */
  readonly says?: RegExp;
}

class ForgetsRestarts extends Engine {
  #restarts = 0;
  override resumeDecoding(nowMs: number): void {
    // The first one joins the pipe. Of the others, every third is forgotten.
    if (this.#restarts++ % 3 !== 2) super.resumeDecoding(nowMs);
  }
}

class NeverPauses extends Engine {
  override get wantsRead(): boolean {
    return true;
  }
}

class WritesWhileLent extends Engine {
  override transmitted(_taken: boolean, nowMs: number): void {
    super.transmitted(true, nowMs);
  }
}

class ForgetsDrains extends Engine {
  #drains = 0;
  override drained(nowMs: number): void {
    if (this.#drains++ % 4 !== 3) super.drained(nowMs);
  }
}

class SwallowsAByte extends Engine {
  #chunks = 0;
  override receive(chunk: Uint8Array, nowMs: number): void {
    // As by a miscounted tail.
    super.receive(++this.#chunks === 12 && chunk.length > 1 ? chunk.slice(1) : chunk, nowMs);
  }
}

class ReusesChunks extends Engine {
  #last: Uint8Array | undefined;
  override receive(chunk: Uint8Array, nowMs: number): void {
    this.#last?.fill(0xee);
    this.#last = chunk;
    super.receive(chunk, nowMs);
  }
}

class IsDeafToTime extends Engine {
  override handleTimeout(_nowMs: number): void {}
}

class ForgetsTurns extends Scheduler {
  #turns = 0;
  override afterTurn(task: Task): void {
    if (this.#turns++ % 5 !== 4) super.afterTurn(task);
  }
}

class ForgetsCallbacks extends Scheduler {
  override afterCallback(_task: Task): void {}
}

class ForgetsBursts extends Scheduler {
  override afterBurst(_task: BurstTask): void {}
}

/** A transport that says "taken" of what it only borrowed. */
function deniesLoans(transport: Transport): Transport {
  const { writev } = transport;
  return {
    ...transport,
    write: (chunk) => (transport.write(chunk), true),
    ...(writev === undefined ? {} : { writev: (chunks: readonly Uint8Array[]) => (writev(chunks), true) }),
  };
}

/** The same memory under another name, so that the pool can be given it while it is still in use. */
function shadowOf(segment: Segment): Segment {
  const shadow = Object.create(Object.getPrototypeOf(segment)) as Segment;
  return Object.assign(shadow, segment, {
    cuts: segment.cuts.slice(),
    bodies: segment.bodies.slice(),
    bodyBytes: segment.bodyBytes.slice(),
  });
}

const FAULTS: readonly Fault[] = [
  {
    name: "a segment goes back to the pool when it is taken, not when it is free",
    seedsMax: 20,
    says: /Lent memory was changed/,
    machines: () => ({
      outbound: (queue, pool) =>
        outboundWith(queue, {
          take: () => {
            const segment = queue.take();
            if (segment === undefined) return undefined;
            const shadow = shadowOf(segment);
            pool.give(segment);
            return shadow;
          },
        }),
    }),
  },
  {
    name: "a driver does not hear that memory is lent",
    seedsMax: 10,
    says: /write while memory is lent|Lent memory was changed|no transition from "\w+" on "drained"/,
    machines: () => ({ transport: deniesLoans }),
  },
  {
    name: "an engine writes on while memory is lent",
    seedsMax: 10,
    says: /write while memory is lent|Lent memory was changed/,
    machines: () => ({ engine: WritesWhileLent }),
  },
  {
    name: "a drain is forgotten",
    seedsMax: 10,
    says: /Waited in vain|closed for ERR_PEER_HEARTBEAT_TIMEOUT/,
    machines: () => ({ engine: ForgetsDrains }),
  },
  {
    name: "a restart of the input is forgotten",
    seedsMax: 20,
    says: /Waited in vain/,
    machines: () => ({ engine: ForgetsRestarts }),
  },
  {
    name: "the end of a turn is forgotten",
    seedsMax: 40,
    says: /Waited in vain/,
    machines: () => ({ scheduler: ForgetsTurns }),
  },
  {
    name: "the end of a callback is forgotten",
    seedsMax: 60,
    says: /Waited in vain/,
    machines: () => ({ scheduler: ForgetsCallbacks }),
  },
  {
    name: "a burst of writes is forgotten",
    seedsMax: 60,
    says: /Waited in vain/,
    machines: () => ({ scheduler: ForgetsBursts }),
  },
  {
    name: "silence is never found",
    seedsMax: 40,
    says: /Waited in vain/,
    machines: () => ({ engine: IsDeafToTime }),
  },
  {
    name: "the transport is never paused",
    seedsMax: 40,
    says: /more than its bound/,
    machines: () => ({ engine: NeverPauses }),
  },
  {
    name: "messages are decoded above the mark",
    seedsMax: 10,
    says: /more than its mark/,
    machines: () => ({ inbound: (queue) => inboundWith(queue, { credit: 1_000 }) }),
  },
  {
    name: "of two segments the newer goes first",
    seedsMax: 20,
    says: /given to connections|connection's messages/,
    machines: () => {
      let older: Segment | undefined;
      return {
        outbound: (queue) =>
          outboundWith(queue, {
            take: () => {
              const first = older ?? queue.take();
              older = undefined;
              const second = queue.take();
              if (second === undefined) return first;
              older = first;
              return second;
            },
          }),
      };
    },
  },
  {
    name: "what is queued is dropped with the connection",
    seedsMax: 20,
    says: /given to connections/,
    machines: () => ({ lost: (queue) => queue.clear() }),
  },
  {
    name: "what was in flight is sent again on the next connection",
    seedsMax: 20,
    says: /given to connections|twice/,
    machines: () => {
      const again: Segment[] = [];
      return {
        outbound: (queue) =>
          outboundWith(queue, {
            take: () => again.shift() ?? queue.take(),
            discard: (segment) => void again.push(segment),
          }),
      };
    },
  },
  {
    name: "frames of one message come as two",
    seedsMax: 5,
    says: /frames of message|has 7 bytes|more than its mark/,
    machines: () => ({
      inbound: (queue) =>
        inboundWith(queue, {
          message: (frames) => {
            for (const frame of frames) queue.message([frame], frame.length);
          },
        }),
    }),
  },
  {
    name: "a message is delivered twice",
    seedsMax: 5,
    says: /came twice|more than its mark|connection's messages/,
    machines: () => {
      let runs = 0;
      return {
        inbound: (queue) =>
          inboundWith(queue, {
            run: (bytes, start, end, messages) => {
              queue.run(bytes, start, end, messages);
              if (++runs === 7) queue.run(bytes, start, end, messages);
            },
          }),
      };
    },
  },
  {
    name: "a message vanishes between decoder and queue",
    seedsMax: 5,
    says: /connection's messages|Waited in vain|lost one/,
    machines: () => {
      let messages = 0;
      return {
        inbound: (queue) =>
          inboundWith(queue, {
            message: (frames, bytes) => {
              if (++messages !== 5) queue.message(frames, bytes);
            },
          }),
      };
    },
  },
  {
    name: "a byte of the stream is lost",
    seedsMax: 10,
    says: /closed for ERR_PEER|Waited in vain|message|bytes/,
    machines: () => ({ engine: SwallowsAByte }),
  },
  {
    name: "a chunk's memory is used again after it was given away",
    seedsMax: 20,
    says: /frame|message|bytes|length|closed for ERR_PEER/,
    machines: () => ({ engine: ReusesChunks }),
  },
];

for (const { name, machines, seedsMax, says } of FAULTS) {
  test(`the simulation finds that ${name}`, async () => {
    const { error } = await seedsUntilFound(machines(), seedsMax);
    if (says !== undefined) assert(says.test(error.message), `found something else: ${error.message}`);
  });
}
