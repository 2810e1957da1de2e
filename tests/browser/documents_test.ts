// runtimes: node
import { test } from "node:test";
import { readFileSync } from "node:fs";
import process from "node:process";
import { assertEquals } from "@std/assert";
import { Publisher } from "../../mod.ts";
import { markdownBlocks } from "../docs/blocks.ts";
import { within } from "../interop/support/deadline.ts";
import { bundleText, launch, Pages, skip } from "./browser.ts";

// The programs that README.md shows for a page, in one.

const SHOWN = markdownBlocks("README.md", readFileSync("README.md", "utf8")).filter(({ marks }) =>
  marks.includes("browser")
);

test("README.md shows one program for a page", () => assertEquals(SHOWN.length, 1));

test("the program that README.md shows for a page does what it says", { skip }, async () => {
  const publisher = new Publisher({ webSocket: { allowOrigins: "*" } });
  const endpoint = await publisher.bind("ws://127.0.0.1:0/prices");
  const program = SHOWN[0]!.code.replace("ws://localhost:8080/prices", endpoint);
  const html = '<!doctype html><script type="module" src="/program.js"></script>';
  const pages = await Pages.open({ "/": html, "/program.js": await bundleText(program, process.cwd()) });
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const printed = new Promise<string>((resolve, reject) => {
      page.on("console", (message) => message.type() === "log" && resolve(message.text()));
      page.on("pageerror", reject);
    });
    await page.goto(pages.origin);
    await within(publisher.subscribed("EUR"), "the page's subscription");
    await publisher.send(["EUR", "1.08"]);
    assertEquals(await within(printed, "what the page prints"), "Uint8Array(3) Uint8Array(4)");
  } finally {
    await browser.close();
    await pages.close();
    publisher.close();
  }
});
