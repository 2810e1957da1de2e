import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { LogError, LogErrorCode } from "../../../src/log/errors.ts";
import { ConsumerHandle } from "../../../src/log/reader/consumer_handle.ts";
import type { CloseConsumer, Commit, ConsumerOpened, OpenConsumer } from "../../../src/log/wire/messages.ts";
import fc from "../../support/properties.ts";

/** A consumer's name and what it says. The test is the broker. */
class Scene {
  readonly handle: ConsumerHandle<string>;
  readonly sent: (OpenConsumer | Commit | CloseConsumer)[] = [];
  readonly openings: ConsumerOpened[] = [];
  /** What became of each commit. */
  readonly outcomes: Map<string, LogErrorCode | "done"> = new Map();
  end: LogError | undefined;
  #requests = 0;
  #handles = 0;

  constructor() {
    this.handle = new ConsumerHandle<string>({
      topic: "t",
      consumer: "billing",
      target: {
        nextRequest: () => ++this.#requests,
        send: (message) => void this.sent.push(message),
        opened: (message) => void this.openings.push(message),
        settled: (tokens, error) => {
          for (const token of tokens) {
            assert(!this.outcomes.has(token), `${token} was told twice`);
            this.outcomes.set(token, error?.code ?? "done");
          }
        },
        ended: (error) => {
          assert(this.end === undefined, "ended twice");
          this.end = error;
        },
      },
    });
  }

  /** The one message that was sent since the last look. */
  said<Type extends "openConsumer" | "commit" | "closeConsumer">(
    type: Type,
  ): Extract<OpenConsumer | Commit | CloseConsumer, { type: Type }> {
    const [message, ...more] = this.sent.splice(0);
    assert(message?.type === type && more.length === 0, `it did not say ${type} alone: ${message?.type}`);
    return message as Extract<OpenConsumer | Commit | CloseConsumer, { type: Type }>;
  }

  open(position?: bigint): number {
    this.handle.linked();
    const { request } = this.said("openConsumer");
    this.answer(request, position);
    return this.#handles;
  }

  answer(request: number, position?: bigint): void {
    this.handle.opened({
      type: "consumerOpened",
      request,
      handle: ++this.#handles,
      epoch: this.#handles,
      position,
      committedGeneration: 1,
      tail: 9n,
      generation: 1,
    });
  }

  done({ request, position }: Commit): void {
    this.handle.done({ type: "done", request, position });
  }

  refuse(request: number, code: LogErrorCode): void {
    const error = { code, message: code };
    this.handle.refused({ type: "refused", request, session: 0n, epoch: 0, batch: 0, error } as never);
  }
}

test("one commit is under way at a time, and only the last of those that wait is sent", () => {
  const scene = new Scene();
  scene.handle.commit(1n, 1, "a");
  assertEquals(scene.sent, []);
  scene.open(0n);
  // Opening sent what had waited.
  const [first] = scene.sent.splice(0) as Commit[];
  assertEquals([first!.position, first!.handle, first!.epoch, scene.handle.committed], [1n, 1, 1, 0n]);
  for (const [position, token] of [[2n, "b"], [5n, "c"], [3n, "d"]] as const) {
    scene.handle.commit(position, 1, token);
  }
  assertEquals(scene.sent, []);
  scene.done(first!);
  assertEquals([...scene.outcomes], [["a", "done"]]);
  const second = scene.said("commit");
  assertEquals(second.position, 3n, "the last call counts, higher or lower");
  scene.done(first!);
  assertEquals(scene.outcomes.size, 1, "an answer to nobody");
  scene.done(second);
  assertEquals([...scene.outcomes.values()], ["done", "done", "done", "done"]);
  assertEquals(scene.handle.committed, 3n);
});

test("over a lost link what was not confirmed is committed again, the last of it", () => {
  const scene = new Scene();
  scene.open();
  scene.handle.commit(1n, 1, "a");
  scene.said("commit");
  scene.handle.unlinked();
  scene.handle.linked();
  scene.answer(scene.said("openConsumer").request);
  const again = scene.said("commit");
  assertEquals([again.position, again.handle], [1n, 2]);
  scene.handle.commit(2n, 1, "b");
  scene.handle.unlinked();
  scene.handle.linked();
  scene.answer(scene.said("openConsumer").request);
  const both = scene.said("commit");
  scene.done(both);
  assertEquals([both.position, ...scene.outcomes], [2n, ["a", "done"], ["b", "done"]]);
});

test("a broker that closes neither takes the name nor a commit away: both are asked for again", () => {
  const scene = new Scene();
  scene.handle.linked();
  scene.refuse(scene.said("openConsumer").request, "ERR_LOG_CLOSED");
  assertEquals([scene.end, scene.handle.state], [undefined, "opening"]);
  scene.handle.unlinked();
  scene.open();
  scene.handle.commit(4n, 1, "a");
  scene.refuse(scene.said("commit").request, "ERR_LOG_CLOSED");
  assertEquals(scene.outcomes.size, 0);
  scene.handle.unlinked();
  scene.handle.linked();
  scene.answer(scene.said("openConsumer").request);
  scene.done(scene.said("commit"));
  assertEquals([...scene.outcomes], [["a", "done"]]);
});

