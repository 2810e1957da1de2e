/**
 * The table of socket types.
 *
 * @module
 */

import type { SocketType } from "../zmtp/socket_type.ts";
import { DealerPattern } from "./dealer.ts";
import { PairPattern } from "./pair.ts";
import type { Pattern, PatternInit } from "./pattern.ts";
import { PubPattern } from "./pub.ts";
import { PullPattern } from "./pull.ts";
import { PushPattern } from "./push.ts";
import { RepPattern } from "./rep.ts";
import { ReqPattern } from "./req.ts";
import { RouterPattern } from "./router.ts";
import { SubPattern } from "./sub.ts";
import { XPubPattern } from "./xpub.ts";
import { XSubPattern } from "./xsub.ts";

/** The pattern class of each socket type. */
export const PATTERNS: Readonly<Record<SocketType, new (init: PatternInit) => Pattern>> = {
  PAIR: PairPattern,
  PUB: PubPattern,
  SUB: SubPattern,
  REQ: ReqPattern,
  REP: RepPattern,
  DEALER: DealerPattern,
  ROUTER: RouterPattern,
  PULL: PullPattern,
  PUSH: PushPattern,
  XPUB: XPubPattern,
  XSUB: XSubPattern,
};
