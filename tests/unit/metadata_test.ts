import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes, asciiText, concat } from "../../src/bytes/bytes.ts";
import { MisuseError, PeerError } from "../../src/errors.ts";
import {
  acceptPeer,
  decodeMetadata,
  encodeMetadata,
  encodeOurMetadata,
  type Metadata,
  property,
} from "../../src/zmtp/metadata.ts";
import { compatible, SOCKET_TYPES, type SocketType } from "../../src/zmtp/socket_type.ts";

const LIMITS = { propertiesMax: 64 };

function raw(name: string, value: Uint8Array, valueBytes: number = value.length): Uint8Array {
  const size = Uint8Array.of(valueBytes >>> 24, valueBytes >>> 16, valueBytes >>> 8, valueBytes);
  return concat([Uint8Array.of(name.length), Uint8Array.from(name, (c) => c.charCodeAt(0)), size, value]);
}

function accepted(bytes: Uint8Array, limits: { propertiesMax: number } = LIMITS): Map<string, Uint8Array> {
  const metadata = decodeMetadata(bytes, limits);
  assert(!(metadata instanceof PeerError), String(metadata));
  return metadata;
}

function refused(bytes: Uint8Array, limits: { propertiesMax: number } = LIMITS): string {
  const metadata = decodeMetadata(bytes, limits);
  assertInstanceOf(metadata, PeerError);
  assertEquals(metadata.code, "ERR_PEER_METADATA");
  return metadata.message;
}

function metadataOf(properties: Readonly<Record<string, string | Uint8Array>>): Metadata {
  return new Map(
    Object.entries(properties).map(([name, value]) => [
      name.toLowerCase(),
      typeof value === "string" ? asciiBytes(value) : value,
    ]),
  );
}

test("encodeMetadata() writes name and value, each behind its length, in the order given", () => {
  const encoded = encodeMetadata([["Socket-Type", asciiBytes("DEALER")], ["Identity", new Uint8Array(0)]]);
  assertEquals(
    encoded,
    concat([
      Uint8Array.of(0x0b),
      asciiBytes("Socket-Type"),
      Uint8Array.of(0, 0, 0, 6),
      asciiBytes("DEALER"),
      Uint8Array.of(8),
      asciiBytes("Identity"),
      Uint8Array.of(0, 0, 0, 0),
    ]),
  );
  assertEquals(encodeMetadata([]), new Uint8Array(0));
});

test("encodeMetadata() refuses names that no peer may send, and names given twice in any case", () => {
  const none = new Uint8Array(0);
  for (const name of ["", "a b", "é", "X:y", "X\0", "x".repeat(256)]) {
    const error = assertThrows(() => encodeMetadata([[name, none]]), MisuseError, "Cannot send metadata");
    assertEquals(error.code, "ERR_OPTION");
  }
  assertThrows(() => encodeMetadata([["X-a", none], ["x-A", none]]), MisuseError, "twice");
  assertEquals(encodeMetadata([["x".repeat(255), none]]).length, 260);
  assertEquals(encodeMetadata([["aZ09-_.+", none]]).length, 13);
});

test("what encodeMetadata() wrote is what decodeMetadata() reads", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9._+-]{1,20}$/);
  const property = fc.tuple(name, fc.uint8Array({ maxLength: 300 }));
  const properties = fc.uniqueArray(property, { selector: ([name]) => name.toLowerCase(), maxLength: 8 });
  fc.assert(fc.property(properties, (list) => {
    const metadata = accepted(encodeMetadata(list));
    assertEquals([...metadata], list.map(([name, value]) => [name.toLowerCase(), value]));
  }));
});

test("names are found whatever their case, on the wire and when asked for", () => {
  const metadata = accepted(raw("sOCKET-tYPE", asciiBytes("PAIR")));
  assertEquals([...metadata.keys()], ["socket-type"]);
  for (const name of ["Socket-Type", "socket-type", "SOCKET-TYPE"]) {
    assertEquals(property(metadata, name), asciiBytes("PAIR"));
  }
  assertEquals(property(metadata, "Identity"), undefined);
});