test("a commit that is refused is told to whoever waits for it, and the next one goes on", () => {
  const scene = new Scene();
  scene.open();
  scene.handle.commit(99n, 1, "a");
  scene.handle.commit(2n, 1, "b");
  scene.refuse(scene.said("commit").request, "ERR_LOG_CUT");
  assertEquals([...scene.outcomes], [["a", "ERR_LOG_CUT"]]);
  scene.done(scene.said("commit"));
  assertEquals(scene.outcomes.get("b"), "done");
});

test("a newcomer ends it, told or by a refusal; what was said of an older handle does not", () => {
  for (const way of ["told", "refused"] as const) {
    const scene = new Scene();
    scene.open();
    scene.handle.superseded({ type: "consumerSuperseded", handle: 7, epoch: 1 });
    scene.handle.superseded({ type: "consumerSuperseded", handle: 1, epoch: 0 });
    assertEquals(scene.handle.state, "open");
    scene.handle.commit(1n, 1, "a");
    scene.handle.commit(2n, 1, "b");
    const { request } = scene.said("commit");
    if (way === "told") scene.handle.superseded({ type: "consumerSuperseded", handle: 1, epoch: 1 });
    else scene.refuse(request, "ERR_LOG_SUPERSEDED");
    assertEquals([...scene.outcomes.values()], ["ERR_LOG_SUPERSEDED", "ERR_LOG_SUPERSEDED"]);
    assertEquals([scene.end?.code, scene.handle.state], ["ERR_LOG_SUPERSEDED", "superseded"]);
    scene.handle.unlinked();
    scene.handle.linked();
    scene.handle.close();
    assertEquals(scene.sent, []);
  }
});

test("a name that cannot be had ends it; one that is given up before it was ours is given back when it is", () => {
  const failed = new Scene();
  failed.handle.linked();
  failed.refuse(failed.said("openConsumer").request, "ERR_LOG_TOPIC");
  assertEquals([failed.end?.code, failed.handle.state], ["ERR_LOG_TOPIC", "failed"]);

  const early = new Scene();
  early.handle.linked();
  const { request } = early.said("openConsumer");
  early.handle.close();
  assertEquals(early.sent, []);
  early.answer(request);
  assertEquals(early.said("closeConsumer").handle, 1);
  early.answer(request);
  assertEquals([early.sent, early.openings], [[], []]);

  const open = new Scene();
  const handle = open.open();
  open.handle.commit(1n, 1, "a");
  open.said("commit");
  open.handle.close();
  assertEquals(open.said("closeConsumer").handle, handle);
  assertEquals([...open.outcomes], [["a", "ERR_LOG_CLOSED"]]);
});

test("over any course of links and answers each commit is told once, and the last one is stored", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("commit", "commit", "answer", "answer", "cut", "closing", "late"), {
        maxLength: 60,
        size: "max",
      }),
      (steps) => {
        const scene = new Scene();
        let stored: bigint | undefined;
        let last: bigint | undefined;
        let linked = false;
        const unanswered: (OpenConsumer | Commit)[] = [];
        const old: Commit[] = [];
        const answer = (): void => {
          unanswered.push(...scene.sent.splice(0) as (OpenConsumer | Commit)[]);
          const message = unanswered.shift();
          if (message?.type === "openConsumer") scene.answer(message.request, stored);
          else if (message?.type === "commit") {
            stored = message.position;
            old.push(message);
            scene.done(message);
          }
        };
        const link = (): void => {
          if (!linked) scene.handle.linked();
          linked = true;
        };
        steps.forEach((step, index) => {
          link();
          if (step === "commit") scene.handle.commit(last = BigInt(index), 1, `${index}`);
          else if (step === "answer") answer();
          else if (step === "late" && old.length > 0) scene.done(old[0]!);
          else if (step === "closing") {
            unanswered.push(...scene.sent.splice(0) as (OpenConsumer | Commit)[]);
            const message = unanswered.shift();
            if (message !== undefined) scene.refuse(message.request, "ERR_LOG_CLOSED");
          }
          // A broker that closes ends its links.
          if (step === "cut" || step === "closing") {
            scene.handle.unlinked();
            linked = false;
            scene.sent.length = unanswered.length = 0;
          }
        });
        link();
        for (let round = 0; round < 5; round++) answer();
        const commits = steps.filter((step) => step === "commit").length;
        assertEquals([...scene.outcomes.values()], Array(commits).fill("done"));
        assertEquals([stored, scene.handle.committed], [last, last]);
      },
    ),
    { numRuns: 300 },
  );
});
