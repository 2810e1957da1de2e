import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Context, Pull, Push } from "../../mod.ts";
import { candidates, freshPath } from "./support.ts";

const ROUNDS = 20;

for (const scheme of ["tcp", "ipc"]) {
  for (const { label, factory } of await candidates(scheme)) {
    test(`${label}: an endpoint is bound again right after close(), ${ROUNDS} times out of ${ROUNDS}`, async () => {
      const context = new Context({ transports: { [scheme]: factory } });
      let endpoint = scheme === "tcp" ? "tcp://127.0.0.1:*" : `ipc://${freshPath()}`;
      for (let round = 0; round < ROUNDS; round++) {
        const pull = new Pull({ context });
        await pull.bind(endpoint);
        endpoint = pull.lastEndpoint!;
        const push = new Push({ context });
        push.connect(endpoint);
        await push.send(`${round}`);
        const [frame] = await pull.receive();
        assertEquals(new TextDecoder().decode(frame), `${round}`);
        push.close();
        // Nothing is awaited between this and the next bind.
        pull.close();
      }
    });

    test(`${label}: an endpoint is bound again right after unbind() was called, without waiting for it`, async () => {
      const context = new Context({ transports: { [scheme]: factory } });
      let endpoint = scheme === "tcp" ? "tcp://127.0.0.1:*" : `ipc://${freshPath()}`;
      const pull = new Pull({ context });
      const unbound: Promise<void>[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await pull.bind(endpoint);
        endpoint = pull.lastEndpoint!;
        unbound.push(pull.unbind(endpoint));
      }
      await Promise.all(unbound);
      // The last listener is gone, and none of those before it has taken its address or its file along.
      await pull.bind(endpoint);
      const push = new Push({ context });
      push.connect(endpoint);
      await push.send("still there");
      await pull.receive();
      await Promise.all([push, pull].map((socket) => socket[Symbol.asyncDispose]()));
    });
  }
}
