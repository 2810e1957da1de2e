import { test } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertNotEquals, assertRejects } from "@std/assert";
import { detectHost, detectRuntime, loadAdapter } from "../../adapters/detect.ts";
import { createHost } from "../../adapters/host.ts";
import { Context, MisuseError, Pair } from "../../mod.ts";
import { startProgram } from "./support.ts";

test("the adapter that is loaded is that of the runtime", async () => {
  const adapter = await loadAdapter();
  assertEquals(adapter.name, detectRuntime());
  assertEquals([...adapter.transports.keys()], ["tcp", "ipc", "tls", "ws", "wss", "worker"]);
});

test("sockets that name no context share one of the class that every entry exports", () => {
  const [left, right] = [new Pair(), new Pair()];
  assert(left.context instanceof Context);
  assertEquals(left.context, right.context);
  left.close();
  right.close();
});

test("a context with a host of its own has no transports of the runtime's", async () => {
  const context = new Context({ host: createHost() });
  const error = await new Pair({ context }).bind("tcp://127.0.0.1:0").then(() => undefined, (cause) => cause);
  assert(error instanceof MisuseError);
  assertEquals(error.message, 'Unknown transport "tcp": this context has inproc');
  context.close();
});

test("deferred calls run in their order: the call, microtasks, the turn", async () => {
  const host = detectHost();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    host.turn(() => {
      order.push("turn");
      host.microtask(() => order.push("microtask of the turn"));
      host.turn(resolve);
    });
    host.microtask(() => order.push("microtask"));
    order.push("call");
  });
  assertEquals(order, ["call", "microtask", "turn", "microtask of the turn"]);
});

test("what runs after the reactions comes after a whole chain of awaits, and before the turn ends", async () => {
  const host = detectHost();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    host.schedule(0, () => {
      host.turn(() => {
        order.push("turn");
        resolve();
      });
      Promise.resolve().then(async () => {
        host.afterReactions!(() => void order.push("after"));
        for (let i = 0; i < 5; i++) await undefined;
        order.push("awaited");
      });
    }, true);
  });
  assertEquals(order, ["awaited", "after", "turn"]);
});

test("the monotonic clock never runs back, and the other tells the time of day", () => {
  const host = createHost();
  let before = host.nowMs();
  for (let i = 0; i < 1000; i++) {
    const now = host.nowMs();
    assertGreaterOrEqual(now, before);
    before = now;
  }
  assertGreaterOrEqual(host.wallMs(), Date.UTC(2024, 0));
});

test("a scheduled call runs once, a cancelled one never, and a wait without end needs no timer", async () => {
  const host = createHost();
  const ran: string[] = [];
  const cancels = [
    host.schedule(1, () => ran.push("cancelled"), true),
    host.schedule(Infinity, () => ran.push("endless"), true),
    // Longer than a timer can be; Node would run it at once.
    host.schedule(2 ** 33, () => ran.push("long"), true),
  ];
  cancels[0]?.();
  host.schedule(-5, () => ran.push("negative"), true);
  host.schedule(0.2, () => ran.push("short"), true);
  await new Promise<void>((resolve) => host.schedule(20, resolve, true));
  assertEquals([...ran].sort(), ["negative", "short"]);
  for (const cancel of cancels) cancel();
});

test("random fills more than the 64 KiB that one call of the system takes", () => {
  const bytes = new Uint8Array(200_000);
  createHost().random(bytes);
  // 32 zero bytes in a row come once in 2^256 places.
  for (let at = 0; at + 32 <= bytes.length; at += 32) {
    assert(bytes.subarray(at, at + 32).some((byte) => byte !== 0));
  }
  const more = new Uint8Array(32);
  createHost().random(more);
  assertNotEquals(more, bytes.slice(0, 32));
});

test("crc32 is that of zlib, and can be continued", () => {
  const { crc32 } = createHost();
  assert(crc32 !== undefined);
  const digits = Uint8Array.from("123456789", (digit) => digit.charCodeAt(0));
  assertEquals(crc32(digits, 0), 0xcbf43926);
  assertEquals(crc32(digits.subarray(4), crc32(digits.subarray(0, 4), 0)), 0xcbf43926);
});

for (const scheme of ["tcp", "tls"]) {
  test(`keepAlive holds a process over ${scheme}, and a process without any hold ends by itself`, async () => {
    const program = startProgram("idle_program", scheme);
    assertEquals(await program.output, "held\n");
  });
}

test("what a listener throws surfaces as an uncaught exception, and its socket goes on", async () => {
  const program = startProgram("throwing_listeners");
  assertEquals(await program.output, "still here, a listener of left, a listener of right\n");
});

test("what a listener throws ends a program that does not look out for it", async () => {
  const program = startProgram("throwing_listeners", "unguarded");
  await assertRejects(() => program.output, Error, "throwing_listeners ended with 1");
});
