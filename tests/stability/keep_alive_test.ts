import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { createHost } from "../../adapters/host.ts";
import { MisuseError } from "../../src/errors.ts";
import type { Host, Listener, TransportFactory } from "../../src/ports.ts";
import { Context } from "../../src/socket/context.ts";
import { Pull } from "../../mod.ts";
import { loopTurn } from "../interop/support/deadline.ts";

// A process must live as long as somebody awaits the beginning or the end of a bound endpoint: nothing else may hold it,
// because listeners and streams are not referenced.

/** A host that tells whether the process would live, and whose timers run when the test says so. */
class Watched {
  alive = false;
  readonly host: Host;
  #timers: (() => void)[] = [];

  constructor() {
    this.host = {
      ...createHost(),
      keepAlive: (on) => void (this.alive = on),
      schedule: (_delayMs, run) => {
        this.#timers.push(run);
        return () => void (this.#timers = this.#timers.filter((timer) => timer !== run));
      },
    };
  }

  runTimers(): void {
    const timers = this.#timers;
    this.#timers = [];
    for (const run of timers) run();
  }
}

/** A transport whose listener is bound, and gone, when the test says so. */
class SlowListener {
  bound: (error?: Error) => void = () => {};
  gone: () => void = () => {};
  readonly factory: TransportFactory = {
    dial: () => {
      throw new Error("nobody dials here");
    },
    listen: (address) => () => this.#listen(address),
  };

  #listen(address: string): Promise<Listener> {
    const closed = new Promise<void>((resolve) => {
      this.gone = resolve;
    });
    return new Promise((resolve, reject) => {
      this.bound = (error) => error === undefined ? resolve({ address, close: () => closed }) : reject(error);
    });
  }
}

function open(): { watched: Watched; listener: SlowListener; pull: Pull } {
  const watched = new Watched();
  const listener = new SlowListener();
  const context = new Context({ host: watched.host, transports: { slow: listener.factory } });
  return { watched, listener, pull: new Pull({ context }) };
}

test("a process lives while a bind is under way, while the endpoint is bound, and until it is closed", async () => {
  const { watched, listener, pull } = open();
  const binding = pull.bind("slow://here");
  await loopTurn();
  watched.runTimers();
  assertEquals(watched.alive, true, "while it binds");
  listener.bound();
  await binding;
  watched.runTimers();
  assertEquals(watched.alive, true, "while it is bound");
  const ended = pull[Symbol.asyncDispose]();
  await loopTurn();
  watched.runTimers();
  assertEquals(watched.alive, true, "while it closes");
  listener.gone();
  await ended;
  watched.runTimers();
  assertEquals(watched.alive, false, "when all is closed");
});

test("a process lives while an endpoint is unbound, and no longer", async () => {
  const { watched, listener, pull } = open();
  const binding = pull.bind("slow://here");
  await loopTurn();
  listener.bound();
  await binding;
  const unbinding = pull.unbind("slow://here");
  await loopTurn();
  watched.runTimers();
  assertEquals(watched.alive, true);
  listener.gone();
  await unbinding;
  watched.runTimers();
  assertEquals(watched.alive, false);
  pull.close();
});

test("a bind that fails holds nothing", async () => {
  const { watched, listener, pull } = open();
  const binding = pull.bind("slow://here");
  await loopTurn();
  listener.bound(new MisuseError("ERR_ADDRESS", "Not here"));
  await assertRejects(() => binding, MisuseError, "Not here");
  watched.runTimers();
  assertEquals(watched.alive, false);
  pull.close();
});
