import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { concat } from "../../src/bytes/bytes.ts";
import { encodeBase64 } from "../../src/bytes/base64.ts";
import type { PeerError } from "../../src/errors.ts";
import type { Opened, Opening } from "../../src/websocket/opening.ts";
import { ClientUpgrade } from "../../src/websocket/upgrade/client.ts";
import { ServerUpgrade } from "../../src/websocket/upgrade/server.ts";
import { acceptOf, protocolsOf } from "../../src/websocket/upgrade/states.ts";
import { forEachChunking } from "./chunks.ts";
import { bytesOf } from "./notation.ts";

// vectors/http_upgrade.json: the upgrade of HTTP to a WebSocket, from either side. The form is in README.md.

type Text = readonly string[] | {
  readonly parts: readonly (string | { readonly repeat: readonly [string, number] })[];
};

interface Vector {
  readonly name: string;
  readonly spec: string;
  readonly play: "http.request" | "http.response";
  readonly in: Text;
  readonly rest?: string;
  readonly mechanism?: string;
  readonly loopback?: boolean;
  readonly allowOrigins?: "*" | readonly string[];
  readonly allowHosts?: "*" | readonly string[];
  readonly status?: number;
  readonly protocol?: string;
  readonly error?: string;
}

const vectors = JSON.parse(
  readFileSync("tests/conformance/vectors/http_upgrade.json", "utf8"),
) as readonly Vector[];

/** What came of an upgrade. */
interface Outcome {
  written: string;
  opened: Opened | undefined;
  error: PeerError | undefined;
}

const INFO = { localAddress: "tcp://10.0.0.1:8080", remoteAddress: "tcp://10.0.0.2:4711" };
const KEY = new Uint8Array(16).fill(7);

function play(opening: Opening, chunks: readonly Uint8Array[]): Outcome {
  const outcome: Outcome = { written: "", opened: undefined, error: undefined };
  opening.start({
    write: (bytes) => void (outcome.written += String.fromCharCode(...bytes)),
    done: (opened) => void (outcome.opened = opened),
    fail: (error) => void (outcome.error = error),
  }, INFO);
  let late: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (outcome.opened === undefined) opening.receive(chunk);
    else late = [...late, chunk];
  }
  if (outcome.opened !== undefined) {
    outcome.opened = { ...outcome.opened, rest: concat([outcome.opened.rest, ...late]) };
  }
  assert(outcome.opened === undefined || outcome.error === undefined, "it was done, and failed");
  return outcome;
}

function textOf(text: Text): string {
  if (!("parts" in text)) return `${text.join("\r\n")}\r\n\r\n`;
  return text.parts.map((part) => typeof part === "string" ? part : part.repeat[0].repeat(part.repeat[1]))
    .join("");
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function openingOf(vector: Vector): Opening {
  const { mechanism, loopback = false, allowOrigins, allowHosts } = vector;
  if (vector.play === "http.response") {
    return new ClientUpgrade({
      endpoint: "ws://example.org/feed",
      scheme: "ws",
      host: "example.org",
      port: 80,
      path: "/feed",
      mechanism,
      random: (into) => into.set(KEY),
    });
  }
  const webSocket = {
    ...(allowOrigins === undefined ? {} : { allowOrigins }),
    ...(allowHosts === undefined ? {} : { allowHosts }),
  };
  const policy = { protocols: protocolsOf(mechanism), webSocket, loopback };
  return new ServerUpgrade({
    scheme: "ws",
    endpoint: "ws://10.0.0.1:8080/feed",
    policyOf: (path) => path === "/feed" ? policy : undefined,
  });
}

function assertOutcome(vector: Vector, { written, opened, error }: Outcome): void {
  assertEquals(opened?.protocol, vector.protocol);
  if (opened !== undefined) assertEquals(opened.rest, bytesOf(vector.rest ?? ""));
  if (vector.play === "http.response") {
    assertEquals(error?.code, vector.error === undefined ? undefined : "ERR_HTTP_RESPONSE");
    if (vector.error === undefined) return;
    assertStringIncludes(error!.message, vector.error);
    assertStringIncludes(error!.message, "Cannot open a WebSocket at ws://example.org/feed: ");
    return;
  }
  const [head = "", body = ""] = written.split("\r\n\r\n");
  const lines = head.split("\r\n");
  assert(lines[0]!.startsWith(`HTTP/1.1 ${vector.status} `), `expected ${vector.status}: ${written}`);
  if (vector.status === 101) {
    assert(lines.includes(`Sec-WebSocket-Protocol: ${vector.protocol}`), written);
    assert(lines.includes("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), written);
    assert(!/extensions/i.test(written));
    return;
  }
  assertEquals(error?.code, "ERR_HTTP_REQUEST");
  assertStringIncludes(error!.message, "tcp://10.0.0.2:4711".replace("tcp", "ws"));
  assert(lines.includes(`Content-Length: ${body.length}`), written);
  assert(/^Connection: .*close$/m.test(lines.join("\n")), written);
  assertEquals(vector.status === 426, lines.includes("Sec-WebSocket-Version: 13"), written);
}

test("every vector of the upgrade has a name of its own", () => {
  assertEquals(new Set(vectors.map(({ name, play }) => `${play} ${name}`)).size, vectors.length);
  assert(vectors.length > 80, "the file has lost most of its vectors");
});

for (const vector of vectors) {
  test(`${vector.play}, ${vector.spec}: ${vector.name}`, () => {
    const accept = acceptOf(encodeBase64(KEY));
    const head = latin1(textOf(vector.in).replaceAll("<accept>", accept));
    const bytes = concat([head, bytesOf(vector.rest ?? "")]);
    forEachChunking(bytes, (chunks) => assertOutcome(vector, play(openingOf(vector), chunks)));
  });
}
