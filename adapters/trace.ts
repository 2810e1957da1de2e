/**
 * Traces what happens to sockets: `NODE_DEBUG=hawser` prints it to standard error, and the diagnostics
 * channels `hawser:event` and `hawser:state` publish it to tools.
 *
 * @module
 */

import type { TraceRecord } from "../src/ports.ts";
import { builtin } from "./builtin.ts";
import type { DiagnosticsChannel } from "./builtin.ts";

interface Globals {
  readonly process?: {
    readonly pid?: number;
    readonly env?: Readonly<Record<string, string | undefined>>;
  };
  readonly console: { error(line: string): void };
}

const globals = globalThis as unknown as Globals;

interface Watchers {
  readonly debug: boolean;
  readonly event: DiagnosticsChannel;
  readonly state: DiagnosticsChannel;
}

/** Set up when there is something to report, so that importing hawser costs nothing. */
let watchers: Watchers | undefined;

/** Prints and publishes a record where that is wanted. */
export function trace(record: TraceRecord): void {
  watchers ??= findWatchers();
  if (watchers.debug) globals.console.error(debugLine(record));
  const channel = watchers[record.kind];
  if (channel.hasSubscribers) channel.publish(record);
}

/** Whether anybody wants records just now. */
export function traces(): boolean {
  watchers ??= findWatchers();
  return watchers.debug || watchers.event.hasSubscribers || watchers.state.hasSubscribers;
}

function findWatchers(): Watchers {
  const { channel } = builtin("node:diagnostics_channel");
  return { debug: isDebugged(), event: channel("hawser:event"), state: channel("hawser:state") };
}

/** Deno lets every program read this variable without a permission or a prompt. */
function isDebugged(): boolean {
  try {
    return namesHawser(globals.process?.env?.["NODE_DEBUG"] ?? "");
  } catch {
    return false;
  }
}

/**
 * Whether `NODE_DEBUG` names hawser, as Node reads it: a comma-separated list, regardless of case, with `*`
 * as a wildcard.
 */
export function namesHawser(text: string): boolean {
  return text.split(",").some((name) => {
    const pattern = name.trim().replaceAll(/[|\\{}()[\]^$+?.]/g, "\\$&").replaceAll("*", ".*");
    return pattern !== "" && new RegExp(`^${pattern}$`, "i").test("hawser");
  });
}

/**
 * Returns a line in the form of Node's own:
 * `HAWSER 4711: PUSH 1 connect:retry tcp://127.0.0.1:5555 interval=100`.
 */
export function debugLine(record: TraceRecord): string {
  const { socketType, socketId } = record;
  const head = `HAWSER ${globals.process?.pid ?? 0}: ${socketType} ${socketId}`;
  if (record.kind === "state") return `${head} state ${record.address} ${record.state}`;
  const { type, address, ...fields } = record.event;
  const texts = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${textOf(value)}`]
  );
  return [head, type, ...(address === "" ? [] : [address]), ...texts].join(" ");
}

function textOf(value: unknown): string {
  if (value instanceof Error) {
    const { code } = value as { readonly code?: string };
    return `${JSON.stringify(value.message)}${code === undefined ? "" : ` (${code})`}`;
  }
  if (typeof value !== "object" || value === null) return String(value);
  const { socketType, remoteAddress } = value as {
    readonly socketType?: string;
    readonly remoteAddress?: string;
  };
  return `${socketType}@${remoteAddress}`;
}
