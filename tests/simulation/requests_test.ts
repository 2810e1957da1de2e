import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { Proxy } from "../../src/socket/proxy.ts";
import { Request } from "../../src/socket/types/request.ts";
import { Dealer, Reply, Router } from "../../src/socket/sockets.ts";
import { SEED_SHARE, simulate } from "../support/simulate.ts";
import { Scene } from "./scene.ts";

const IMPATIENT = {
  heartbeatInterval: 1_000,
  heartbeatTimeout: 8_000,
  handshakeInterval: 20_000,
  connectTimeout: 2_000,
  reconnectInterval: 10,
};

/** Answers every request with its own text in capitals, until the socket closes. */
async function serve(reply: Reply): Promise<number> {
  let served = 0;
  for await (const [question] of reply) {
    served++;
    await reply.send(new TextDecoder().decode(question).toUpperCase());
  }
  return served;
}

function textOf(message: readonly Uint8Array[]): string {
  return message.map((frame) => new TextDecoder().decode(frame)).join("|");
}

test("REQ and REP: every request gets its own reply, through any harmless links", async () => {
  await simulate("requests", 60, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const reply = scene.add(new Reply({ context, sendHighWaterMark: 1, receiveHighWaterMark: 1 }));
    await scene.bind(reply, "sim://service");
    const served = serve(reply);
    const correlate = world.random.chance(0.5);
    const clients = [0, 1, 2].map(async (client) => {
      const request = scene.add(new Request({ context, correlate, sendHighWaterMark: 1 }));
      request.connect("sim://service");
      for (let round = 0; round < 4; round++) {
        assertEquals(
          textOf(await request.request(`client ${client}, ${round}`)),
          `CLIENT ${client}, ${round}`,
        );
      }
    });
    await world.driveTo(Promise.all(clients), { withinMs: 1e9 });
    await scene.end();
    assertEquals(await served, 12);
  }, { link: { canPause: true } });
});

test("with correlation, retries come through cuts and silence, and no reply is ever taken for another's", async () => {
  let broken = 0;
  let served = 0;
  await simulate("retries", 60, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    scene.calmAfter(8);
    const replies = [0, 1].map((index) => scene.add(new Reply({ context, ...IMPATIENT, linger: index })));
    for (const [index, reply] of replies.entries()) await scene.bind(reply, `sim://service-${index}`);
    const serving = replies.map(serve);
    const request = scene.add(new Request({ context, correlate: true, ...IMPATIENT }));
    for (const index of [0, 1]) request.connect(`sim://service-${index}`);
    for (let round = 0; round < 6; round++) {
      const timeoutMs = world.random.pick([4_000, 20_000, 120_000]);
      const asked = request.request(`round ${round}`, { timeoutMs, retries: 500 });
      assertEquals(textOf(await world.driveTo(asked, { withinMs: 1e9 })), `ROUND ${round}`);
    }
    broken += world.links.filter((link) => link.broken).length;
    await scene.end();
    for (const count of await Promise.all(serving)) served += count;
  }, { faults: true, link: { canPause: true } });
  if (!process.env["HAWSER_SEED"]) {
    assert(broken > 50 * SEED_SHARE && served > 6 * 60 * SEED_SHARE, `${broken} broken, ${served} served`);
  }
});

test("a request without an answer ends after its time, and the socket can ask again", async () => {
  await simulate("no answer", 20, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const request = scene.add(new Request({ context, correlate: true }));
    request.connect("sim://service");
    const before = world.nowMs;
    const error = await world.driveTo(
      assertRejects(() => request.request("anybody?", { timeoutMs: 1_000, retries: 2 }), MisuseError),
    );
    assertEquals(error.code, "ERR_TIMEOUT");
    assert(world.nowMs - before >= 2_990 && world.nowMs - before < 3_200, `${world.nowMs - before} ms`);
    const reply = scene.add(new Reply({ context }));
    await scene.bind(reply, "sim://service");
    const served = serve(reply);
    assertEquals(textOf(await world.driveTo(request.request("now?"), { withinMs: 1e9 })), "NOW?");
    await scene.end();
    assert(await served >= 1);
  }, { link: { canPause: true } });
});

test("requests through a proxy keep their envelopes, while it is paused and resumed", async () => {
  await simulate("proxy", 40, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const marks = { sendHighWaterMark: world.random.pick([1, 2, 1_000]), receiveHighWaterMark: 1 };
    const proxy = new Proxy(
      scene.add(new Router({ context, ...marks })),
      scene.add(new Dealer({ context, ...marks })),
    );
    await scene.bind(proxy.frontEnd, "sim://front");
    await scene.bind(proxy.backEnd, "sim://back");
    const running = proxy.run();
    const serving = [0, 1].map(() => {
      const reply = scene.add(new Reply({ context }));
      reply.connect("sim://back");
      return serve(reply);
    });
    let open = true;
    const flicker = (): void => {
      if (!open) return;
      if (proxy.paused) proxy.resume();
      else proxy.pause();
      world.host.schedule(world.random.upTo(50), flicker, true);
    };
    flicker();
    const clients = [0, 1, 2].map(async (client) => {
      const request = scene.add(new Request({ context }));
      request.connect("sim://front");
      for (let round = 0; round < 4; round++) {
        assertEquals(
          textOf(await request.request(`client ${client}, ${round}`)),
          `CLIENT ${client}, ${round}`,
        );
      }
    });
    await world.driveTo(Promise.all(clients), { withinMs: 1e9 });
    open = false;
    const { frontToBack, backToFront } = proxy.statistics;
    assertEquals([frontToBack.messages, backToFront.messages], [12, 12]);
    proxy.terminate();
    await world.driveTo(running);
    await scene.end();
    await Promise.all(serving);
  }, { link: { canPause: true } });
});
