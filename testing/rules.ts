/**
 * All rules of the contract between the core and a transport: those that the core enforces, and those that
 * only the tools for authors of transports check.
 *
 * @module
 */

import { brokenContract, TRANSPORT_RULES, type TransportRule } from "../src/engine/transport_rules.ts";
import type { PeerError } from "../src/errors.ts";

/**
 * Rules that the core does not enforce, because breaking them harms nobody or cannot be told from a bad
 * network. The compliance suite and `checkedTransport` of `hawser/testing` do.
 */
export const DEVELOPMENT_RULES = {
  dataBeforeEnd: "end comes once, after the last data",
  drainAfterWrite: "drain does not come before the write that it belongs to has returned",
  closeLast: "close comes once, and nothing after it",
  opensOrCloses: "after dial either open comes, or close with a cause",
  drainsOrCloses: "what is lent is drained once the peer reads, or the stream closes",
  closesWhenTold: 'close comes within five seconds after close("abort") was called',
  lentMemory: "the memory of a write is not used any more after true or drain",
  throwsMisuse: "dial and listen throw a MisuseError with the code ERR_ENDPOINT, and nothing else",
  listenReturns: "listen returns a promise of a listener: an object with address and close",
  refuses: "a stream whose attach was not used before accept returned is aborted; a later attach gets close",
} as const;

/** The name of a rule that only the tools for authors of transports check. */
export type DevelopmentRule = keyof typeof DEVELOPMENT_RULES;

/** Returns a rule in the words of `docs/ADAPTERS.md`. */
export function ruleText(rule: TransportRule | DevelopmentRule): string {
  return { ...TRANSPORT_RULES, ...DEVELOPMENT_RULES }[rule];
}

/** The error for a broken rule of any kind. */
export function brokenRule(rule: TransportRule | DevelopmentRule, cause?: unknown): PeerError {
  return brokenContract(ruleText(rule), cause);
}