test("of a repeated name the first value wins", () => {
  const metadata = accepted(
    concat([raw("X-a", asciiBytes("1")), raw("x-A", asciiBytes("2")), raw("X-b", asciiBytes("3"))]),
  );
  assertEquals([...metadata].map(([name, value]) => [name, asciiText(value)]), [["x-a", "1"], ["x-b", "3"]]);
});

test("values are copies that pin nothing", () => {
  const large = new Uint8Array(4_096);
  large.set(raw("X-a", asciiBytes("value")), 100);
  const value = accepted(large.subarray(100, 100 + 13)).get("x-a")!;
  assertEquals(value.buffer.byteLength, 5);
  large.fill(0);
  assertEquals(value, asciiBytes("value"));
});

test("names of bytes outside ASCII are kept apart", () => {
  const metadata = accepted(concat([raw("\u00c0", asciiBytes("1")), raw("\u00e0", asciiBytes("2"))]));
  assertEquals(metadata.size, 2);
});

test("a name like a member of Object is a name like any other", () => {
  const metadata = accepted(concat([raw("__proto__", asciiBytes("1")), raw("constructor", asciiBytes("2"))]));
  assertEquals(property(metadata, "__proto__"), asciiBytes("1"));
  assertEquals(property(metadata, "constructor"), asciiBytes("2"));
});

test("every block that ends within a property is refused", () => {
  const block = concat([raw("Socket-Type", asciiBytes("PAIR")), raw("X-b", asciiBytes("value"))]);
  const whole = [0, 20, block.length];
  for (let bytes = 0; bytes <= block.length; bytes++) {
    const part = block.subarray(0, bytes);
    if (whole.includes(bytes)) assertEquals(accepted(part).size, whole.indexOf(bytes));
    else refused(part);
  }
});

test("bytes behind the last property are refused", () => {
  refused(concat([raw("X-a", asciiBytes("1")), Uint8Array.of(0)]));
  refused(concat([raw("X-a", asciiBytes("1")), Uint8Array.of(1)]));
});

test("a property without a name is refused", () => {
  refused(Uint8Array.of(0, 0, 0, 0, 0));
});

test("value lengths beyond the end are refused, up to 2^32-1", () => {
  const value = asciiBytes("12345");
  assertEquals(accepted(raw("X-a", value, 5)).size, 1);
  for (const bytes of [6, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff]) {
    assert(refused(raw("X-a", value, bytes)).includes("past the end"));
  }
});

test("repeated properties count against the limit", () => {
  const one = raw("X-a", new Uint8Array(0));
  const block = (count: number) => concat(Array.from({ length: count }, () => one));
  assertEquals(accepted(block(3), { propertiesMax: 3 }).size, 1);
  assert(refused(block(4), { propertiesMax: 3 }).includes("limit of 3"));
  refused(block(10_000));
  assertEquals(accepted(new Uint8Array(0), { propertiesMax: 0 }).size, 0);
});

test("our metadata carry an Identity, even an empty one, for the types that announce it and no other", () => {
  for (const socketType of SOCKET_TYPES) {
    const names = [...accepted(encodeOurMetadata({ socketType, identity: new Uint8Array(0) })).keys()];
    const announces = ["REQ", "DEALER", "ROUTER"].includes(socketType);
    assertEquals(names, announces ? ["socket-type", "identity"] : ["socket-type"]);
  }
});

test("our metadata spell the names as libzmq compares them, and put the application's last", () => {
  const encoded = encodeOurMetadata({
    socketType: "DEALER",
    identity: asciiBytes("me"),
    properties: [["X-role", asciiBytes("worker")]],
  });
  const expected = [["Socket-Type", "DEALER"], ["Identity", "me"], ["X-role", "worker"]] as const;
  assertEquals(encoded, encodeMetadata(expected.map(([name, value]) => [name, asciiBytes(value)])));
});

