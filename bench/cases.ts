/**
 * What is measured: the table of floors and goals, sockets with many peers, and the matrix of six patterns over three
 * transports.
 *
 * @module
 */

/** `node` is the one that runs the harness, `node-newest` the newest that npm has. */
export type Runtime = "node" | "node-newest" | "deno" | "bun";
/**
 * `raw` is a bare socket of the same runtime (over ws its own WebSocket), with its usual reads (64 KiB on Node), which
 * only counts frames. `tcp` is hawser over TCP, and `ws-package` the npm package `ws`, with a message per frame.
 */
export type Rival = "raw" | "libzmq" | "zeromqjs" | "tcp" | "ws-package";
export const RIVALS: readonly Rival[] = ["raw", "libzmq", "zeromqjs", "tcp", "ws-package"];
export type Transport = "tcp" | "ipc" | "inproc" | "tls" | "ws" | "wss" | "worker";
/** What a ratio is made of. Of rates more is better, of times less. */
export type Metric = "rate" | "p50" | "p99" | "p999";
/**
 * `throughput` and `round-trip`: two processes of the same kind. The others: one server, and the load generator in C
 * (`bench/load/`), which is the same program for hawser and libzmq.
 */
export type Measure = "throughput" | "round-trip" | "echo" | "fan-out" | "open-loop" | "connect";

/** A ratio hawser ÷ rival that is asked for: at least of a rate, at most of a time. */
export interface Target {
  readonly rival: Rival;
  readonly metric: Metric;
  readonly floor: number;
  readonly goal: number;
}

/** What the load generator is to do. */
export interface Load {
  /** Connections; of `connect`, attempts at a time. */
  readonly clients: number;
  /** Of `open-loop`: messages per second, or the part of the rate that a closed loop reaches with the same server. */
  readonly perSecond?: number;
  readonly share?: number;
}

export interface Case {
  readonly group: "core" | "many" | "matrix" | "transports";
  readonly pattern: string;
  readonly transport: Transport;
  readonly bytes: number;
  readonly api: "sync" | "await";
  readonly runtime: Runtime;
  readonly measure: Measure;
  /** Of `throughput`: the sender binds and the receiver connects. A server's WebSocket frames are not masked. */
  readonly fromServer?: boolean;
  /** Only where the load generator takes part. */
  readonly load?: Load;
  readonly rivals: readonly Rival[];
  readonly targets: readonly Target[];
}

const PATTERNS = ["pair", "pub-sub", "dealer-dealer", "dealer-router", "router-router", "router-router-poll"];
const TRANSPORTS: readonly Transport[] = ["tcp", "ipc", "inproc"];
/** What `--quick` measures beside the table: the cells least like its PUSH and PULL, and one row of each server. */
const QUICK_CELLS = ["pub-sub/tcp/64", "router-router-poll/ipc/1024"];
const QUICK_SERVERS = [
  "router/tcp/64/await/node/echo/100-clients",
  "pub/tcp/64/sync/node/fan-out/10-subscribers",
];
/** Of `connect`: what an accept queue holds even where nobody asked for a longer one. */
const CONNECTS_AT_A_TIME = 16;

const COMMON: Omit<Case, "rivals" | "targets"> = {
  group: "core",
  pattern: "push-pull",
  transport: "tcp",
  bytes: 64,
  api: "sync",
  runtime: "node",
  measure: "throughput",
};

function libzmq(floor: number, goal: number, metric: Metric = "rate"): readonly Target[] {
  return [{ rival: "libzmq", metric, floor, goal }];
}

/** The metric whose ratio stands beside a rival in lists. */
export function mainMetric(c: Case): Metric {
  return c.measure === "round-trip" || c.measure === "open-loop" ? "p50" : "rate";
}

export function isLessBetter(metric: Metric): boolean {
  return metric !== "rate";
}

