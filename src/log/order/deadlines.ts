/**
 * What is due first: a heap whose members know their place, so that a million that wait cost nothing.
 *
 * @module
 */

/** One moment of somebody's. */
export class Deadline<T> {
  readonly owner: T;
  /** Written by {@link Deadlines} alone, as is the place. */
  dueMs: number = Infinity;
  place = -1;

  constructor(owner: T) {
    this.owner = owner;
  }

  get isSet(): boolean {
    return this.place >= 0;
  }
}

/** Deadlines by time. */
export class Deadlines<T> {
  readonly #heap: Deadline<T>[] = [];

  /** The earliest one. */
  get first(): Deadline<T> | undefined {
    return this.#heap[0];
  }

  /** When that is; `Infinity`: there is none. */
  get nextMs(): number {
    return this.#heap[0]?.dueMs ?? Infinity;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Sets or moves `deadline`. */
  set(deadline: Deadline<T>, dueMs: number): void {
    const earlier = dueMs < deadline.dueMs;
    deadline.dueMs = dueMs;
    if (deadline.place < 0) {
      deadline.place = this.#heap.push(deadline) - 1;
      this.#rise(deadline);
    } else if (earlier) this.#rise(deadline);
    else this.#sink(deadline);
  }

  /** Takes `deadline` out. Does nothing where it is not set. */
  clear(deadline: Deadline<T>): void {
    const place = deadline.place;
    if (place < 0) return;
    deadline.place = -1;
    deadline.dueMs = Infinity;
    const last = this.#heap.pop()!;
    if (last === deadline) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  #put(deadline: Deadline<T>, place: number): void {
    this.#heap[place] = deadline;
    deadline.place = place;
  }

  #rise(deadline: Deadline<T>): void {
    let place = deadline.place;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.#heap[above]!;
      if (other.dueMs <= deadline.dueMs) break;
      this.#put(other, place);
      place = above;
    }
    this.#put(deadline, place);
  }

  #sink(deadline: Deadline<T>): void {
    const heap = this.#heap;
    let place = deadline.place;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && heap[below + 1]!.dueMs < heap[below]!.dueMs) below++;
      const other = heap[below]!;
      if (other.dueMs >= deadline.dueMs) break;
      this.#put(other, place);
      place = below;
    }
    this.#put(deadline, place);
  }
}
