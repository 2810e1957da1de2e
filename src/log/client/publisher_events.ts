/**
 * What a publisher's session makes of its link's answers, and what happens to it as listeners of the log are told.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import { checkPublisherForTopic, type PublisherOptions } from "../configuration/publisher.ts";
import { LogError } from "../errors.ts";
import type { PublisherEvent, PublisherLink } from "../publisher/publisher_types.ts";
import type { BrokerMessage, Welcome } from "../wire/messages.ts";
import { refusalOf } from "./connection.ts";
import type { LogEvent } from "./log_events.ts";

/** The link that a broker's answer to `openTopic` makes, or why a publisher cannot use it. */
export function linkOf(
  message: BrokerMessage,
  { brokerId, logId, batchBytesMax }: Welcome,
  publisher: PublisherOptions,
  topic: string,
): PublisherLink | LogError {
  if (message.type !== "topicOpened") return refusalOf(message, topic);
  try {
    const { options: { order, ack: topicAck }, durability, generation } = message;
    const ack = checkPublisherForTopic(publisher, message);
    return { brokerId, logId, durability, batchBytesMax, order, ack, topicAck, generation };
  } catch (error) {
    if (!(error instanceof MisuseError)) throw error;
    return new LogError("ERR_LOG_TOPIC", error.message, { topic, cause: error });
  }
}

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
    case "superseded": {
      const text = `A newcomer took over the publisher "${name}"`;
      return { type: event.type, topic, name, error: new LogError("ERR_LOG_SUPERSEDED", text, { topic }) };
    }
    case "storeResumed":
      return { type: event.type, topic, name };
  }
}
