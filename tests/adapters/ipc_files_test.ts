import { test } from "node:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { platform } from "node:os";
import { dirname } from "node:path";
import { assert, assertEquals, assertInstanceOf, assertNotEquals } from "@std/assert";
import { detectRuntime } from "../../adapters/detect.ts";
import { codeOf } from "../../adapters/system_errors.ts";
import { MisuseError } from "../../src/errors.ts";
import { benchOf, candidates, errorOf, freshPath, withProgram } from "./support.ts";
import type { Bench } from "../../testing/bench.ts";

const all = await candidates("ipc");

for (const candidate of all) {
  const { label, factory } = candidate;

  test(`${label}: the socket file of a killed process is taken over`, async () => {
    const path = freshPath();
    await withProgram(["hold_socket", path], () => Promise.resolve());
    assert(existsSync(path), "the killed process left no file, so there is nothing to test");
    await exchange(benchOf(candidate), `ipc://${path}`);
    assert(!existsSync(path), "the file is still there after the listener closed");
  });

  test(`${label}: the path of a living process is refused and left alone`, async () => {
    const path = freshPath();
    await withProgram(["hold_socket", path], async () => {
      const bench = benchOf(candidate);
      assertMisuse(await errorOf(() => bench.listen(`ipc://${path}`)), "ERR_ADDRESS_IN_USE");
      assert(existsSync(path), "the file of a living process was removed");
      const probe = bench.dial(`ipc://${path}`);
      await probe.until("open", () => probe.opened);
      await bench.clear();
    });
    unlinkSync(path);
  });

  test(`${label}: a regular file, a directory and a dangling name are never removed`, async () => {
    const path = freshPath();
    const bench = benchOf(candidate);
    writeFileSync(path, "precious");
    assertMisuse(await errorOf(() => bench.listen(`ipc://${path}`)), "ERR_ADDRESS_IN_USE");
    assertEquals(readFileSync(path, "utf8"), "precious");
    unlinkSync(path);
    mkdirSync(path);
    assertMisuse(await errorOf(() => bench.listen(`ipc://${path}`)), "ERR_ADDRESS_IN_USE");
    assert(existsSync(path));
    rmdirSync(path);
    const error = await errorOf(() => bench.listen(`ipc://${path}/missing/socket`));
    assertMisuse(error, "ERR_ADDRESS");
    // The second is what Node makes of it.
    assert(["ENOENT", "EACCES"].includes(codeOf(error.cause) ?? ""), String(error.cause));
  });

  test(`${label}: a refused bind does not remove the file of the listener that is there`, async () => {
    const bench = benchOf(candidate);
    const address = `ipc://${freshPath()}`;
    await bench.listen(address);
    for (let i = 0; i < 2; i++) {
      assertMisuse(await errorOf(() => bench.listen(address)), "ERR_ADDRESS_IN_USE");
    }
    const probe = bench.dial(address);
    await probe.until("open", () => probe.opened || probe.closed);
    assert(probe.opened, String(probe.cause));
    await bench.clear();
  });

  test(`${label}: ipc://* makes a fresh file each time and removes it with its directory`, async () => {
    const bench = benchOf(candidate);
    const [first, second] = [await bench.listen("ipc://*"), await bench.listen("ipc://*")];
    assertNotEquals(first.address, second.address);
    const path = first.address.slice("ipc://".length);
    assert(existsSync(path));
    const probe = bench.dial(first.address);
    await probe.until("open", () => probe.opened);
    assertEquals(probe.info, { localAddress: first.address, remoteAddress: first.address });
    await bench.clear();
    assert(!existsSync(dirname(path)), "the directory is still there");
  });

  test(`${label}: a path of 107 bytes works, one more is refused`, async () => {
    const path = `${freshPath()}-`.padEnd(107, "x");
    await exchange(benchOf(candidate), `ipc://${path}`);
    assertMisuse(await errorOf(() => factory.listen(`ipc://${path}x`, {})), "ERR_ENDPOINT");
    assertMisuse(await errorOf(() => factory.dial(`ipc://${path}x`, {})), "ERR_ENDPOINT");
  });

  test(`${label}: a path without a listener closes the stream`, async () => {
    const bench = benchOf(candidate);
    const probe = bench.dial(`ipc://${freshPath()}`);
    await probe.until("close", () => probe.closed);
    assertEquals(codeOf(probe.cause), "ENOENT");
    await bench.clear();
  });

  test(`${label}: dial refuses ipc://*, and ipc://@ has no name`, async () => {
    assertMisuse(await errorOf(() => factory.dial("ipc://*", {})), "ERR_ENDPOINT");
    assertMisuse(await errorOf(() => factory.listen("ipc://@", {})), "ERR_ENDPOINT");
  });

  test(`${label}: an abstract name is in use while it is listened at, needs no file, and is free afterwards`, async () => {
    if (platform() !== "linux") {
      assertMisuse(await errorOf(() => factory.listen("ipc://@name", {})), "ERR_ENDPOINT");
      return;
    }
    const address = `ipc://@hawser-test-${process.pid}-${label}`;
    for (let i = 0; i < 2; i++) {
      const bench = benchOf(candidate);
      await bench.listen(address);
      assertMisuse(await errorOf(() => bench.listen(address)), "ERR_ADDRESS_IN_USE");
      await bench.clear();
      await exchange(benchOf(candidate), address);
    }
    assert(!existsSync(`@hawser-test-${process.pid}-${label}`));
  });

  test(`${label}: an abstract name is exactly as long as it is written, as others make it`, async () => {
    // Node 20 cannot; see `socketPath`.
    if (platform() !== "linux" || (detectRuntime() === "node" && process.versions.node.startsWith("20."))) {
      return;
    }
    const name = `hawser-test-${process.pid}-exact-${label}`;
    const bench = benchOf(candidate);
    await bench.listen(`ipc://@${name}`);
    // Names that are padded with NULs to the end of `sun_path`, as some programs make them, would be others.
    const names = readFileSync("/proc/net/unix", "utf8").split("\n").map((line) =>
      line.slice(line.indexOf("@"))
    );
    assert(names.includes(`@${name}`), "the name is not among those of the system");
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ path: `\0${name}` }, () => resolve(void socket.destroy()));
      socket.on("error", reject);
    });
    await bench.clear();
  });
}

/** Listens, dials, and sends something through. */
async function exchange(bench: Bench, address: string): Promise<void> {
  const listener = await bench.listen(address);
  assertEquals(listener.address, address);
  const left = bench.dial(address);
  await left.until("open", () => left.opened);
  await left.send(1000, 1000);
  await bench.until("an accepted stream", () => bench.accepted.length > 0);
  const right = bench.accepted[0];
  assert(right !== undefined);
  await right.until("1000 bytes", () => right.receivedBytes === 1000);
  right.verify();
  await bench.clear();
}

function assertMisuse(error: Error, code: MisuseError["code"]): asserts error is MisuseError {
  assertInstanceOf(error, MisuseError);
  assertEquals(error.code, code, error.message);
}
