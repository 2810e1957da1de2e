/**
 * What the processes of a stress run are told, and what they say: a line of JSON each. The end of a process's input means that
 * its work is over.
 *
 * @module
 */

import type { BrokerOptions, BrokerStatus } from "../../log.ts";
import type { Promised } from "./judge.ts";

/** A broker. It is told `"report"` now and then, and says how it is. */
export interface BrokerJob {
  readonly kind: "broker";
  readonly options: BrokerOptions;
}

/** One publisher. */
export interface PublisherPlan {
  /** Its number. */
  readonly id: number;
  readonly topic: string;
  readonly name?: string;
  readonly windowBytes: number;
  readonly batchBytes: number;
  /** `try`: with `tryPublish`; `publish`: waits for positions. */
  readonly by: "try" | "publish";
}

/** Publishers of one connection, until they are told `"stop"`. */
export interface PublishersJob {
  readonly kind: "publishers";
  readonly endpoint: string;
  readonly seed: string;
  readonly publishers: readonly PublisherPlan[];
}

/** A publisher of so many records of 1 KiB, and nothing else; after `"go"`. */
export interface VolumePublisherJob {
  readonly kind: "volume publisher";
  readonly endpoint: string;
  readonly topic: string;
  readonly records: number;
}

/** A consumer of them, which commits what it has checked. */
export interface VolumeConsumerJob {
  readonly kind: "volume consumer";
  readonly endpoint: string;
  readonly topic: string;
  readonly consumer: string;
  readonly records: number;
}

export type Job = BrokerJob | PublishersJob | VolumePublisherJob | VolumeConsumerJob;

/** What a process says. */
export type Report =
  | { readonly type: "ready"; readonly endpoint?: string }
  /** So many records are acknowledged, or read; `each`: of each publisher. */
  | { readonly type: "progress"; readonly records: number; readonly each?: readonly number[] }
  | { readonly type: "done"; readonly records: number; readonly promises?: readonly Promised[] }
  | { readonly type: "status"; readonly status: BrokerStatus; readonly rssBytesMax: number }
  /** For people. */
  | { readonly type: "notice"; readonly text: string }
  /** It cannot go on. */
  | { readonly type: "failed"; readonly text: string };
