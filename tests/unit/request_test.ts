import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { Context } from "../../src/socket/context.ts";
import { Request, type RetryOptions } from "../../src/socket/types/request.ts";
import { Reply, Router } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { textOf } from "./building_blocks.ts";

/** A Request and a Router that sees every attempt. */
class Bench {
  readonly world: World = new World(1);
  readonly context: Context = new Context({ host: this.world.host });
  readonly router: Router = new Router({ context: this.context });
  readonly socket: Request;

  constructor(correlate = true) {
    this.socket = new Request({ context: this.context, correlate, relaxed: correlate });
  }

  async meet(): Promise<void> {
    await this.world.driveTo(this.router.bind("inproc://router"));
    this.socket.connect("inproc://router");
    await this.world.driveTo(this.socket.ready());
  }

  /** How a request ends: the reply's text, or the code of the error and its message. */
  ask(text: string, options?: RetryOptions): Promise<string> {
    return this.socket.request(text, options).then(
      textOf,
      (error: MisuseError) => `${error.code}: ${error.message}`,
    );
  }

  /** Attempts that arrived and nobody took: the last frame of each. */
  arrived(): string[] {
    const texts: string[] = [];
    for (let message = this.router.tryReceive(); message !== undefined; message = this.router.tryReceive()) {
      texts.push(new TextDecoder().decode(message.at(-1)));
    }
    return texts;
  }

  /** Answers the next attempt. */
  async answer(text: string): Promise<void> {
    const message = await this.world.driveTo(this.router.receive());
    await this.world.driveTo(this.router.send([...message.slice(0, -1), text]));
  }
}

test("without a time-out a request waits for its reply, however long that takes", async () => {
  const bench = new Bench();
  await bench.meet();
  const asked = bench.ask("a");
  await bench.world.driveFor(3_600_000);
  await bench.answer("A");
  assertEquals(await bench.world.driveTo(asked), "A");
});

test("an attempt is made once without retries, and once more for each", async () => {
  const bench = new Bench();
  await bench.meet();
  const once = bench.ask("a", { timeoutMs: 100 });
  await bench.world.driveFor(1_000);
  assertEquals([await once, bench.arrived()], ["ERR_TIMEOUT: No reply within 100 ms", ["a"]]);
  const thrice = bench.ask("b", { timeoutMs: 100, retries: 2 });
  await bench.world.driveFor(1_000);
  assertEquals(await thrice, "ERR_TIMEOUT: No reply within 100 ms, 3 times");
  assertEquals(bench.arrived(), ["b", "b", "b"]);
  const third = bench.ask("c", { timeoutMs: 100, retries: 2 });
  await bench.world.driveFor(250);
  assertEquals(bench.arrived(), ["c", "c", "c"]);
  assertEquals((await bench.world.driveTo(third)).slice(0, 11), "ERR_TIMEOUT");
});

test("a second request while one is under way is refused, and leaves the first alone", async () => {
  const bench = new Bench();
  await bench.meet();
  const first = bench.ask("a", { timeoutMs: 10_000 });
  const pending = "ERR_STATE: Cannot send: the last request has no reply yet";
  assertEquals(await bench.ask("b"), pending);
  await bench.world.driveFor(1);
  assertEquals(await bench.ask("c"), pending);
  await bench.answer("A");
  assertEquals([await bench.world.driveTo(first), bench.arrived()], ["A", []]);
  const next = bench.ask("d");
  await bench.answer("D");
  assertEquals(await bench.world.driveTo(next), "D");
});

test("a request while a plain one has no reply is refused", async () => {
  const bench = new Bench(false);
  await bench.meet();
  await bench.world.driveTo(bench.socket.send("plain"));
  assertEquals((await bench.ask("b")).slice(0, 9), "ERR_STATE");
});

test("retries need replies that can be told apart; a single attempt does not", async () => {
  const bench = new Bench(false);
  await bench.meet();
  const refused = 'ERR_STATE: Cannot retry requests: the option "correlate" is not set';
  assertEquals(await bench.ask("a", { retries: 1, timeoutMs: 10 }), refused);
  const asked = bench.ask("b", { retries: 0, timeoutMs: 1_000 });
  await bench.answer("B");
  assertEquals([await bench.world.driveTo(asked), bench.arrived()], ["B", []]);
});

test("a request that ended, however, leaves a socket that can be used, no timer and no listener", async () => {
  const bench = new Bench();
  await bench.meet();
  let listening = 0;
  const controller = new AbortController();
  const { signal } = controller;
  const watched = {
    get aborted(): boolean {
      return signal.aborted;
    },
    get reason(): unknown {
      return signal.reason;
    },
    addEventListener: (type: "abort", listener: () => void): void => {
      listening++;
      signal.addEventListener(type, listener);
    },
    removeEventListener: (type: "abort", listener: () => void): void => {
      listening--;
      signal.removeEventListener(type, listener);
    },
  };
  const options = { timeoutMs: 3_600_000, retries: 3, signal: watched };
  const first = bench.ask("a", options);
  await bench.world.driveFor(1);
  assertEquals(listening > 0, true);
  await bench.answer("A");
  assertEquals([await bench.world.driveTo(first), listening], ["A", 0]);
  const { nowMs } = bench.world;
  await bench.world.driveIdle();
  assertEquals(bench.world.nowMs - nowMs < 60_000, true, "a timer was left");

  const second = assertRejects(() => bench.socket.request("b", options), MisuseError);
  await bench.world.driveFor(1);
  controller.abort("enough");
  const error = await bench.world.driveTo(second);
  assertEquals([error.code, error.cause, listening, bench.arrived()], ["ERR_ABORTED", "enough", 0, ["b"]]);
  const before = await assertRejects(() => bench.socket.request("c", options), MisuseError);
  assertEquals([before.code, listening, bench.arrived()], ["ERR_ABORTED", 0, []]);

  const next = bench.ask("d");
  await bench.answer("D");
  assertEquals(await bench.world.driveTo(next), "D");
});

test("the reply to a request that was given up is not taken for the next one's", async () => {
  const bench = new Bench();
  await bench.meet();
  const late = bench.ask("a", { timeoutMs: 10 });
  await bench.world.driveFor(100);
  assertEquals((await late).slice(0, 11), "ERR_TIMEOUT");
  const next = bench.ask("b");
  await bench.world.driveFor(1);
  await bench.answer("A");
  await bench.answer("B");
  assertEquals(await bench.world.driveTo(next), "B");
});

test("a request that finds nobody ends by its time-out, is not sent later, and one on a closed socket at once", async () => {
  const { world, context, socket } = new Bench();
  const asked = socket.request("a", { timeoutMs: 50, retries: 1 }).catch(({ code }) => code);
  await world.driveFor(1_000);
  assertEquals(await asked, "ERR_TIMEOUT");
  const reply = new Reply({ context });
  await world.driveTo(reply.bind("inproc://late"));
  socket.connect("inproc://late");
  await world.driveFor(100);
  assertEquals(reply.tryReceive(), undefined);
  const waiting = assertRejects(() => socket.request("b"), MisuseError);
  socket.close();
  assertEquals((await waiting).code, "ERR_CLOSED");
  assertEquals((await assertRejects(() => socket.request("c"), MisuseError)).code, "ERR_CLOSED");
});
