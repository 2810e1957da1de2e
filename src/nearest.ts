/**
 * The name that a caller probably meant who used one that does not exist.
 *
 * @module
 */

/** One name may stand for another when at most this fraction (1/3) of the longer one differs. */
const CHANGES_SHARE = 3;

/** Returns the most similar of `names`, or `undefined` when none is similar. Case and dashes do not count. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const typed = plain(name);
  let best: string | undefined;
  let least = Infinity;
  for (const one of names) {
    const known = plain(one);
    const changes = distance(typed, known);
    if (changes < least && changes * CHANGES_SHARE <= Math.max(typed.length, known.length)) {
      least = changes;
      best = one;
    }
  }
  return best;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, "");
}

/** Counts the characters to insert, remove, replace or swap with the next to turn `a` into `b`. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, before[j - 2]! + 1);
      }
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
