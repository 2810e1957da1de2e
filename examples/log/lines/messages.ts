/**
 * What the main program and its processes say to each other: a line of JSON each. The end of a process's input means
 * that its work is over.
 *
 * | from      | to        | lines                                                                |
 * |-----------|-----------|----------------------------------------------------------------------|
 * | main      | broker    | a {@link BrokerJob}                                                  |
 * | main      | publisher | a {@link PublisherJob}, then `"go"`                                  |
 * | broker    | main      | `ready` with its endpoint                                            |
 * | publisher | main      | `ready`, `progress` now and then, `done`                             |
 * | both      | main      | `failed`, instead of whatever would follow                           |
 */

import type { FoundFile } from "../../ventilator/files.ts";

/** The topic of the lines. */
export const TOPIC = "lines";
/** The consumer that reads them. What it has not committed is kept. */
export const CONSUMER = "verifier";

/** How to run the broker. */
export interface BrokerJob {
  /** A folder for the topic's files. It is the broker's to remove, if nobody is left to do it. */
  readonly dir: string;
}

/** What to publish. */
export interface PublisherJob {
  readonly endpoint: string;
  /** The publisher's name, and the key of its records. */
  readonly name: string;
  readonly folder: string;
  readonly files: readonly FoundFile[];
}

/** What a process says. */
export type Report =
  /** It can begin. `label`: `Deno 2.9.6`. */
  | { readonly type: "ready"; readonly label: string; readonly endpoint?: string }
  /** So many records are acknowledged. */
  | { readonly type: "progress"; readonly acknowledged: number }
  /** All of its records are acknowledged; so many they were. */
  | { readonly type: "done"; readonly acknowledged: number }
  /** It cannot go on. */
  | { readonly type: "failed"; readonly message: string };
