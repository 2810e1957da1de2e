import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ENGINE_TRANSITIONS,
  FLUSH_TRANSITIONS,
  type FlushInput,
  type FlushState,
  INPUT_TRANSITIONS,
  STREAM_TRANSITIONS,
} from "../../src/engine/states.ts";
import { next, type Table } from "../../src/state_table.ts";
import { BugError } from "../../src/errors.ts";
import { ACCEPT_TRANSITIONS, INPROC_TRANSITIONS, SESSION_TRANSITIONS } from "../../src/session/states.ts";

interface Spec {
  readonly table: Table<string, string>;
  readonly initial: string;
  readonly inputs: readonly string[];
  /** One line for each state: the next states in the order of `inputs`; `·`: a bug. */
  readonly cells: readonly string[];
}

const SPECS: Readonly<Record<string, Spec>> = {
  engine: {
    table: ENGINE_TRANSITIONS,
    initial: "greeting",
    inputs: ["greeted", "accepted", "closeRequested", "flushed", "ended", "failed"],
    cells: [
      "greeting   handshake ·     closing ·      closed closed",
      "handshake  ·         ready closing ·      closed closed",
      "ready      ·         ·     closing ·      closed closed",
      "closing    ·         ·     closing closed closed closed",
      "closed     ·         ·     closed  closed closed closed",
    ],
  },
  stream: {
    table: STREAM_TRANSITIONS,
    initial: "dialing",
    inputs: ["dialled", "opened", "finish", "cut", "gone"],
    cells: [
      "dialing   opening ·    ·         ·   gone",
      "opening   ·       open ·         cut gone",
      "open      ·       ·    finishing cut gone",
      "finishing ·       ·    ·         cut gone",
      "cut       ·       ·    ·         ·   gone",
      "gone      ·       ·    ·         ·   ·",
    ],
  },
  input: {
    table: INPUT_TRANSITIONS,
    initial: "detached",
    inputs: ["attached", "drained", "full", "noMemory", "finished"],
    cells: [
      "detached  stopped ·       ·       ·       ended",
      "running   ·       running stopped waiting ended",
      "stopped   ·       running stopped waiting ended",
      "waiting   ·       running stopped waiting ended",
      "ended     ·       ·       ·       ·       ended",
    ],
  },
  flush: {
    table: FLUSH_TRANSITIONS,
    initial: "idle",
    inputs: ["queued", "queuedLate", "full", "callbackEnded", "burstEnded", "turnEnded", "lent", "drained"],
    cells: [
      "idle       soon      late      hot       idle      idle      idle    blocked ·",
      "soon       soon      soon      hot       hot       soon      hot     blocked ·",
      "late       late      late      hot       late      idle      late    blocked ·",
      "hot        gathering gathering hot       hot       hot       idle    blocked ·",
      "gathering  gathering gathering gathering gathering gathering idle    blocked ·",
      "blocked    blocked   blocked   blocked   blocked   blocked   blocked blocked hot",
    ],
  },
  inproc: {
    table: INPROC_TRANSITIONS,
    initial: "idle",
    inputs: ["wait", "join", "part", "refuse", "linger", "close"],
    cells: [
      "idle       waiting   joined    ·         backoff   lingering closed",
      "waiting    ·         joined    ·         ·         lingering closed",
      "backoff    waiting   ·         ·         ·         lingering closed",
      "joined     ·         ·         idle      ·         lingering closed",
      "lingering  lingering lingering lingering lingering ·         closed",
      "closed     ·         ·         ·         ·         ·         closed",
    ],
  },
  session: {
    table: SESSION_TRANSITIONS,
    initial: "idle",
    inputs: ["dial", "opened", "handshaken", "lost", "giveUp", "linger", "close"],
    cells: [
      "idle         dialing   ·           ·         ·         closed lingering closed",
      "dialing      ·         handshaking ·         backoff   closed lingering closed",
      "handshaking  ·         ·           ready     backoff   closed lingering closed",
      "ready        ·         ·           ·         backoff   closed lingering closed",
      "backoff      dialing   ·           ·         ·         closed lingering closed",
      "lingering    lingering lingering   lingering lingering closed lingering closed",
      "closed       ·         closed      closed    closed    closed closed    closed",
    ],
  },
  "accepted connection": {
    table: ACCEPT_TRANSITIONS,
    initial: "handshaking",
    inputs: ["handshaken", "refuse", "lost", "linger", "close", "gone"],
    cells: [
      "handshaking ready   refused lost      ·         closing ·",
      "ready       ·       refused lost      lingering closing ·",
      "refused     refused ·       refused   lingering closing gone",
      "lost        ·       ·       ·         ·         closing gone",
      "lingering   ·       ·       lingering ·         closing gone",
      "closing     closing ·       closing   ·         closing gone",
      "gone        ·       ·       ·         ·         ·       ·",
    ],
  },
};

