// Two toy mechanisms prove that the interface carries PLAIN and CURVE without change: four steps, a server that waits
// for an outside verdict, a refusal that is told before the close, and frames that are sealed after the handshake.
import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { asciiBytes, concat, copyOf, equalBytes } from "../../src/bytes/bytes.ts";
import { PeerError } from "../../src/errors.ts";
import {
  commandData,
  decodeCommand,
  encodeCommand,
  encodeError,
  encodeReady,
} from "../../src/zmtp/commands.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { FrameDecoder } from "../../src/zmtp/frame_decoder.ts";
import {
  type AuthorizationRequest,
  type Mechanism,
  type MechanismFactory,
  type MechanismInit,
  type MechanismStatus,
  type OpenedFrame,
  peerRefusal,
  type SealingMechanism,
  type TransparentMechanism,
  unexpectedCommand,
  type Verdict,
} from "../../src/zmtp/mechanism/mechanism.ts";
import { nullMechanism } from "../../src/zmtp/mechanism/null.ts";
import {
  acceptPeer,
  decodeMetadata,
  encodeOurMetadata,
  type Metadata,
  property,
} from "../../src/zmtp/metadata.ts";
import { FLAG_COMMAND, FLAG_MORE } from "../../src/zmtp/wire.ts";
import { forEachChunking } from "../conformance/chunks.ts";

const NONE = new Uint8Array(0);
/** RFC 26 numbers COMMAND so inside a MESSAGE: not as a frame does. */
const INNER_COMMAND = 0x02;

/** What the two toys share: a queue of commands, the peer's metadata, a latched failure. */
abstract class Handshake {
  status: MechanismStatus = "handshaking";
  peerMetadata: Metadata | undefined;
  protected readonly init: MechanismInit;
  readonly #commands: Uint8Array[] = [];
  #finishes = false;

  constructor(init: MechanismInit) {
    this.init = init;
  }

