/**
 * The publishers' sessions of a topic: opens them, tells their links how far they are, and stores what must outlive them.
 *
 * @module
 */

import { encodeUtf8 } from "../../bytes/utf8.ts";
import { isName, NAME_ALLOWED } from "../configuration/fields.ts";
import type { OpenDecision } from "../order/sequencer.ts";
import type { AckMessage, BrokerMessage, CloseSession, OpenSession, Yield } from "../wire/messages.ts";
import { refusal } from "./refusal.ts";
import type { Topic } from "./topic.ts";

/** A publisher's link, as its sessions see it. */
export interface SessionClient {
  /** Queues a message. */
  tell(message: BrokerMessage): void;
  /** This session has an ack to be taken when the link has room: see {@link TopicSessions.takeAck}. */
  ackReady(topic: Topic, session: bigint): void;
  /** Messages of this session are this link's from here on, or no longer. */
  sessionIs(topic: Topic, session: bigint, here: boolean): void;
}

interface Owner {
  readonly client: SessionClient;
  readonly epoch: number;
  readonly wantsSync: boolean;
}

interface Waiting {
  readonly request: OpenSession;
  readonly client: SessionClient;
}

/** See the module. */
export class TopicSessions {
  readonly #topic: Topic;
  readonly #due: () => void;
  readonly #wallMs: () => number;
  readonly #owners: Map<bigint, Owner> = new Map();
  /** Requests for which there is no grant, first come first served. */
  #waiting: Waiting[] = [];
  #grantFreed = false;
  #wantSync = 0;
  /** Acknowledgements that links took. */
  acks = 0;

  constructor(topic: Topic, due: () => void, wallMs: () => number) {
    this.#topic = topic;
    this.#due = due;
    this.#wallMs = wallMs;
    topic.sequencer.onGrantFreed = () => {
      this.#grantFreed = true;
      due();
    };
  }

  /** Whether some publisher waits for every sync. */
  get wantSync(): boolean {
    return this.#wantSync > 0;
  }

  /** Links that publish here. */
  get attached(): number {
    return this.#owners.size;
  }

  open(request: OpenSession, client: SessionClient, nowMs: number): void {
    const { options, store, name } = this.#topic;
    if (request.ack < options.ack) {
      const text = `Topic "${name}" has ack ${options.ack}; a publisher cannot ask for ${request.ack}`;
      return client.tell(refusal(request.request, "ERR_LOG_TOPIC", text));
    }
    if (request.publisher !== "" && !isName(request.publisher)) {
      return client.tell(refusal(request.request, "ERR_LOG_TOPIC", `A publisher's name is ${NAME_ALLOWED}`));
    }
    if (request.ack === 2 && store.durability !== "machine") {
      const text = `ack 2 needs a store that syncs; that of topic "${name}" survives: ${store.durability}`;
      return client.tell(refusal(request.request, "ERR_LOG_TOPIC", text));
    }
    this.#decide(request, client, nowMs);
  }

