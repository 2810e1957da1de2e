/**
 * A log at a broker elsewhere. What a program that only connects uses is apart from open.ts, which has a broker
 * in it.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { AbortSignalLike } from "../../ports.ts";
import { type Context, sharedContext } from "../../socket/context.ts";
import { checkGiven, type Fields, fillDefaults, msField, show } from "../configuration/fields.ts";
import type { TlsOptions, WebSocketOptions } from "../../transport_options.ts";
import { transportOptions } from "../links/transport_options.ts";
import { EndpointsLink } from "./endpoints_link.ts";
import type { LogFeatures } from "./log_features.ts";
import { type Log, LogClient } from "./log_client.ts";
import { checkObject, LOG_FIELDS, type LogOptions } from "./log_options.ts";
import { refusedWait } from "./waits.ts";

/** Options of {@link connectLog}. */
export interface ConnectOptions extends LogOptions {
  /** Milliseconds within which the broker must answer for the first time. Default 30 000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Milliseconds before the second attempt, of which half is chance; doubled with each that fails. Default 100. */
  readonly retryMs?: number | undefined;
  /** Milliseconds that this grows to. Default 5 000. */
  readonly retryMaxMs?: number | undefined;
  /** Certificates and authorities of `tls://` and `wss://` endpoints. */
  readonly tls?: TlsOptions | undefined;
  /** Headers and PINGs of `ws://` and `wss://` endpoints. */
  readonly webSocket?: WebSocketOptions | undefined;
  /** Ends the wait for the first answer. */
  readonly signal?: AbortSignalLike | undefined;
}

const CONNECT_FIELDS: Fields = {
  ...LOG_FIELDS,
  connectTimeoutMs: msField("the broker must answer for the first time within", 30_000, 1),
  retryMs: msField("before the second attempt", 100, 1),
  retryMaxMs: msField("that this grows to", 5_000, 1),
};

/** See `connectLog` in log.ts. `features`: what a log can do that is given nothing else. */
export async function connectLogWith(
  endpoints: string | readonly string[],
  options: ConnectOptions,
  defaults: LogFeatures,
): Promise<Log> {
  const { context = sharedContext(), signal, tls, webSocket, features, ...rest } = checkObject(options);
  const filled = fillDefaults(CONNECT_FIELDS, checkGiven("a log", CONNECT_FIELDS, rest));
  const settings = filled as Readonly<Record<string, number>>;
  const list = checkEndpoints(context, endpoints);
  const refused = refusedWait({ signal });
  if (refused !== undefined) throw refused;
  const { retryMs, retryMaxMs } = settings;
  const socket = transportOptions({ tls, webSocket });
  const client = new LogClient({
    context,
    at: list,
    requestTimeoutMs: settings["requestTimeoutMs"]!,
    closeTimeoutMs: settings["closeTimeoutMs"]!,
    link: (events) =>
      new EndpointsLink({
        context,
        endpoints: list,
        events,
        retryMs: retryMs!,
        retryMaxMs: retryMaxMs!,
        socket,
      }),
    features: { ...defaults, ...features },
    closed: () => Promise.resolve(),
  });
  try {
    await client.connected(settings["connectTimeoutMs"]!, { signal });
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

/** Whatever could be told later only, from inside a timer, is told now. */
function checkEndpoints(context: Context, endpoints: unknown): readonly string[] {
  const list: unknown[] = Array.isArray(endpoints) ? [...endpoints] : [endpoints];
  if (list.length === 0) throw new MisuseError("ERR_ENDPOINT", "Cannot connect a log: there is no endpoint");
  for (const endpoint of list) {
    if (typeof endpoint !== "string") {
      throw new MisuseError("ERR_ENDPOINT", `Cannot connect a log to ${show(endpoint)}: that is no endpoint`);
    }
    const scheme = context.schemeOf(endpoint, "connect");
    if (scheme === "inproc") continue;
    const transport = context.transport(scheme);
    if (transport instanceof Promise) transport.catch(() => {});
    else transport.dial(endpoint, {});
  }
  return list as string[];
}
