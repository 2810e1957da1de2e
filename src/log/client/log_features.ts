/**
 * What a log can do besides subscribing. Node, Deno and Bun have all of it. A page that only subscribes need not
 * load the rest, and is given it where it needs it: `connectLog(endpoint, { features: { publishing } })`.
 *
 * @module
 */

import type { SubscribeOptions } from "../configuration/client.ts";
import {
  checkPublisherOptions,
  type PublisherInput,
  type PublisherOptions,
} from "../configuration/publisher.ts";
import type { ClientCore } from "./client_core.ts";
import { Consumer } from "./consumer.ts";
import { LogPublisher } from "./publisher.ts";
import type { TopicRequests } from "./requests.ts";

/** Publishers: {@link Log.publisher}. */
export interface Publishing {
  /** @internal */
  check(options: PublisherInput, batchBytesMax: number): PublisherOptions;
  /** @internal */
  publisher(core: ClientCore, topic: string, options: PublisherOptions): LogPublisher;
}

/** Named consumers: {@link Log.consumer}. */
export interface Consuming {
  /** @internal */
  consumer(
    core: ClientCore,
    requests: TopicRequests,
    topic: string,
    name: string,
    options: SubscribeOptions,
  ): Consumer;
}

/** What a log can do besides subscribing. */
export interface LogFeatures {
  readonly publishing?: Publishing;
  readonly consuming?: Consuming;
}

/** Publishers. Node, Deno and Bun always have them. */
export const publishing: Publishing = {
  check: (options, batchBytesMax) => checkPublisherOptions(options, { batchBytesMax }),
  publisher: (core, topic, options) => LogPublisher.create(core, topic, options),
};

/** Named consumers. Node, Deno and Bun always have them. */
export const consuming: Consuming = {
  consumer: (core, requests, topic, name, options) => Consumer.create(core, requests, topic, name, options),
};
