// runtimes: node
import { test } from "node:test";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { assertEquals, assertMatch } from "@std/assert";
import { launch, skip } from "./browser.ts";

// examples/browser/, as somebody who looks at it uses it. The picture of it is in .build/browser/.

/** Starts the example, and resolves with its address. */
async function startExample(): Promise<{ readonly origin: string; readonly stop: () => Promise<void> }> {
  const child = spawn(process.execPath, [join(process.cwd(), ".build/examples/browser/main.js")]);
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  let said = "";
  const origin = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const found = /Open (\S+) in/.exec(said)?.[1];
        if (found !== undefined) resolve(found);
      });
    }
    void ended.then(() => reject(new Error(`the example ended: ${said}`)));
  });
  const stop = (): Promise<void> => {
    child.kill();
    return ended;
  };
  return { origin, stop };
}

test("the example's page connects, passes messages on, and draws the log", { skip }, async () => {
  const { origin, stop } = await startExample();
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: 1_180, height: 960 } });
    const faults: unknown[] = [];
    page.on("pageerror", (error) => faults.push(error));
    page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    await page.goto(origin);
    for (const name of ["publish", "subscribe", "log"]) {
      await page.waitForSelector(`#state-${name}[data-state="connected"]`, { timeout: 10_000 });
    }
    await page.waitForFunction(
      () =>
        /Record [1-9]\d/.test(
          (globalThis as unknown as { document: { body: { innerText: string } } }).document.body.innerText,
        ),
      undefined,
      { timeout: 10_000 },
    );
    for (const text of ["Sunny, 21 °C", "Clouds from the west", "Rain, 14 °C"]) {
      await page.fill("#publish-text", text);
      await page.click("#publish button");
      await page.waitForSelector(`#messages li:has-text("${text}")`, { timeout: 10_000 });
    }
    assertEquals(await page.locator("#messages li").count(), 3);
    assertMatch(await page.innerText("#messages li:first-child"), /weather\.berlin\s+Rain, 14 °C/);
    assertEquals(await page.locator("#chart canvas").count(), 1);
    mkdirSync(".build/browser", { recursive: true });
    await page.screenshot({ path: ".build/browser/example.png", fullPage: true });
    assertEquals(faults, []);
  } finally {
    await browser.close();
    await stop();
  }
});
