/**
 * When a page is back: it went online, was taken out of the back-forward cache, or became visible. Until then
 * its timers may have stood still, or come once a minute.
 *
 * @module
 */

import { type EventTargetLike, webGlobals } from "./types.ts";

const EVENTS = ["online", "pageshow"] as const;
const VISIBILITY = "visibilitychange";

/** Those who wait. The page is only listened to while there are any. */
const listeners: Set<() => void> = new Set();

/** {@link Host.wakes} of a page or a worker; `undefined` where nothing sends such events. */
export function webWakes(): ((listener: () => void) => () => void) | undefined {
  return webGlobals.addEventListener === undefined ? undefined : wakes;
}

function wakes(listener: () => void): () => void {
  if (listeners.size === 0) listen(true);
  // Each call is a separate wait, whatever function it gave.
  const own = (): void => listener();
  listeners.add(own);
  return () => {
    if (listeners.delete(own) && listeners.size === 0) listen(false);
  };
}

function listen(on: boolean): void {
  const method = on ? "addEventListener" : "removeEventListener";
  for (const type of EVENTS) (webGlobals as EventTargetLike)[method](type, tell);
  webGlobals.document?.[method](VISIBILITY, tellVisible);
}

function tell(): void {
  for (const listener of [...listeners]) listener();
}

function tellVisible(): void {
  if (webGlobals.document?.visibilityState === "visible") tell();
}
