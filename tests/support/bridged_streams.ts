/**
 * WebSockets over any byte streams, without an HTTP upgrade: the first byte is that of a frame. For tests of what comes
 * after the upgrade.
 *
 * @module
 */

import type { Dial, Host, TransportFactory, TransportInfo } from "../../src/ports.ts";
import type { BridgeSetup } from "../../src/websocket/bridge_setup.ts";
import type { Opening, OpeningStream } from "../../src/websocket/opening.ts";
import { bridgeStream } from "../../src/websocket/stream_bridge.ts";

export interface BridgedOptions {
  readonly host: Host;
  readonly protocol?: string;
  readonly frameBytesMax?: number;
  readonly pingIntervalMs?: number;
  /** Bytes that each side sends in place of an upgrade, and waits for. */
  readonly head?: Uint8Array;
  /** Changes the dials of streams and of bridges, to watch or to plant a fault. */
  readonly below?: (dial: Dial) => Dial;
  readonly above?: (dial: Dial) => Dial;
}

/** An upgrade that is done at once, or when as many bytes have come as it sent itself. */
export function instantOpening(protocol = "ZWS2.0/NULL", head: Uint8Array = new Uint8Array(0)): Opening {
  let stream: OpeningStream;
  const arrived: number[] = [];
  const done = (): void => {
    const rest = Uint8Array.from(arrived.slice(head.length));
    stream.done({ protocol, http: { path: "/", host: "", origin: undefined, protocol }, rest });
  };
  return {
    start: (given: OpeningStream, _info: TransportInfo) => {
      stream = given;
      if (head.length > 0) stream.write(head);
      else done();
    },
    receive: (chunk) => {
      arrived.push(...chunk);
      if (arrived.length >= head.length) done();
    },
    ended: () => {},
    abandoned: () => {},
  };
}

/** A bridge round one dial. */
export function bridged(dial: Dial, role: BridgeSetup["role"], options: BridgedOptions): Dial {
  const { host, protocol, head, below = same, above = same } = options;
  const { frameBytesMax = 268_435_456, pingIntervalMs = 0 } = options;
  const setup: BridgeSetup = { role, frameBytesMax, pingIntervalMs, host };
  return (handlers) => above(bridgeStream(below(dial), instantOpening(protocol, head), setup))(handlers);
}

function same(dial: Dial): Dial {
  return dial;
}

/** The same addresses as `streams` has, with a WebSocket in each stream. */
export function bridgedStreams(streams: TransportFactory, options: BridgedOptions): TransportFactory {
  return {
    dial: (address, given) => bridged(streams.dial(address, given), "client", options),
    listen: (address, given) => {
      const listen = streams.listen(address, given);
      return (accept, failed) => listen((attach) => accept(bridged(attach, "server", options)), failed);
    },
  };
}
