import { test } from "node:test";
import { networkInterfaces } from "node:os";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { scopeOf, withScope } from "../../adapters/addresses.ts";
import { detectRuntime } from "../../adapters/detect.ts";
import { formatTcpEndpoint, parseTcpEndpoint } from "../../src/socket/endpoint.ts";
import { benchOf, candidates } from "./support.ts";

test("a link-local address gets the scope that a runtime left out, and nothing else does", () => {
  const scoped: readonly (readonly [string, string, string])[] = [
    ["fe80::1", "eth0", "fe80::1%eth0"],
    ["FE80::1", "eth0", "FE80::1%eth0"],
    ["febf::1", "2", "febf::1%2"],
    ["fe80::1%lo", "eth0", "fe80::1%lo"],
    ["fe80::1", "", "fe80::1"],
    ["fec0::1", "eth0", "fec0::1"],
    ["fd00::1", "eth0", "fd00::1"],
    ["::1", "eth0", "::1"],
    ["127.0.0.1", "eth0", "127.0.0.1"],
  ];
  for (const [address, scope, expected] of scoped) assertEquals(withScope(address, scope), expected);
  assertEquals([scopeOf("fe80::1%eth0"), scopeOf("fe80::1"), scopeOf("127.0.0.1")], ["eth0", "", ""]);
});

test("a scope survives from an endpoint to the socket's address and back", () => {
  const { host } = parseTcpEndpoint("tcp://[fe80::1%eth0]:5555");
  const endpoint = formatTcpEndpoint(withScope("fe80::1", scopeOf(host)), 5555);
  assertEquals(endpoint, "tcp://[fe80::1%eth0]:5555");
  assertEquals(parseTcpEndpoint(endpoint, "connect").host, "fe80::1%eth0");
});

/** A link-local address of this machine, where it has one. */
const [found] = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
  (addresses ?? []).filter(({ address }) => address.startsWith("fe80:"))
    .map(({ address }) => `${address.split("%")[0]}%${name}`)
);

if (found !== undefined) {
  for (const candidate of await candidates("tcp")) {
    // Deno's `node:net` binds no address with a scope.
    if (detectRuntime() === "deno" && candidate.label.startsWith("node")) continue;

    test(`${candidate.label}: both ends of a link-local connection are told with their scope`, async () => {
      const bench = benchOf(candidate);
      const { address } = await bench.listen(`tcp://[${found}]:*`);
      assertStringIncludes(address, `[${found}]`);
      const probe = bench.dial(address);
      await probe.until("open", () => probe.opened || probe.closed);
      assertEquals(probe.info?.remoteAddress, address, String(probe.cause));
      assertStringIncludes(probe.info?.localAddress ?? "", `[${found}]`);
      while (bench.accepted.length === 0) await bench.turn();
      const accepted = bench.accepted[0]!;
      await accepted.until("open", () => accepted.opened);
      assertEquals(accepted.info, {
        localAddress: address,
        remoteAddress: probe.info?.localAddress ?? "",
      });
      await bench.clear();
    });
  }
}