  yielded({ session, epoch, limit }: Yield, client: SessionClient): void {
    if (!this.#isOwner(session, epoch, client)) return;
    this.#topic.sequencer.yielded(session, epoch, limit);
    // What it gave up may raise limits, its own as well, and nothing else may ever happen here that tells them.
    this.#due();
  }

  close({ session, epoch }: CloseSession, client: SessionClient, nowMs: number): void {
    if (!this.#isOwner(session, epoch, client)) return;
    this.#topic.runRound(nowMs);
    this.#topic.sequencer.close(session, epoch, nowMs);
    this.#disown(session);
    this.#due();
  }

  /** A link is gone, with this session. */
  disconnected(session: bigint, client: SessionClient, nowMs: number): void {
    const owner = this.#owners.get(session);
    if (owner?.client !== client) return;
    this.#disown(session);
    this.#topic.sequencer.disconnected(session, owner.epoch, nowMs);
    this.#due();
  }

  /** A link is gone: requests of it wait no longer. */
  forget(client: SessionClient): void {
    const gone = this.#waiting.filter((one) => one.client === client);
    if (gone.length === 0) return;
    for (const { request } of gone) this.#topic.sequencer.cancelOpen(request);
    this.#waiting = this.#waiting.filter((one) => one.client !== client);
    this.#due();
  }

  /** What this session's link is to be told now, and may send. */
  takeAck(session: bigint): AckMessage | undefined {
    const ack = this.#topic.sequencer.takeAck(session);
    if (ack !== undefined) this.acks++;
    return ack;
  }

  /** Tells links what has changed: acknowledgements first, then limits, then who waited to begin, if anybody still may. */
  flush(open: boolean): void {
    const { sequencer, ingest } = this.#topic;
    // A topic that closes has synced what it has: nothing is added to that.
    if (open && ingest.state === "open") this.#noteEnded();
    for (const session of sequencer.takeMarked()) {
      this.#owners.get(session)?.client.ackReady(this.#topic, session);
    }
    for (const { session, epoch, limit, lowered } of sequencer.takeGrants()) {
      this.#owners.get(session)?.client.tell({ type: "grant", session, epoch, limit, lowered });
    }
    if (!this.#grantFreed || !open) return;
    this.#grantFreed = false;
    // Each once. An answer may be one too many for its link, which takes its other requests with it.
    for (let left = this.#waiting.length; left > 0; left--) {
      const first = this.#waiting.shift();
      if (first === undefined) break;
      this.#decide(first.request, first.client, this.#topic.nowMs);
    }
  }

  /** Ends the epochs of sessions whose gap has outlived the lease. */
  expire(nowMs: number): void {
    const { sequencer, journal, ingest } = this.#topic;
    for (const { session, epoch, nextBatch } of sequencer.expire(nowMs)) {
      journal.append("fence", { id: session, epoch, number: BigInt(nextBatch) }, NO_BODY);
      journal.whenDurable(() => {
        for (const batch of sequencer.fenced(session, epoch)) ingest.ordered(batch);
        this.#tellFenced(session, epoch, nextBatch);
      });
    }
  }

  tellStoreState(state: "full" | "resumed" | "stopped", message: string): void {
    for (const [session, { client, epoch }] of this.#owners) {
      client.tell({ type: "storeState", session, epoch, state, message });
    }
  }

  /** Who was forgotten is to be forgotten by a replay as well, before the same id begins anew. */
  #noteEnded(): void {
    const { sequencer, journal, store } = this.#topic;
    for (const { session, epoch } of sequencer.takeEnded()) {
      if (store.durability !== "none") journal.append("sessionEnded", { id: session, epoch }, NO_BODY);
    }
  }

  #tellFenced(session: bigint, epoch: number, nextBatch: number): void {
    const owner = this.#owners.get(session);
    if (owner === undefined || owner.epoch !== epoch) return;
    owner.client.ackReady(this.#topic, session);
    owner.client.tell({ type: "fenced", session, epoch, nextBatch, reason: "gap" });
    this.#disown(session);
  }

  #decide(request: OpenSession, client: SessionClient, nowMs: number): void {
    // The entry of a new epoch must stand behind everything that the one before has.
    this.#topic.runRound(nowMs);
    const decision = this.#topic.sequencer.open(request, nowMs);
    switch (decision.kind) {
      case "resume":
        this.#own(decision.session, { client, epoch: decision.epoch, wantsSync: request.ack === 2 });
        this.#due();
        return this.#answer(request, decision.session, client);
      case "newEpoch":
        return this.#openEpoch(request, decision, client, nowMs);
      case "wait":
        this.#waiting.push({ request, client });
        // Others may have been asked to give something up.
        return this.#due();
      case "full": {
        const text = `Topic "${this.#topic.name}" remembers as many sessions as it may`;
        return client.tell(refusal(request.request, "ERR_LOG_SESSIONS", text));
      }
      case "fenced":
        return client.tell({
          type: "fenced",
          ...endOf(request),
          nextBatch: decision.nextBatch,
          reason: "gap",
        });
      case "superseded":
        return client.tell({ type: "fenced", ...endOf(request), nextBatch: 0, reason: "superseded" });
      case "unknown":
        return client.tell({ type: "fenced", ...endOf(request), nextBatch: 0, reason: "sessionUnknown" });
    }
  }

  #openEpoch(
    request: OpenSession,
    decision: Extract<OpenDecision, { kind: "newEpoch" }>,
    client: SessionClient,
    nowMs: number,
  ): void {
    const { journal, sequencer } = this.#topic;
    const { session, epoch, publisher, replaced } = decision;
    const older = this.#owners.get(session);
    this.#noteEnded();
    const number = BigInt(Math.max(0, Math.floor(this.#wallMs())));
    journal.append("sessionOpened", { id: session, epoch, number }, encodeUtf8(publisher));
    sequencer.opened(session, epoch, nowMs);
    this.#own(session, { client, epoch, wantsSync: request.ack === 2 });
    journal.whenDurable(() => {
      if (replaced !== undefined && older !== undefined) {
        const { nextBatch } = replaced;
        older.client.tell({
          type: "fenced",
          session,
          epoch: replaced.epoch,
          nextBatch,
          reason: "superseded",
        });
      }
      // The link may have gone, or another have come, while this was stored.
      if (this.#isOwner(session, epoch, client)) return this.#answer(request, session, client);
      client.tell(refusal(request.request, "ERR_LOG_SUPERSEDED", "A newcomer of the same name took over"));
    });
  }

  #answer({ request }: OpenSession, session: bigint, client: SessionClient): void {
    const { sequencer, generation } = this.#topic;
    const view = sequencer.view(session)!;
    const { epoch, nextBatch, nextSyncedBatch, limit, windowBytes, lastSequence } = view;
    client.tell({
      type: "sessionOpened",
      request,
      session,
      epoch,
      nextBatch,
      nextSyncedBatch,
      limit,
      windowBytes,
      lastSequence,
      generation,
      runs: sequencer.takeRuns(session),
    });
  }

  #own(session: bigint, owner: Owner): void {
    const older = this.#owners.get(session);
    if (older !== undefined) {
      if (older.wantsSync) this.#wantSync--;
      if (older.client !== owner.client) older.client.sessionIs(this.#topic, session, false);
    }
    this.#owners.set(session, owner);
    if (owner.wantsSync) this.#wantSync++;
    owner.client.sessionIs(this.#topic, session, true);
  }

  #disown(session: bigint): void {
    const owner = this.#owners.get(session);
    if (owner === undefined) return;
    this.#owners.delete(session);
    if (owner.wantsSync) this.#wantSync--;
    owner.client.sessionIs(this.#topic, session, false);
  }

  #isOwner(session: bigint, epoch: number, client: SessionClient): boolean {
    const owner = this.#owners.get(session);
    return owner?.client === client && owner.epoch === epoch;
  }
}

const NO_BODY: Uint8Array = new Uint8Array(0);

function endOf({ session, epoch }: OpenSession): { readonly session: bigint; readonly epoch: number } {
  return { session, epoch };
}
