/**
 * What happens to a publisher's session, as listeners of the log are told.
 *
 * @module
 */

import { LogError } from "../errors.ts";
import type { PublisherEvent } from "../publisher/publisher_types.ts";
import type { LogEvent } from "./log_events.ts";

/** `undefined`: it is told otherwise. */
export function logEventOf(
  event: PublisherEvent,
  topic: string,
  name: string | undefined,
): LogEvent | undefined {
  switch (event.type) {
    case "opened":
    case "failed":
      return undefined;
    case "refused":
      return { ...event, topic, name };
    case "storeFull": {
      const error = new LogError("ERR_LOG_STORE_FULL", event.message, { topic });
      return { type: event.type, topic, name, error };
    }
    case "fenced": {
      const text = `Epoch ${event.epoch} ended behind batch ${event.nextBatch} (${event.reason})`;
      const error = new LogError("ERR_LOG_FENCED", text, { topic });
      return { type: event.type, topic, name, error };
    }
    case "acknowledgedLost": {
      const { batches } = event;
      const text = `${batches} batches that were acknowledged did not survive a crash of the broker`;
      const error = new LogError("ERR_LOG_ACKNOWLEDGED_LOST", text, { topic, batches });
      return { type: event.type, topic, name, error, batches };
    }
    default:
      return { type: event.type, topic, name };
  }
}
