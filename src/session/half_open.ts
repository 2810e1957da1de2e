/**
 * The unfinished handshakes of one listener, by the host they come from. When there are too many, the oldest
 * one of the host that has the most goes. So a host that floods a listener drives out itself, and where every
 * host has only a few, the slowest goes.
 *
 * @module
 */

/** The handshakes of one host, oldest first. */
interface Group<Handshake> {
  readonly host: string;
  readonly members: Set<Handshake>;
}

/** The unfinished handshakes of a listener. Adding, removing and finding the worst take constant time. */
export class HalfOpen<Handshake> {
  readonly #groups: Map<string, Group<Handshake>> = new Map();
  readonly #groupOf: Map<Handshake, Group<Handshake>> = new Map();
  /** Groups by their number of members. Groups of the same size are in the order in which they reached it. */
  readonly #bySize: Map<number, Set<Group<Handshake>>> = new Map();
  #largest = 0;

  get size(): number {
    return this.#groupOf.size;
  }

  /** A handshake began, or turns out to come from `host`. */
  add(handshake: Handshake, host: string): void {
    this.delete(handshake);
    let group = this.#groups.get(host);
    if (group === undefined) this.#groups.set(host, group = { host, members: new Set() });
    const { size } = group.members;
    group.members.add(handshake);
    this.#resized(group, size);
    this.#groupOf.set(handshake, group);
  }

  /** A handshake has finished or failed. */
  delete(handshake: Handshake): void {
    const group = this.#groupOf.get(handshake);
    if (group === undefined) return;
    this.#groupOf.delete(handshake);
    const { size } = group.members;
    group.members.delete(handshake);
    this.#resized(group, size);
    if (group.members.size === 0) this.#groups.delete(group.host);
  }

  /** The handshake to give up when there are too many. */
  get worst(): Handshake | undefined {
    const [group] = this.#bySize.get(this.#largest) ?? [];
    const [oldest] = group?.members ?? [];
    return oldest;
  }

  /** `group` had `before` members, and has one more or less now. */
  #resized(group: Group<Handshake>, before: number): void {
    const { size } = group.members;
    const equals = this.#bySize.get(before);
    equals?.delete(group);
    if (equals?.size === 0) this.#bySize.delete(before);
    if (size > 0) {
      const now = this.#bySize.get(size);
      if (now === undefined) this.#bySize.set(size, new Set([group]));
      else now.add(group);
    }
    // A group's size changes by one, so the largest size does, too.
    if (size > this.#largest) this.#largest = size;
    else if (this.#largest > 0 && !this.#bySize.has(this.#largest)) this.#largest--;
  }
}

/** Returns what identifies the host in an address such as `tcp://10.0.0.1:5555`: everything but the port. */
export function hostOf(address: string): string {
  const port = address.lastIndexOf(":");
  return port > address.indexOf("//") ? address.substring(0, port) : address;
}
