/**
 * What a metric is: a name, and how it is read from a broker's status.
 *
 * @module
 */

import type { BrokerStatus, TopicStatus } from "../src/log/broker/status.ts";

/** What tells values of one name apart. */
export type Labels = Readonly<Record<string, string>>;
/** One value. */
export type Sample = readonly [labels: Labels, value: number];

/** One family of values. */
export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** What tells its values apart, beside each other. */
  readonly labels: readonly string[];
  read(status: BrokerStatus): readonly Sample[];
}

/** A number of the broker. */
export function ofBroker(
  type: Metric["type"],
  name: string,
  help: string,
  read: (status: BrokerStatus) => number,
): Metric {
  return { name: `hawser_${name}`, type, help, labels: [], read: (status) => [[{}, read(status)]] };
}

/** A number of each topic. */
export function ofTopics(
  type: Metric["type"],
  name: string,
  help: string,
  read: (topic: TopicStatus) => number,
): Metric {
  return {
    name: `hawser_topic_${name}`,
    type,
    help,
    labels: ["topic"],
    read: ({ topics }) => topics.map((topic) => [{ topic: topic.name }, read(topic)]),
  };
}

/** A number of each consumer. */
export function ofConsumers(
  name: string,
  help: string,
  read: (consumer: TopicStatus["consumers"][number]) => number | undefined,
): Metric {
  return {
    name: `hawser_consumer_${name}`,
    type: "gauge",
    help,
    labels: ["topic", "consumer"],
    read: ({ topics }) =>
      topics.flatMap((topic) =>
        topic.consumers.flatMap((consumer): Sample[] => {
          const value = read(consumer);
          return value === undefined ? [] : [[{ topic: topic.name, consumer: consumer.name }, value]];
        })
      ),
  };
}
