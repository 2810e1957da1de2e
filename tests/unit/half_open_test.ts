import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { HalfOpen, hostOf } from "../../src/session/half_open.ts";
import fc from "../support/properties.ts";

test("the oldest handshake of the host with most of them goes first, as in a model that counts them all", () => {
  const hosts = fc.constantFrom("a", "b", "c");
  const steps = fc.array(fc.oneof(
    fc.record({ add: hosts }),
    fc.record({ remove: fc.nat(50) }),
    fc.constant({ evict: true as const }),
  ));
  fc.assert(fc.property(steps, (todo) => {
    const halfOpen = new HalfOpen<number>();
    let model: { id: number; host: string }[] = [];
    let id = 0;
    for (const step of todo) {
      if ("add" in step) {
        halfOpen.add(++id, "");
        halfOpen.add(id, step.add);
        model.push({ id, host: step.add });
      } else if ("remove" in step) {
        halfOpen.delete(step.remove);
        model = model.filter((one) => one.id !== step.remove);
      } else {
        const worst = halfOpen.worst;
        const most = Math.max(0, ...["a", "b", "c"].map((host) => countOf(model, host)));
        const worstHost = model.find((one) => one.id === worst)?.host;
        assertEquals(countOf(model, worstHost), most);
        assertEquals(worst, model.find(({ host }) => host === worstHost)?.id, "the oldest of its host");
        if (worst !== undefined) halfOpen.delete(worst);
        model = model.filter((one) => one.id !== worst);
      }
      assertEquals(halfOpen.size, model.length);
    }
  }));
});

function countOf(model: readonly { readonly host: string }[], host: string | undefined): number {
  return model.filter((one) => one.host === host).length;
}

test("where every host has one handshake, the oldest goes", () => {
  const halfOpen = new HalfOpen<string>();
  for (const host of ["a", "b", "c"]) halfOpen.add(host, host);
  assertEquals(halfOpen.worst, "a");
});

test("an address is told apart by its host", () => {
  assertEquals(hostOf("tcp://10.0.0.1:5555"), "tcp://10.0.0.1");
  assertEquals(hostOf("tcp://[fe80::1%eth0]:5555"), "tcp://[fe80::1%eth0]");
  assertEquals(hostOf("ipc:///run/a.sock"), "ipc:///run/a.sock");
  assertEquals(hostOf(""), "");
});
