import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { LogEvents } from "../../../src/log/client/log_events.ts";
import { World } from "../../support/world.ts";

test("what a log's listener throws surfaces, and the listeners after it hear the event all the same", () => {
  const world = new World(1);
  const events = new LogEvents(world.host);
  const fault = new Error("a listener's fault");
  const heard: string[] = [];
  events.on("connected", () => {
    throw fault;
  });
  events.on("connected", ({ type }) => void heard.push(type));
  events.emit({ type: "connected" });
  events.emit({ type: "connected" });
  world.runIdle();
  assertEquals(heard, ["connected", "connected"]);
  assertEquals(world.reported, [fault, fault]);
});

test("on a host that cannot report, what a listener throws is thrown in a microtask of its own", () => {
  const world = new World(2);
  const thrown: unknown[] = [];
  const { reportError: _, ...host } = world.host;
  const events = new LogEvents({
    ...host,
    microtask: (run) =>
      world.host.microtask(() => {
        try {
          run();
        } catch (error) {
          thrown.push(error);
        }
      }),
  });
  const fault = new Error("a listener's fault");
  events.on("connected", () => {
    throw fault;
  });
  events.emit({ type: "connected" });
  world.runIdle();
  assertEquals(thrown, [fault]);
});
