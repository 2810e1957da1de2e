/**
 * The handshakes of one listener that are not done, by the host they come from: when there are too many, the oldest one
 * of the host that has most of them goes. So one that floods a listener drives out itself, and where every host has only a
 * few, the slowest goes.
 *
 * @module
 */

/** The handshakes of one host, oldest first. */
interface Group<Handshake> {
  readonly host: string;
  readonly members: Set<Handshake>;
}

/** See the module. Adding, removing and finding cost the same however many there are. */
export class HalfOpen<Handshake> {
  readonly #groups: Map<string, Group<Handshake>> = new Map();
  readonly #groupOf: Map<Handshake, Group<Handshake>> = new Map();
  /** Groups by their number of members. Those of one size are in the order in which they came to have it. */
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
    this.#resize(group, () => group.members.add(handshake));
    this.#groupOf.set(handshake, group);
  }

  /** A handshake is done, or has failed. */
  delete(handshake: Handshake): void {
    const group = this.#groupOf.get(handshake);
    if (group === undefined) return;
    this.#groupOf.delete(handshake);
    this.#resize(group, () => group.members.delete(handshake));
    if (group.members.size === 0) this.#groups.delete(group.host);
  }

  /** Which one goes when there are too many. */
  get worst(): Handshake | undefined {
    const [group] = this.#bySize.get(this.#largest) ?? [];
    const [oldest] = group?.members ?? [];
    return oldest;
  }

  #resize(group: Group<Handshake>, change: () => void): void {
    const { members } = group;
    const before = this.#bySize.get(members.size);
    before?.delete(group);
    if (before?.size === 0) this.#bySize.delete(members.size);
    change();
    const { size } = members;
    if (size > 0) {
      const after = this.#bySize.get(size) ?? new Set();
      this.#bySize.set(size, after.add(group));
    }
    // A group moves by one, so the largest size does, too.
    if (size > this.#largest) this.#largest = size;
    else if (this.#largest > 0 && !this.#bySize.has(this.#largest)) this.#largest--;
  }
}

/** What tells hosts apart in an address such as `tcp://10.0.0.1:5555`: everything but the port. */
export function hostOf(address: string): string {
  const port = address.lastIndexOf(":");
  return port > address.indexOf("//") ? address.substring(0, port) : address;
}
