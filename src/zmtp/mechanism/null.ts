/**
 * The NULL mechanism (RFC 37 "the NULL security mechanism"): both sides send READY at once and accept the
 * other's. The newer text lets the client speak first, but libzmq does not wait, and two peers that wait for
 * each other never begin.
 *
 * @module
 */

import { PeerError } from "../../errors.ts";
import { copyOf } from "../../bytes/bytes.ts";
import { decodeCommand, encodeReady } from "../commands.ts";
import { decodeMetadata, encodeOurMetadata, type Metadata } from "../metadata.ts";
import {
  type Mechanism,
  type MechanismFactory,
  type MechanismInit,
  type MechanismStatus,
  peerRefusal,
  type TransparentMechanism,
  unexpectedCommand,
} from "./mechanism.ts";

/** Creates NULL mechanisms. There is nothing to configure. */
export const nullMechanism: MechanismFactory = {
  name: "NULL",
  asServer: false,
  create(init: MechanismInit): Mechanism {
    return new NullMechanism(init);
  },
};

/** Our READY for settings that many connections share, so that it is encoded once. */
const encodedReady: WeakMap<MechanismInit, Uint8Array> = new WeakMap();

function readyOf(init: MechanismInit): Uint8Array {
  let ready = encodedReady.get(init);
  if (ready === undefined) encodedReady.set(init, ready = encodeReady(encodeOurMetadata(init)));
  return copyOf(ready);
}

/** The NULL handshake of one connection. */
export class NullMechanism implements TransparentMechanism {
  readonly name = "NULL";
  readonly transparent = true;
  readonly #propertiesMax: number;
  #ready: Uint8Array | undefined;
  #peerMetadata: Metadata | undefined;
  #failed = false;

  /**
   * `init` is not changed afterwards. Throws `MisuseError` (`ERR_OPTION`) for properties that cannot be sent.
   */
  constructor(init: MechanismInit) {
    this.#propertiesMax = init.propertiesMax;
    this.#ready = readyOf(init);
  }

  get status(): MechanismStatus {
    if (this.#failed) return "failed";
    return this.#ready === undefined && this.#peerMetadata !== undefined ? "ready" : "handshaking";
  }

  get peerMetadata(): Metadata | undefined {
    return this.#peerMetadata;
  }

  nextCommand(): Uint8Array | undefined {
    const ready = this.#ready;
    this.#ready = undefined;
    return ready;
  }

  /**
   * Accepts READY. ERROR fails with `ERR_PEER_ERROR`, anything else, including a second READY, with
   * `ERR_PEER_COMMAND`.
   */
  handleCommand(body: Uint8Array): PeerError | undefined {
    const error = this.#handle(body);
    if (error !== undefined) this.#failed = true;
    return error;
  }

  #handle(body: Uint8Array): PeerError | undefined {
    const command = decodeCommand(body);
    if (command instanceof PeerError) return command;
    if (command.name === "ERROR") return peerRefusal(command.reason);
    if (command.name !== "READY" || this.#peerMetadata !== undefined) {
      return unexpectedCommand(command.name === "unknown" ? command.commandName : command.name);
    }
    const metadata = decodeMetadata(command.metadata, { propertiesMax: this.#propertiesMax });
    if (metadata instanceof PeerError) return metadata;
    this.#peerMetadata = metadata;
    return undefined;
  }
}
