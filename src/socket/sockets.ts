/**
 * The public socket types. Options are passed to the constructor and are properties of the same name. Each
 * type is in a file of its own, with the pattern that it needs: bundlers leave out whole files only.
 *
 * @module
 */

export { Pair, type PairOptions } from "./types/pair.ts";
export { Push, type PushOptions } from "./types/push.ts";
export { Pull, type PullOptions } from "./types/pull.ts";
export { Dealer, type DealerOptions } from "./types/dealer.ts";
export { Router, type RouterSocketOptions } from "./types/router.ts";
export { Reply, type ReplyOptions } from "./types/reply.ts";
export { Publisher, type PublisherOptions } from "./types/publisher.ts";
export { Subscriber, type SubscriberOptions } from "./types/subscriber.ts";
export { XPublisher, type XPublisherOptions } from "./types/xpublisher.ts";
export { XSubscriber, type XSubscriberOptions } from "./types/xsubscriber.ts";
export { Request, type RequestSocketOptions, type RetryOptions } from "./types/request.ts";