test("the application cannot announce another socket type", () => {
  const properties = [["socket-type", asciiBytes("PUB")]] as const;
  assertThrows(
    () => encodeOurMetadata({ socketType: "PUSH", identity: new Uint8Array(0), properties }),
    MisuseError,
    "twice",
  );
});

test("acceptPeer() takes exactly the compatible types", () => {
  for (const ours of SOCKET_TYPES) {
    for (const theirs of SOCKET_TYPES) {
      const answer = acceptPeer(ours, metadataOf({ "Socket-Type": theirs }));
      if (compatible(ours, theirs)) assertEquals((answer as { socketType: SocketType }).socketType, theirs);
      else assertEquals((answer as PeerError).code, "ERR_PEER_SOCKET_TYPE", `${ours} and ${theirs}`);
    }
  }
});

test("acceptPeer() takes a peer that does not tell its type, as libzmq does, but none with an unknown type", () => {
  const quiet = acceptPeer("PULL", new Map());
  assert(!(quiet instanceof PeerError));
  assertEquals([quiet.socketType, quiet.identity.length, quiet.metadata.size], [undefined, 0, 0]);
  for (const type of ["", "pair", "PAIR\0", "\x1b[2J"]) {
    const answer = acceptPeer("PAIR", metadataOf({ "Socket-Type": type }));
    assertEquals((answer as PeerError).code, "ERR_PEER_SOCKET_TYPE");
    assert(!(answer as PeerError).message.includes("\x1b"));
  }
});

test("acceptPeer() takes identities up to 255 bytes and refuses longer ones", () => {
  for (const bytes of [0, 1, 255]) {
    const answer = acceptPeer("ROUTER", metadataOf({ Identity: new Uint8Array(bytes).fill(0x41) }));
    assert(!(answer instanceof PeerError));
    assertEquals(answer.identity.length, bytes);
  }
  for (const bytes of [256, 70_000]) {
    const answer = acceptPeer("ROUTER", metadataOf({ Identity: new Uint8Array(bytes).fill(0x41) }));
    assertEquals((answer as PeerError).code, "ERR_PEER_IDENTITY");
  }
});

test("acceptPeer() makes a peer anonymous that claims a generated identity", () => {
  for (const identity of [Uint8Array.of(0), Uint8Array.of(0, 1, 2, 3, 4), new Uint8Array(255)]) {
    const answer = acceptPeer("ROUTER", metadataOf({ Identity: identity }));
    assert(!(answer instanceof PeerError));
    assertEquals(answer.identity.length, 0);
  }
  const binary = Uint8Array.of(0xff, 0, 0x80);
  const answer = acceptPeer("ROUTER", metadataOf({ Identity: binary }));
  assertEquals((answer as { identity: Uint8Array }).identity, binary);
});

test("random bytes give metadata or a PeerError, and never anything else", () => {
  const structured = fc.array(
    fc.tuple(fc.uint8Array({ maxLength: 4 }), fc.nat(8), fc.uint8Array({ maxLength: 8 })).map((
      [name, length, value],
    ) => concat([Uint8Array.of(name.length), name, Uint8Array.of(0, 0, 0, length), value])),
    { maxLength: 6 },
  ).map((parts) => concat(parts));
  let acceptedCount = 0;
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), structured), (bytes) => {
      const metadata = decodeMetadata(bytes, LIMITS);
      if (metadata instanceof PeerError) return assertEquals(metadata.code, "ERR_PEER_METADATA");
      acceptedCount++;
      let valueBytes = 0;
      for (const value of metadata.values()) valueBytes += value.length;
      assert(valueBytes <= bytes.length);
      acceptPeer("ROUTER", metadata);
    }),
    { numRuns: 500 },
  );
  assert(acceptedCount > 0, "the generator must reach the accepting path too");
});
