/**
 * What goes over the wire, in one place.
 *
 * | from       | to      | frames                                                             |
 * |------------|---------|--------------------------------------------------------------------|
 * | ventilator | worker  | number of the task, content (of a file, or of a piece of one)      |
 * | worker     | sink    | what it runs on, number of the task, SHA-256 of the content        |
 * | sink       | display | `progress`, a {@link Progress} as JSON                             |
 * | ventilator | worker  | `end Node`, `end Deno` or `end Bun`                                |
 */

/** The topic of progress. */
export const PROGRESS_TOPIC = "progress";

/** The handshake property by which a worker says what it runs on, `Deno 2.9.6`. */
export const RUNTIME_PROPERTY = "X-Runtime";

/** How far the work is. */
export interface Progress {
  readonly files: number;
  readonly filesTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
}

/** Every worker has an end topic of its own, so that `subscribed` can wait until each one listens. */
export function endTopic(runtime: string): string {
  return `end ${runtime}`;
}

/** A frame as text. */
export function textOf(frame: Uint8Array | undefined): string {
  return new TextDecoder().decode(frame);
}
