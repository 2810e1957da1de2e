import { test } from "node:test";
import { networkInterfaces } from "node:os";
import { assert, assertEquals, assertInstanceOf, assertMatch, assertStringIncludes } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { codeOf } from "../../adapters/system_errors.ts";
import { benchOf, type Candidate, candidates, errorOf, withProgram } from "./support.ts";

for (const candidate of await candidates("tcp")) {
  const { label, factory } = candidate;

  test(`${label}: IPv6 loopback is written in brackets at both ends`, async () => {
    const { dialled, accepted, address } = await connectVia(candidate, "tcp://[::1]:*");
    assertMatch(address, /^tcp:\/\/\[::1\]:[1-9]\d*$/);
    assertEquals(dialled.remoteAddress, address);
    assertEquals(accepted.localAddress, address);
    assertMatch(dialled.localAddress, /^tcp:\/\/\[::1\]:[1-9]\d*$/);
    assertEquals(accepted.remoteAddress, dialled.localAddress);
  });

  test(`${label}: * with port 0 is every IPv4 interface, and the real port is told`, async () => {
    const { dialled, accepted, address } = await connectVia(
      candidate,
      "tcp://*:0",
      (port) => `tcp://127.0.0.1:${port}`,
    );
    assertMatch(address, /^tcp:\/\/0\.0\.0\.0:[1-9]\d*$/);
    assertEquals(accepted.localAddress, dialled.remoteAddress);
    assertEquals(accepted.remoteAddress, dialled.localAddress);
  });

  test(`${label}: * with ipv6 takes IPv4 as well, and writes it as IPv4`, async () => {
    const bench = benchOf(candidate, { ipv6: true });
    const listener = await bench.listen("tcp://*:*");
    assertMatch(listener.address, /^tcp:\/\/\[::\]:[1-9]\d*$/);
    for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
      const probe = bench.dial(`tcp://${host}:${portOf(listener.address)}`);
      await probe.until("open", () => probe.opened || probe.closed);
      assert(probe.opened, `${host} is not reachable: ${String(probe.cause)}`);
      probe.writePattern(1);
    }
    while (bench.accepted.length < 3) await bench.turn();
    for (const probe of bench.accepted) await probe.until("open", () => probe.opened);
    const remotes = bench.accepted.map(({ info }) => hostOf(info?.remoteAddress ?? ""));
    assert(remotes.includes("127.0.0.1"), remotes.join(" "));
    assert(remotes.includes("[::1]"), remotes.join(" "));
    await bench.clear();
  });

  test(`${label}: a network interface can be bound by its name`, async () => {
    const [name] = Object.entries(networkInterfaces())
      .find(([, found]) => found?.some(({ address }) => address === "127.0.0.1")) ?? [];
    assert(name !== undefined, "this machine has no loopback interface");
    const { address } = await connectVia(candidate, `tcp://${name}:*`);
    assertEquals(hostOf(address), "127.0.0.1");
  });

  test(`${label}: an unknown interface is refused with the names of those there are`, async () => {
    const bench = benchOf(candidate);
    const error = await errorOf(() => bench.listen("tcp://no-such-interface:*"));
    assertMisuse(error, "ERR_ADDRESS");
    assertStringIncludes(error.message, Object.keys(networkInterfaces())[0] ?? "");
  });

  test(`${label}: an address of another machine is refused with the system's reason`, async () => {
    const bench = benchOf(candidate);
    const error = await errorOf(() => bench.listen("tcp://203.0.113.7:*"));
    assertMisuse(error, "ERR_ADDRESS");
    // The second is what `node:net` of Deno says.
    assert(["EADDRNOTAVAIL", "EINVAL"].includes(codeOf(error.cause) ?? ""), String(error.cause));
  });

  for (const options of [{}, { ipv6: false }, { ipv6: true }]) {
    test(`${label}: localhost is found with ${JSON.stringify(options)}`, async () => {
      const bench = benchOf(candidate, options);
      const listener = await bench.listen("tcp://127.0.0.1:*");
      const probe = bench.dial(`tcp://localhost:${portOf(listener.address)}`);
      await probe.until("open", () => probe.opened || probe.closed);
      assert(probe.opened, String(probe.cause));
      assertEquals(probe.info?.remoteAddress, listener.address);
      await bench.clear();
    });

    test(`${label}: a host name that nobody has closes the stream with ${JSON.stringify(options)}`, async () => {
      const bench = benchOf(candidate, options);
      const probe = bench.dial("tcp://no-such-host.invalid:5555");
      await probe.until("close", () => probe.closed);
      assert(!probe.opened && probe.cause !== undefined);
      await bench.clear();
    });
  }

  test(`${label}: a stream leaves from the source address and port that the endpoint names`, async () => {
    const source = portOf(await freePort(candidate));
    for (
      const [from, expected] of [["127.0.0.2:*", "127.0.0.2"], [
        `*:${source}`,
        `127.0.0.1:${source}`,
      ]] as const
    ) {
      const { accepted } = await connectVia(
        candidate,
        "tcp://127.0.0.1:*",
        (port) => `tcp://${from};127.0.0.1:${port}`,
      );
      assertStringIncludes(accepted.remoteAddress, `tcp://${expected}`);
    }
  });

  test(`${label}: a source address of another machine closes the stream`, async () => {
    for (const source of ["203.0.113.7:0", "no-such-interface:*"]) {
      const bench = benchOf(candidate);
      const listener = await bench.listen("tcp://127.0.0.1:*");
      const probe = bench.dial(`tcp://${source};127.0.0.1:${portOf(listener.address)}`);
      await probe.until("close", () => probe.closed);
      assert(!probe.opened && probe.cause !== undefined);
      await bench.clear();
    }
  });

  test(`${label}: a peer that does not answer closes the stream when the connect time-out runs out`, async () => {
    // A stopped process accepts nobody, so its backlog (on Bun always 512) fills up. Who comes then gets no answer.
    await withProgram(["hold_socket", "tcp"], async (program, port) => {
      process.kill(program.process.pid ?? 0, "SIGSTOP");
      const bench = benchOf(candidate, { connectTimeoutMs: 300 });
      let probe = bench.dial(`tcp://127.0.0.1:${port}`);
      for (let i = 0; i < 1000 && !probe.closed; i++) {
        await probe.until("open or close", () => probe.opened || probe.closed);
        if (probe.opened) probe = bench.dial(`tcp://127.0.0.1:${port}`);
      }
      assertEquals(codeOf(probe.cause), "ETIMEDOUT");
      await bench.clear();
    });
  });

  test(`${label}: keep-alive options are taken`, async () => {
    for (const options of [{ tcpKeepalive: true, tcpKeepaliveIdleMs: 30_000 }, { tcpKeepalive: false }]) {
      const bench = benchOf(candidate, { ...options, backlog: 5 });
      const listener = await bench.listen("tcp://127.0.0.1:*");
      const probe = bench.dial(listener.address);
      await probe.until("open", () => probe.opened);
      await bench.clear();
    }
  });

  for (
    const address of [
      "tcp://*:5555",
      "tcp://127.0.0.1:*",
      "tcp://127.0.0.1:0",
      "tcp://::1:5",
      "tcp://a:65536",
    ]
  ) {
    test(`${label}: dial refuses ${address}`, async () => {
      assertMisuse(await errorOf(() => factory.dial(address, {})), "ERR_ENDPOINT");
    });
  }

  for (const address of ["tcp://127.0.0.1", "tcp://1.2.3.4:0;1.2.3.4:5", "tcp://:5", "tcp://a:-1"]) {
    test(`${label}: listen refuses ${address}`, async () => {
      assertMisuse(await errorOf(() => factory.listen(address, {})), "ERR_ENDPOINT");
    });
  }
}