for (const [name, { table, initial, inputs, cells }] of Object.entries(SPECS)) {
  test(`the ${name} table has these cells and no others`, () => {
    assertEquals(Object.keys(table), cells.map((line) => line.split(/\s+/)[0]));
    for (const line of cells) {
      const [state, ...expected] = line.split(/\s+/);
      assertEquals(expected.length, inputs.length, line);
      inputs.forEach((input, index) => {
        if (expected[index] !== "·") {
          return assertEquals(next(table, state!, input), expected[index], `${state} ${input}`);
        }
        const error = assertThrows(() => next(table, state!, input), BugError);
        assert(error.message.includes(state!) && error.message.includes(input), error.message);
      });
      for (const input of Object.keys(table[state!]!)) {
        assert(inputs.includes(input), `unknown input ${input}`);
      }
    }
  });

  test(`every state of the ${name} table can be reached, and none is a dead end but the last`, () => {
    const reach = (from: string): Set<string> => {
      const seen = new Set([from]);
      for (const state of seen) for (const to of Object.values(table[state]!)) seen.add(to!);
      return seen;
    };
    assertEquals([...reach(initial)].sort(), Object.keys(table).sort());
    const last = Object.keys(table).at(-1)!;
    if (name === "flush") return;
    for (const state of Object.keys(table)) assert(reach(state).has(last), `${state} never ends`);
    assertEquals([...reach(last)], [last], "what is over stays over");
  });
}

/** The flush policy with the arrangements that the driver makes, as a machine of its own. */
class Policy {
  state: FlushState = "idle";
  queued = false;
  lent = false;
  callbackArranged = false;
  burstArranged = false;
  turnArranged = false;
  written = 0;

  input(input: FlushInput): void {
    this.state = next(FLUSH_TRANSITIONS, this.state, input);
    if (this.state === "hot" || this.state === "gathering") this.turnArranged = true;
  }

  /** `late`: others have written in this turn. */
  send(late = false): void {
    this.queued = true;
    const before = this.state;
    this.input(late ? "queuedLate" : "queued");
    if (before !== "idle") return;
    if (this.state === "late") this.burstArranged = true;
    else this.callbackArranged = true;
  }

  full(taken: boolean): void {
    if (this.state === "blocked") return;
    this.input("full");
    this.write(taken);
  }

  endCallback(taken: boolean): void {
    if (!this.callbackArranged) return;
    this.callbackArranged = false;
    const due = this.state === "soon";
    this.input("callbackEnded");
    if (due) this.write(taken);
  }

  endBurst(taken: boolean): void {
    if (!this.burstArranged) return;
    this.burstArranged = false;
    const due = this.state === "late";
    this.input("burstEnded");
    if (due) this.write(taken);
  }

  endTurn(taken: boolean): void {
    if (!this.turnArranged) return;
    this.turnArranged = false;
    const due = this.state === "gathering" || this.state === "soon";
    this.input("turnEnded");
    if (due) this.write(taken);
  }

  drain(taken: boolean): void {
    if (!this.lent) return;
    this.lent = false;
    this.input("drained");
    if (this.queued) this.write(taken);
  }

  write(taken: boolean): void {
    if (!this.queued) return;
    assert(!this.lent, "a second write in flight");
    this.written++;
    this.queued = false;
    this.lent = !taken;
    if (!taken) this.input("lent");
  }
}

test("whatever happens in whatever order, what is queued has somebody who will write it, and a loan is alone", () => {
  // Every row of six steps: send, full, end of callback, burst and turn, drain; each write taken or lent.
  const steps: readonly ((policy: Policy) => void)[] = [
    (policy) => policy.send(),
    (policy) => policy.send(true),
    (policy) => policy.full(true),
    (policy) => policy.full(false),
    (policy) => policy.endCallback(true),
    (policy) => policy.endCallback(false),
    (policy) => policy.endBurst(true),
    (policy) => policy.endBurst(false),
    (policy) => policy.endTurn(true),
    (policy) => policy.endTurn(false),
    (policy) => policy.drain(true),
    (policy) => policy.drain(false),
  ];
  const rows = steps.length ** 6;
  for (let row = 0; row < rows; row++) {
    const policy = new Policy();
    for (let left = row, step = 0; step < 6; step++, left = Math.floor(left / steps.length)) {
      steps[left % steps.length]!(policy);
      assertEquals(policy.lent, policy.state === "blocked");
      const awaited = policy.callbackArranged || policy.burstArranged || policy.turnArranged ||
        policy.lent;
      if (policy.queued && !awaited) throw new Error(`row ${row}: nobody writes in state ${policy.state}`);
    }
  }
});

test("a lone message is written in its callback, a loop of messages once a turn", () => {
  const policy = new Policy();
  policy.send();
  policy.endCallback(true);
  assertEquals(policy.written, 1);
  for (let i = 0; i < 100; i++) {
    policy.send();
    policy.endCallback(true);
  }
  assertEquals(policy.written, 1);
  policy.endTurn(true);
  assertEquals([policy.written, policy.state], [2, "idle"]);
});

test("a message that is late waits for its burst, and leaves nothing to be done at the end of the turn", () => {
  const policy = new Policy();
  policy.send(true);
  policy.send(true);
  policy.endCallback(true);
  policy.endTurn(true);
  assertEquals([policy.written, policy.state], [0, "late"]);
  policy.endBurst(true);
  assertEquals([policy.written, policy.state, policy.turnArranged], [1, "idle", false]);
});
