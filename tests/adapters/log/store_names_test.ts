import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { folderOfTopic, topicOfFolder } from "../../../adapters/store/topic_folder.ts";

const CHARACTERS = "ABCXYZabcxyz0189._-";

test("folders of topics", () => {
  const pairs = {
    "orders": "orders",
    "Orders": "orders~1",
    "orderS": "orders~02",
    "EU-Orders.v2": "eu-orders.v2~b",
    "con": "~con",
    "CON": "~con~7",
    "Com1.log": "~com1.log~1",
    "lock": "~lock",
    "Lock": "~lock~1",
    "lock.file": "lock.file",
    "lock-1": "lock-1",
    "console": "console",
    "com10": "com10",
    "a.": "~a.",
    "..": "~..",
    ".hidden": "~.hidden",
  };
  for (const [topic, folder] of Object.entries(pairs)) {
    assertEquals(folderOfTopic(topic), folder);
    assertEquals(topicOfFolder(folder), topic);
  }
});

test("what cannot name a topic has no folder", () => {
  for (const topic of ["", "a/b", "a\\b", "a b", "ä", "a~1", "~con", "a\0", "x".repeat(201)]) {
    assertEquals(folderOfTopic(topic), undefined, topic);
  }
});

test("every name comes back, and no two names share a folder, even where case does not count", () => {
  const names = fc.string({ unit: fc.constantFrom(...CHARACTERS), minLength: 1, maxLength: 200 });
  fc.assert(fc.property(names, names, (one, other) => {
    const [folder, second] = [folderOfTopic(one)!, folderOfTopic(other)!];
    assertEquals(topicOfFolder(folder), one);
    assertEquals(folder, folder.toLowerCase());
    assert(folder.length <= 255, `${folder.length} bytes`);
    assertEquals(folder === second, one === other);
  }));
});

test("the longest name fits, whatever its case", () => {
  assertEquals(folderOfTopic("X".repeat(200))!.length, 251);
  assertEquals(folderOfTopic("CON." + "X".repeat(196))!.length, 252);
});

test("folders that no topic has are left alone", () => {
  for (
    const folder of [
      "lost+found",
      "orders~0",
      "orders~",
      "orders~9f",
      "~orders",
      "con",
      "lock",
      "Orders",
      "a~1~1",
      "~",
    ]
  ) {
    assertEquals(topicOfFolder(folder), undefined, folder);
  }
});