interface Ends {
  readonly address: string;
  readonly dialled: { readonly localAddress: string; readonly remoteAddress: string };
  readonly accepted: { readonly localAddress: string; readonly remoteAddress: string };
}

/** Listens at `address`, dials, and answers what the ends say of themselves. */
async function connectVia(
  candidate: Candidate,
  address: string,
  target: (port: string) => string = () => "",
): Promise<Ends> {
  const bench = benchOf(candidate);
  const listener = await bench.listen(address);
  const dialled = bench.dial(target(portOf(listener.address)) || listener.address);
  await dialled.until("open", () => dialled.opened || dialled.closed);
  assert(dialled.opened, String(dialled.cause));
  while (bench.accepted.length === 0) await bench.turn();
  const accepted = bench.accepted[0];
  assert(accepted !== undefined);
  await accepted.until("open", () => accepted.opened);
  await bench.clear();
  assert(dialled.info !== undefined && accepted.info !== undefined);
  return { address: listener.address, dialled: dialled.info, accepted: accepted.info };
}

async function freePort(candidate: Candidate): Promise<string> {
  const bench = benchOf(candidate);
  const { address } = await bench.listen("tcp://127.0.0.1:*");
  await bench.clear();
  return address;
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

function hostOf(address: string): string {
  return address.slice("tcp://".length, address.lastIndexOf(":"));
}

function assertMisuse(error: Error, code: string): asserts error is MisuseError {
  assertInstanceOf(error, MisuseError);
  assertEquals(error.code, code, error.message);
}
