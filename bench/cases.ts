/**
 * What is measured: the table of floors and goals, and the matrix of six patterns over three transports.
 *
 * @module
 */

export type Runtime = "node" | "deno" | "bun";
export type Rival = "raw" | "libzmq" | "zeromqjs";
export type Transport = "tcp" | "ipc" | "inproc";

/** A ratio hawser ÷ rival that is asked for. Of messages per second (at least) or of the p50 (at most). */
export interface Target {
  readonly rival: Rival;
  readonly floor: number;
  readonly goal: number;
}

export interface Case {
  readonly group: "core" | "matrix";
  readonly pattern: string;
  readonly transport: Transport;
  readonly bytes: number;
  readonly api: "sync" | "await";
  readonly runtime: Runtime;
  readonly measure: "throughput" | "round-trip";
  readonly rivals: readonly Rival[];
  readonly targets: readonly Target[];
}

const PATTERNS = ["pair", "pub-sub", "dealer-dealer", "dealer-router", "router-router", "router-router-poll"];
const TRANSPORTS: readonly Transport[] = ["tcp", "ipc", "inproc"];
/** The cells of the matrix that `--quick` measures: what is least like the PUSH and PULL of the table. */
const QUICK_CELLS = ["pub-sub/tcp/64", "router-router-poll/ipc/1024"];

const COMMON: Omit<Case, "rivals" | "targets"> = {
  group: "core",
  pattern: "push-pull",
  transport: "tcp",
  bytes: 64,
  api: "sync",
  runtime: "node",
  measure: "throughput",
};

function libzmq(floor: number, goal: number): readonly Target[] {
  return [{ rival: "libzmq", floor, goal }];
}

function coreCases(): Case[] {
  const all: readonly Rival[] = ["raw", "libzmq", "zeromqjs"];
  const sockets: readonly Rival[] = ["raw", "libzmq"];
  return [
    { ...COMMON, rivals: sockets, targets: libzmq(1.6, 2.5) },
    { ...COMMON, runtime: "deno", rivals: sockets, targets: libzmq(1.4, 2.5) },
    { ...COMMON, runtime: "bun", rivals: sockets, targets: libzmq(1.3, 2.0) },
    {
      ...COMMON,
      api: "await",
      rivals: all,
      targets: [...libzmq(0.8, 1.3), { rival: "zeromqjs", floor: 8, goal: 12 }],
    },
    { ...COMMON, bytes: 1024, rivals: all, targets: libzmq(1.1, 1.4) },
    { ...COMMON, bytes: 65536, rivals: all, targets: libzmq(1.1, 1.4) },
    { ...COMMON, bytes: 1048576, rivals: all, targets: libzmq(0.6, 0.9) },
    {
      ...COMMON,
      pattern: "pair",
      api: "await",
      measure: "round-trip",
      rivals: all,
      targets: libzmq(1.1, 0.8),
    },
    { ...COMMON, transport: "ipc", rivals: all, targets: libzmq(1.6, 2.5) },
    { ...COMMON, transport: "inproc", rivals: ["libzmq", "zeromqjs"], targets: libzmq(2.5, 5) },
  ];
}

function matrixCases(): Case[] {
  const cases: Case[] = [];
  for (const pattern of PATTERNS) {
    for (const transport of TRANSPORTS) {
      for (const bytes of [64, 1024]) {
        cases.push({
          ...COMMON,
          group: "matrix",
          pattern,
          transport,
          bytes,
          rivals: ["libzmq"],
          targets: libzmq(0.8, 1.0),
        });
      }
    }
  }
  return cases;
}

/** `core/push-pull/tcp/64/sync/node`: what `--filter` looks at. */
export function caseName(c: Case): string {
  return [c.group, c.pattern, c.transport, c.bytes, c.api, c.runtime, c.measure].join("/");
}

export interface Selection {
  readonly quick: boolean;
  /** Every case on this runtime; targets stand only where the case names that runtime anyway. */
  readonly runtime?: Runtime;
  /** Words that must all occur in the case's name. */
  readonly filter: readonly string[];
}

export function selectCases(selection: Selection): Case[] {
  const { quick, runtime, filter } = selection;
  let cases = [...coreCases(), ...matrixCases()];
  if (quick) cases = cases.filter(isQuick).map(withQuickRivals);
  if (runtime !== undefined) cases = onRuntime(cases, runtime);
  return cases.filter((c) => filter.every((word) => caseName(c).includes(word)));
}

function isQuick(c: Case): boolean {
  return c.group === "core" || QUICK_CELLS.includes(`${c.pattern}/${c.transport}/${c.bytes}`);
}

/** Only what a target is about, and the limit where the runtimes are compared: there is a minute for all. */
function withQuickRivals(c: Case): Case {
  const wanted = new Set<Rival>(c.targets.map((target) => target.rival));
  const compared = c.group === "core" && c.bytes === 64 && c.transport === "tcp";
  if (compared && c.api === "sync") wanted.add("raw");
  return { ...c, rivals: c.rivals.filter((rival) => wanted.has(rival)) };
}

function onRuntime(cases: readonly Case[], runtime: Runtime): Case[] {
  const moved = new Map<string, Case>();
  for (const c of cases) {
    const there: Case = c.runtime === runtime ? c : { ...c, runtime, targets: [] };
    const name = caseName(there);
    if (!moved.has(name) || c.runtime === runtime) moved.set(name, there);
  }
  return [...moved.values()];
}

/** What `--quick` leaves out, in words. */
export function quickNote(): string {
  return `quick: ${QUICK_CELLS.length} of 36 matrix cells (${
    QUICK_CELLS.join(", ")
  }); rivals only where a target ` +
    "names them; memory of idle connections on one runtime; processes are kept between alternations";
}
