import { test } from "node:test";
import { Load, simulateLog } from "./log_simulate.ts";

for (const order of [0, 2, 4, 5] as const) {
  test(`scenario 20: order ${order}: two and ten publishers, shuffled, doubled and late batches: each record once`, () => {
    simulateLog(
      `order ${order}`,
      30,
      (seed) => ({ store: seed % 3 === 0 ? "disk" : "memory" }),
      (world, seed) => {
        const load = new Load(world, {
          publishers: seed % 2 === 0 ? 2 : 10,
          clients: seed % 2 === 0 ? 2 : 4,
          records: seed % 2 === 0 ? 60 : 20,
          onTopic: { order },
          readers: [{}],
        });
        load.finish();
        load.judge();
      },
    );
  });
}