function coreCases(): Case[] {
  const all: readonly Rival[] = ["raw", "libzmq", "zeromqjs"];
  const sockets: readonly Rival[] = ["raw", "libzmq"];
  return [
    { ...COMMON, rivals: sockets, targets: libzmq(2.0, 3.0) },
    { ...COMMON, runtime: "deno", rivals: sockets, targets: libzmq(2.0, 2.5) },
    { ...COMMON, runtime: "bun", rivals: sockets, targets: libzmq(1.5, 2.0) },
    {
      ...COMMON,
      api: "await",
      rivals: all,
      targets: [...libzmq(1.2, 1.6), { rival: "zeromqjs", metric: "rate", floor: 8, goal: 12 }],
    },
    { ...COMMON, api: "await", runtime: "deno", rivals: sockets, targets: libzmq(0.9, 1.3) },
    { ...COMMON, api: "await", runtime: "bun", rivals: sockets, targets: libzmq(1.2, 1.6) },
    { ...COMMON, bytes: 1024, rivals: all, targets: libzmq(1.1, 1.4) },
    { ...COMMON, bytes: 65536, rivals: all, targets: libzmq(1.1, 1.4) },
    { ...COMMON, bytes: 1048576, rivals: all, targets: libzmq(0.7, 1.0) },
    { ...COMMON, bytes: 4194304, rivals: all, targets: libzmq(0.6, 1.0) },
    {
      ...COMMON,
      pattern: "pair",
      api: "await",
      measure: "round-trip",
      rivals: all,
      targets: [...libzmq(1.0, 0.7, "p50"), ...libzmq(1.0, 0.3, "p99")],
    },
    { ...COMMON, transport: "ipc", rivals: all, targets: libzmq(1.6, 2.5) },
    { ...COMMON, transport: "inproc", rivals: ["libzmq", "zeromqjs"], targets: libzmq(2.5, 5) },
  ];
}

/** One server, and the load generator. */
function manyCases(): Case[] {
  const common = { ...COMMON, group: "many", rivals: ["libzmq"] } as const;
  const echo = (api: "sync" | "await", clients: number, targets: readonly Target[]): Case => ({
    ...common,
    pattern: "router",
    api,
    measure: "echo",
    load: { clients },
    targets,
  });
  // `pub` is a PUB as it comes, which drops at the high-water mark; `pub-lossless` waits instead (`noDrop`).
  const publish = (bytes: number, clients: number, targets: readonly Target[], pattern = "pub"): Case => ({
    ...common,
    pattern,
    bytes,
    measure: "fan-out",
    load: { clients },
    targets,
  });
  const open = (rate: Omit<Load, "clients">): Case => ({
    ...common,
    pattern: "router",
    api: "await",
    measure: "open-loop",
    load: { clients: 1, ...rate },
    targets: [],
  });
  return [
    echo("await", 1, []),
    echo("await", 10, libzmq(0.5, 1.0)),
    echo("await", 100, libzmq(0.6, 1.0)),
    echo("await", 1000, libzmq(0.5, 0.8)),
    echo("sync", 1, []),
    echo("sync", 10, libzmq(0.8, 1.2)),
    echo("sync", 100, libzmq(0.8, 1.2)),
    echo("sync", 1000, libzmq(0.75, 1.2)),
    publish(64, 1, libzmq(4, 5)),
    publish(64, 10, libzmq(1.2, 2)),
    publish(64, 100, libzmq(1.2, 2)),
    publish(64, 1000, []),
    ...[1, 10, 100].map((clients) => publish(1024, clients, libzmq(1.5, 2.5))),
    ...[1, 10, 100].map((clients) => publish(64, clients, [], "pub-lossless")),
    publish(1024, 10, [], "pub-lossless"),
    open({ perSecond: 20_000 }),
    open({ perSecond: 100_000 }),
    open({ share: 0.1 }),
    open({ share: 0.5 }),
    {
      ...common,
      pattern: "router",
      bytes: 0,
      api: "await",
      measure: "connect",
      load: { clients: CONNECTS_AT_A_TIME },
      targets: libzmq(0.5, 0.8),
    },
  ];
}

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];
const SIZES = [64, 1_024, 65_536];

