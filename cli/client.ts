/**
 * A command's connection to a broker.
 *
 * @module
 */

import { connectLog, type Log, type LogEvent, type LogEventType } from "../log.ts";
import type { Configuration } from "../src/log/configuration/resolve.ts";
import type { Interruption } from "./interruption.ts";
import { line, type Terminal } from "./terminal.ts";

/** Milliseconds without a broker after which the command says that it waits. */
const NOTICE_MS = 1_000;

/** What people should hear of while it happens. */
const NOTICES: { readonly [Type in LogEventType]?: (event: LogEvent<Type>) => string } = {
  storeFull: ({ topic }) => `the store of ${topic} is full; records are waiting`,
  storeResumed: ({ topic }) => `the store of ${topic} has room again`,
  fenced: ({ topic }) => `the session on ${topic} was fenced; what was not committed is sent again`,
  acknowledgedLost: ({ topic, batches }) =>
    `a crash of the broker's machine lost ${batches} acknowledged ${
      batches === 1 ? "batch" : "batches"
    } of ${topic}`,
  logCut: ({ topic }) => `a crash of the broker's machine lost records of ${topic} that had been read here`,
  trimmed: ({ topic }) => `records of ${topic} were removed before they were read here`,
};

/** Connects, and says so when that takes long. The first signal ends the attempt. */
export async function openClient(
  { connect, tls, webSocket }: Configuration,
  { stderr }: Terminal,
  { signal }: Interruption,
): Promise<Log> {
  const say = (text: string): void => {
    line(stderr, `hawser: ${text}`);
  };
  const notice = setTimeout(() => say(`waiting for a broker at ${connect.join(", ")}`), NOTICE_MS);
  try {
    const log = await connectLog(connect, { signal, tls, webSocket });
    listen(log, say);
    return log;
  } finally {
    clearTimeout(notice);
  }
}

function listen(log: Log, say: (text: string) => void): void {
  for (const [type, text] of Object.entries(NOTICES)) {
    log.on(type as LogEventType, (event) => say(text(event as never)));
  }
  let lost = false;
  log.on("disconnected", ({ error, retryMs }) => {
    // Attempts that fail say nothing new.
    if (!lost && retryMs !== Infinity) {
      say(`lost the connection to the broker (${error?.message ?? "it closed"}); trying again`);
    }
    lost = true;
  });
  log.on("connected", () => {
    if (lost) say("connected to the broker again");
    lost = false;
  });
}

/**
 * Options below `prefix` that somebody has set. Defaults are left out, because some depend on the broker.
 */
export function givenOptions({ settings }: Configuration, prefix: string): Record<string, unknown> {
  const given = settings.filter(({ path, source }) => path.startsWith(prefix) && source !== "default");
  return Object.fromEntries(given.map(({ path, value }) => [path.slice(prefix.length), value]));
}
