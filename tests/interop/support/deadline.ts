/**
 * Deadlines of tests. They fail a test that would hang; no test waits for one to pass.
 *
 * @module
 */

/** Generous: the machine may be busy with other tests. */
const DEADLINE_MS = 30_000;

/** Answers as `promise` does; rejects, naming `what`, if that takes longer than any healthy run. */
export function within<T>(
  promise: PromiseLike<T>,
  what: string,
  deadlineMs: number = DEADLINE_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${deadlineMs} ms in vain for: ${what}`)), deadlineMs);
  });
  return Promise.race([promise, tooLate]).finally(() => clearTimeout(timer));
}

/** The end of the current turn of the event loop, timers and reads included. */
export function loopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}

/** Turns of the event loop until `condition` holds; rejects, naming `what`, if it never does. */
export async function until(
  condition: () => boolean,
  what: string,
  deadlineMs: number = DEADLINE_MS,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`Waited ${deadlineMs} ms in vain until: ${what}`);
    await loopTurn();
  }
}