/** Encrypted, web and worker transports, against bare streams of their kind and our own TCP. */
function transportCases(): Case[] {
  const common = { ...COMMON, group: "transports" } as const;
  const ofTcp = (floor: number, goal: number): Target => ({ rival: "tcp", metric: "rate", floor, goal });
  const cases: Case[] = [];
  for (const runtime of RUNTIMES) {
    const onNode = runtime === "node";
    for (const bytes of SIZES) {
      const small = onNode && bytes === 64;
      const row = { ...common, runtime, bytes };
      const tls = small ? [ofTcp(0.35, 0.5)] : [];
      if (onNode && bytes === 65_536) tls.push({ rival: "raw", metric: "rate", floor: 0.8, goal: 1 });
      cases.push({ ...row, transport: "tls", rivals: ["raw", "tcp"], targets: tls });
      const webRivals: readonly Rival[] = onNode ? ["tcp", "ws-package", "zeromqjs"] : ["raw", "tcp"];
      const ofPackage: Target = { rival: "ws-package", metric: "rate", floor: 5, goal: 10 };
      const web = { ...row, transport: "ws", rivals: webRivals } as const;
      cases.push({ ...web, targets: small ? [ofTcp(0.4, 0.5), ofPackage] : [] });
      cases.push({ ...web, fromServer: true, rivals: ["tcp"], targets: small ? [ofTcp(0.5, 0.65)] : [] });
      const secureRivals: readonly Rival[] = onNode ? ["tcp", "ws-package"] : ["raw", "tcp"];
      cases.push({ ...row, transport: "wss", rivals: secureRivals, targets: [] });
      cases.push({ ...row, transport: "worker", rivals: [], targets: [] });
    }
    for (const transport of ["tls", "ws", "wss"] as const) {
      const trip = {
        ...common,
        runtime,
        pattern: "pair",
        api: "await",
        measure: "round-trip",
        transport,
      } as const;
      const bare = onNode && transport !== "tls" ? "ws-package" : "raw";
      cases.push({ ...trip, rivals: [bare, "tcp"], targets: [] });
    }
  }
  return cases;
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

/** `core/push-pull/tcp/64/sync/node/throughput`, `many/router/tcp/64/await/node/echo/100-clients`: for `--filter`. */
export function caseName(c: Case): string {
  const parts: (string | number)[] = [c.group, c.pattern, c.transport, c.bytes, c.api, c.runtime, c.measure];
  if (c.fromServer === true) parts.push("from-server");
  if (c.load !== undefined) parts.push(loadName(c.measure, c.load));
  return parts.join("/");
}

function loadName(measure: Measure, { clients, perSecond, share }: Load): string {
  if (perSecond !== undefined) return `${perSecond}-per-second`;
  if (share !== undefined) return `${share * 100}-percent`;
  if (measure === "connect") return `${clients}-at-a-time`;
  const noun = measure === "fan-out" ? "subscriber" : "client";
  return `${clients}-${noun}${clients === 1 ? "" : "s"}`;
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
  let cases = [...coreCases(), ...manyCases(), ...transportCases(), ...matrixCases()];
  if (quick) cases = cases.filter(isQuick).map(withQuickRivals);
  if (runtime !== undefined) cases = onRuntime(cases, runtime);
  return cases.filter((c) => filter.every((word) => caseName(c).includes(word)));
}

function isQuick(c: Case): boolean {
  if (c.group === "core") return true;
  if (c.group === "transports") return false;
  if (c.group === "matrix") return QUICK_CELLS.includes(`${c.pattern}/${c.transport}/${c.bytes}`);
  return QUICK_SERVERS.some((name) => caseName(c) === `many/${name}`);
}

/** Only what a target is about: there is a minute and a half for all. */
function withQuickRivals(c: Case): Case {
  const wanted = new Set<Rival>(c.targets.map((target) => target.rival));
  return { ...c, rivals: c.rivals.filter((rival) => wanted.has(rival)) };
}

function onRuntime(cases: readonly Case[], runtime: Runtime): Case[] {
  const moved = new Map<string, Case>();
  for (const c of cases) {
    const there = c.runtime === runtime ? c : moveCase(c, runtime);
    const name = caseName(there);
    if (!moved.has(name) || c.runtime === runtime) moved.set(name, there);
  }
  return [...moved.values()];
}

/** What is asked of Node is asked of every Node; of other runtimes, only what is said of them. */
function moveCase(c: Case, runtime: Runtime): Case {
  const keeps = c.runtime === "node" && runtime === "node-newest";
  return { ...c, runtime, targets: keeps ? c.targets : [] };
}

/** What `--quick` leaves out, in words. */
export function quickNote(): string {
  return `quick: ${QUICK_CELLS.length} of 36 matrix cells (${QUICK_CELLS.join(", ")}); of the servers with ` +
    `many peers ${
      QUICK_SERVERS.join(" and ")
    }; tcp, ipc and inproc only; rivals only where a target names them; memory of idle ` +
    "connections on one runtime; processes are kept between alternations";
}
