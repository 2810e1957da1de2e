/**
 * A list whose members know their place: append, remove and the first one cost the same however long it is.
 *
 * @module
 */

/** A place in at most one list at a time. */
export class ListNode<T> {
  readonly owner: T;
  /** The list that it is in. Written by {@link LinkedList} alone, as are the neighbours. */
  list: LinkedList<T> | undefined = undefined;
  previous: ListNode<T> | undefined = undefined;
  next: ListNode<T> | undefined = undefined;

  constructor(owner: T) {
    this.owner = owner;
  }
}

/** First in, first out, unless somebody leaves. */
export class LinkedList<T> {
  #first: ListNode<T> | undefined = undefined;
  #last: ListNode<T> | undefined = undefined;
  #size = 0;

  get first(): T | undefined {
    return this.#first?.owner;
  }

  get size(): number {
    return this.#size;
  }

  /** Puts `node` at the end; takes it out of where it was. */
  append(node: ListNode<T>): void {
    node.list?.remove(node);
    node.list = this;
    node.previous = this.#last;
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#size++;
  }

  /** Does nothing where `node` is not in this list. */
  remove(node: ListNode<T>): void {
    if (node.list !== this) return;
    if (node.previous === undefined) this.#first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#last = node.previous;
    else node.next.previous = node.previous;
    node.list = undefined;
    node.previous = undefined;
    node.next = undefined;
    this.#size--;
  }
}
