import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { asciiBytes } from "../../src/bytes/bytes.ts";
import {
  announcesIdentity,
  compatible,
  compatibleTypes,
  parseSocketType,
  SOCKET_TYPES,
} from "../../src/zmtp/socket_type.ts";

// RFC 37, the table of legal combinations, one line for each row.
const LEGAL: Readonly<Record<string, string>> = {
  REQ: "REP ROUTER",
  REP: "REQ DEALER",
  DEALER: "REP DEALER ROUTER",
  ROUTER: "REQ DEALER ROUTER",
  PUB: "SUB XSUB",
  XPUB: "SUB XSUB",
  SUB: "PUB XPUB",
  XSUB: "PUB XPUB",
  PUSH: "PULL",
  PULL: "PUSH",
  PAIR: "PAIR",
};

test("compatible() is the table of RFC 37 for every pair of types", () => {
  assertEquals([...SOCKET_TYPES].sort(), Object.keys(LEGAL).sort());
  for (const ours of SOCKET_TYPES) {
    for (const theirs of SOCKET_TYPES) {
      assertEquals(
        compatible(ours, theirs),
        LEGAL[ours]!.split(" ").includes(theirs),
        `${ours} and ${theirs}`,
      );
    }
    assertEquals(compatibleTypes(ours).filter((theirs) => !compatible(ours, theirs)), []);
  }
});

test("compatible() is symmetric", () => {
  for (const ours of SOCKET_TYPES) {
    for (const theirs of SOCKET_TYPES) assertEquals(compatible(ours, theirs), compatible(theirs, ours));
  }
});

test("every type has somebody to talk to", () => {
  for (const ours of SOCKET_TYPES) assert(SOCKET_TYPES.some((theirs) => compatible(ours, theirs)), ours);
});

test("REQ, DEALER and ROUTER announce an identity, and no other", () => {
  assertEquals(SOCKET_TYPES.filter(announcesIdentity).sort(), ["DEALER", "REQ", "ROUTER"]);
});

test("parseSocketType() knows every type by its exact name", () => {
  for (const type of SOCKET_TYPES) assertEquals(parseSocketType(asciiBytes(type)), type);
  for (const other of ["", "pair", "PAIR ", "PAIR\0", "STREAM", "toString", "constructor", "__proto__"]) {
    assertEquals(parseSocketType(asciiBytes(other)), undefined, other);
  }
  assertEquals(parseSocketType(Uint8Array.of(0x50, 0x41, 0x49, 0xd2)), undefined);
});