  nextCommand(): Uint8Array | undefined {
    const command = this.#commands.shift();
    if (this.#commands.length === 0 && this.#finishes) this.status = "ready";
    return command;
  }

  handleCommand(body: Uint8Array): PeerError | undefined {
    const command = decodeCommand(body);
    if (command instanceof PeerError) return this.fail(command);
    if (command.name === "ERROR") return this.fail(peerRefusal(command.reason));
    const error = this.step(body);
    return error === undefined ? undefined : this.fail(error);
  }

  protected abstract step(body: Uint8Array): PeerError | undefined;

  protected push(body: Uint8Array): void {
    this.#commands.push(body);
  }

  protected fail(error: PeerError): PeerError {
    this.status = "failed";
    return error;
  }

  /** Ready as soon as what is queued has been taken. */
  protected finish(): void {
    this.#finishes = true;
    if (this.#commands.length === 0) this.status = "ready";
  }

  protected takeMetadata(bytes: Uint8Array): PeerError | undefined {
    const metadata = decodeMetadata(bytes, this.init);
    if (metadata instanceof PeerError) return metadata;
    this.peerMetadata = metadata;
    return undefined;
  }
}

/** HELLO, WELCOME, INITIATE, READY; frames in the clear. */
class ToyPlainClient extends Handshake implements TransparentMechanism {
  readonly name = "PLAIN";
  readonly transparent = true;
  #expects: "WELCOME" | "READY" = "WELCOME";

  constructor(init: MechanismInit, password: string) {
    super(init);
    this.push(encodeCommand("HELLO", asciiBytes(password)));
  }

  protected override step(body: Uint8Array): PeerError | undefined {
    const data = commandData(body, this.#expects);
    if (data === undefined) return unexpectedCommand("(toy)");
    if (this.#expects === "WELCOME") {
      this.#expects = "READY";
      this.push(encodeCommand("INITIATE", encodeOurMetadata(this.init)));
      return undefined;
    }
    const error = this.takeMetadata(data);
    if (error === undefined) this.finish();
    return error;
  }
}

class ToyPlainServer extends Handshake implements TransparentMechanism {
  readonly name = "PLAIN";
  readonly transparent = true;
  #expects: "HELLO" | "verdict" | "INITIATE" | "nothing" = "HELLO";
  #request: AuthorizationRequest | undefined;

  protected override step(body: Uint8Array): PeerError | undefined {
    const data = commandData(body, this.#expects);
    if (data === undefined) return unexpectedCommand("(toy)");
    if (this.#expects === "HELLO") {
      this.#expects = "verdict";
      if (this.init.authorizes) this.#request = { credentials: [copyOf(data)] };
      else return this.authorize({ status: 200 });
      return undefined;
    }
    this.#expects = "nothing";
    const error = this.takeMetadata(data);
    if (error !== undefined) return error;
    this.push(encodeReady(encodeOurMetadata(this.init)));
    this.finish();
    return undefined;
  }

  nextAuthorization(): AuthorizationRequest | undefined {
    const request = this.#request;
    this.#request = undefined;
    return request;
  }

  authorize(verdict: Verdict): PeerError | undefined {
    if (this.#expects !== "verdict") return undefined;
    if (verdict.status === 200) {
      this.#expects = "INITIATE";
      this.push(encodeCommand("WELCOME", NONE));
      return undefined;
    }
    this.#expects = "nothing";
    if (verdict.status !== 300) this.push(encodeError(String(verdict.status)));
    return this.fail(new PeerError("ERR_PEER_MECHANISM", "Cannot let peer in: the verdict is no"));
  }
}

/** READY both ways, with random keys in it; then every frame is XORed with the receiver's key and counted. */
class ToyXor extends Handshake implements SealingMechanism {
  readonly name = "CURVE";
  readonly transparent = false;
  readonly overheadBytes = 10;
  readonly #ourKey = new Uint8Array(1);
  #theirKey = 0;
  #sealed = 0;
  #opened = 0;

  constructor(init: MechanismInit) {
    super(init);
    init.random(this.#ourKey);
    this.push(encodeReady(concat([this.#ourKey, encodeOurMetadata(init)])));
  }

  protected override step(body: Uint8Array): PeerError | undefined {
    const data = commandData(body, "READY");
    if (data === undefined) return unexpectedCommand("(toy)");
    this.#theirKey = data[0]!;
    const error = this.takeMetadata(data.subarray(1));
    if (error === undefined) this.finish();
    return error;
  }

  seal(flags: number, body: Uint8Array): Uint8Array {
    const inner = (flags & FLAG_MORE) | ((flags & FLAG_COMMAND) === 0 ? 0 : INNER_COMMAND);
    const content = concat([Uint8Array.of(inner), body]).map((byte) => byte ^ this.#theirKey);
    return encodeCommand("MESSAGE", concat([Uint8Array.of(++this.#sealed), content]));
  }

  open(body: Uint8Array): OpenedFrame | PeerError {
    const data = commandData(body, "MESSAGE");
    if (data === undefined || data.length < 2) {
      return new PeerError("ERR_PEER_FRAME", "Cannot open frame: no MESSAGE");
    }
    if (data[0]! <= this.#opened) {
      return new PeerError("ERR_PEER_FRAME", "Cannot open frame: it was sent before");
    }
    this.#opened = data[0]!;
    const content = data.subarray(1).map((byte) => byte ^ this.#ourKey[0]!);
    const flags = (content[0]! & FLAG_MORE) | ((content[0]! & INNER_COMMAND) === 0 ? 0 : FLAG_COMMAND);
    return { flags, body: content.subarray(1) };
  }
}

function plain(role: "client" | "server", password = ""): MechanismFactory {
  const asServer = role === "server";
  const create = (init: MechanismInit) =>
    asServer ? new ToyPlainServer(init) : new ToyPlainClient(init, password);
  return { name: "PLAIN", asServer, create };
}

const xor: MechanismFactory = { name: "CURVE", asServer: false, create: (init) => new ToyXor(init) };

function initOf(socketType: "PUSH" | "PULL", changes: Partial<MechanismInit> = {}): MechanismInit {
  let seed = socketType === "PUSH" ? 7 : 70;
  return {
    socketType,
    identity: NONE,
    propertiesMax: 64,
    authorizes: false,
    random: (into) => {
      for (let i = 0; i < into.length; i++) into[i] = seed++;
    },
    ...changes,
  };
}

/** One end of a connection as the engine would drive it: by the rules at the head of mechanism.ts, and by nothing else. */
class End {
  readonly mechanism: Mechanism;
  readonly requests: AuthorizationRequest[] = [];
  readonly inbox: Uint8Array[] = [];
  error: PeerError | undefined;
  other: End | undefined;

  constructor(mechanism: Mechanism) {
    this.mechanism = mechanism;
  }

  drain(): void {
    for (;;) {
      const wasReady = this.mechanism.status === "ready";
      const command = this.mechanism.nextCommand();
      if (command === undefined) break;
      assert(!wasReady, "ready with a command still to send");
      this.other!.inbox.push(command);
    }
    const request = this.error === undefined ? this.mechanism.nextAuthorization?.() : undefined;
    if (request !== undefined) this.requests.push(request);
  }

  receive(): boolean {
    const body = this.inbox.shift();
    if (body === undefined || this.error !== undefined) return false;
    assertEquals(this.mechanism.status, "handshaking");
    const scratch = copyOf(body);
    this.error = this.mechanism.handleCommand(scratch);
    scratch.fill(0xee); // nothing of a body may be kept
    this.drain();
    return true;
  }

  authorize(verdict: Verdict): void {
    this.error = this.mechanism.authorize!(verdict);
    this.drain();
  }
}

/** Delivers commands until nothing moves. */
function settle(a: End, b: End): void {
  while (a.receive() || b.receive());
}

function connect(
  ours: MechanismFactory,
  theirs: MechanismFactory,
  theirChanges: Partial<MechanismInit> = {},
): [End, End] {
  const a = new End(ours.create(initOf("PUSH")));
  const b = new End(theirs.create(initOf("PULL", theirChanges)));
  a.other = b;
  b.other = a;
  a.drain();
  b.drain();
  settle(a, b);
  return [a, b];
}

function assertReady(...ends: readonly End[]): void {
  for (const end of ends) {
    assertEquals([end.mechanism.status, end.error], ["ready", undefined]);
    const ours = end.mechanism === ends[0]!.mechanism ? "PUSH" : "PULL";
    assert(!(acceptPeer(ours, end.mechanism.peerMetadata!) instanceof PeerError));
  }
}

test("one driver brings NULL, a four-step mechanism and a sealing one to ready", () => {
  for (
    const [ours, theirs] of [[nullMechanism, nullMechanism], [plain("client"), plain("server")], [
      xor,
      xor,
    ]] as const
  ) {
    const [push, pull] = connect(ours, theirs);
    assertReady(push, pull);
    assertEquals(property(push.mechanism.peerMetadata!, "Socket-Type"), asciiBytes("PULL"));
    assertEquals(property(pull.mechanism.peerMetadata!, "Socket-Type"), asciiBytes("PUSH"));
  }
});

test("a server may wait for an outside verdict, and goes on when it comes", () => {
  const [client, server] = connect(plain("client", "secret"), plain("server"), { authorizes: true });
  assertEquals([client.mechanism.status, server.mechanism.status], ["handshaking", "handshaking"]);
  assertEquals(server.requests, [{ credentials: [asciiBytes("secret")] }]);
  server.authorize({ status: 200 });
  settle(client, server);
  assertReady(client, server);
  assertEquals(server.requests.length, 1);
});

test("a refusal is told with an ERROR before the close", () => {
  for (const status of [400, 500] as const) {
    const [client, server] = connect(plain("client", "wrong"), plain("server"), { authorizes: true });
    server.authorize({ status });
    settle(client, server);
    assertEquals([server.mechanism.status, server.error?.code], ["failed", "ERR_PEER_MECHANISM"]);
    assertEquals([client.mechanism.status, client.error?.code], ["failed", "ERR_PEER_ERROR"]);
    assert(client.error!.message.includes(String(status)));
  }
});

test("a temporary refusal is silent: the client sees a close, which is not fatal", () => {
  const [client, server] = connect(plain("client"), plain("server"), { authorizes: true });
  server.authorize({ status: 300 });
  assertEquals(client.inbox, []);
  assertEquals([server.mechanism.status, client.mechanism.status], ["failed", "handshaking"]);
});

test("a verdict that comes twice changes nothing", () => {
  const [client, server] = connect(plain("client"), plain("server"), { authorizes: true });
  server.authorize({ status: 200 });
  server.authorize({ status: 400 });
  settle(client, server);
  assertReady(client, server);
});

test("a client that speaks while the verdict is pending fails", () => {
  const [client, server] = connect(plain("client"), plain("server"), { authorizes: true });
  server.inbox.push(encodeCommand("INITIATE", encodeOurMetadata(initOf("PUSH"))));
  settle(client, server);
  assertEquals([server.mechanism.status, server.error?.code], ["failed", "ERR_PEER_COMMAND"]);
});

test("two clients wait for each other, and only a deadline ends that", () => {
  const a = new End(plain("client").create(initOf("PUSH")));
  assertEquals(a.mechanism.nextCommand(), encodeCommand("HELLO", NONE));
  assertEquals([a.mechanism.nextCommand(), a.mechanism.status], [undefined, "handshaking"]);
});

test("seal() and open() carry MORE, COMMAND and every size from 0 on", () => {
  const [push, pull] = connect(xor, xor);
  const from = push.mechanism;
  const to = pull.mechanism;
  assert(!from.transparent && !to.transparent);
  for (const flags of [0, FLAG_MORE, FLAG_COMMAND]) {
    for (const bytes of [0, 1, 255, 256]) {
      const body = new Uint8Array(bytes).fill(0x61);
      const sealed = from.seal(flags, body);
      assert(sealed.length <= bytes + from.overheadBytes);
      assert(
        bytes === 0 || !equalBytes(sealed.subarray(sealed.length - bytes), body),
        "it must not travel in the clear",
      );
      const opened = to.open(sealed);
      assert(!(opened instanceof PeerError));
      assertEquals(opened, { flags, body });
    }
  }
});

test("a sealed frame that is replayed or malformed is refused", () => {
  const [push, pull] = connect(xor, xor);
  assert(!push.mechanism.transparent && !pull.mechanism.transparent);
  const sealed = push.mechanism.seal(0, asciiBytes("once"));
  assert(!(pull.mechanism.open(sealed) instanceof PeerError));
  assertInstanceOf(pull.mechanism.open(sealed), PeerError);
  assertInstanceOf(pull.mechanism.open(encodeReady(NONE)), PeerError);
  assertInstanceOf(pull.mechanism.open(NONE), PeerError);
});

test("the frame decoder reads sealed frames, whether the outer frame is a message or a command", () => {
  for (const outerFlags of [0x00, 0x04]) {
    const [push] = connect(xor, xor);
    const from = push.mechanism;
    assert(!from.transparent);
    const stream = concat([
      encodeFrame(outerFlags, from.seal(FLAG_MORE, asciiBytes("a"))),
      encodeFrame(outerFlags, from.seal(0, asciiBytes("b".repeat(300)))),
      encodeFrame(outerFlags, from.seal(FLAG_COMMAND, encodeCommand("PONG", asciiBytes("c")))),
      encodeFrame(outerFlags, from.seal(0, NONE)),
    ]);
    forEachChunking(stream, (chunks, size) => {
      // Counters make an opener good for one reading, so each cut gets a receiver of its own; its keys are the same.
      const [, pull] = connect(xor, xor);
      const opener = pull.mechanism;
      assert(!opener.transparent);
      const seen: unknown[] = [];
      const decoder = new FrameDecoder(
        {
          run: () => assert(false, "sealed frames are never reported as runs"),
          message: (frames) => seen.push(frames.map(copyOf)),
          command: (body) => void seen.push(copyOf(body)),
        },
        { frameBytesMax: 1_000, messageBytesMax: 1_000, messageFramesMax: 10 },
        { opener },
      );
      for (const chunk of chunks) assertEquals(decoder.decode(chunk, 0, 100), chunk.length);
      assertEquals(decoder.error, undefined);
      assertEquals(
        seen,
        [[asciiBytes("a"), asciiBytes("b".repeat(300))], encodeCommand("PONG", asciiBytes("c")), [NONE]],
        `outer flags ${outerFlags}, chunks of ${size}`,
      );
    });
  }
});
