/** Resident memory after a thorough garbage collection, on any runtime. */

import process from "node:process";

const COLLECTIONS = 5;
const SETTLE_MS = 100;

interface Collecting {
  gc?: () => void;
  Bun?: { gc(synchronous: boolean): void };
}

export async function collectedResidentBytes(): Promise<number> {
  const { gc, Bun } = globalThis as Collecting;
  for (let i = 0; i < COLLECTIONS; i++) {
    if (Bun !== undefined) Bun.gc(true);
    else gc?.();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }
  return process.memoryUsage().rss;
}
