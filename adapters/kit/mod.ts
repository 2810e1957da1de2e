/**
 * For authors of transports: makes one of a Duplex of Node, of a pair of WHATWG streams, or of anything that
 * takes bytes, and names the contract between a transport and the core.
 *
 * `docs/ADAPTERS.md` explains the contract; `hawser/testing` proves that a transport keeps it.
 *
 * @module
 */

export { failedDial, offer } from "./offer.ts";
export { type DuplexOptions, type DuplexStream, fromDuplex, type StreamAddresses } from "./from_duplex.ts";
export {
  type BytePair,
  type BytesReader,
  type BytesWriter,
  fromStreams,
  type ReadableBytes,
  type StreamsOptions,
  type WritableBytes,
} from "./from_streams.ts";
export { type PartialWriter, partialWriter, type WriteSome } from "../../src/bytes/partial_writer.ts";
export { type MisuseCode, MisuseError, type PeerCode, PeerError } from "../../src/errors.ts";
export type {
  Accept,
  Adapter,
  Attach,
  Dial,
  Host,
  Listen,
  Listener,
  StreamOptions,
  TracedEvent,
  TracedState,
  TraceRecord,
  Transport,
  TransportFactory,
  TransportHandlers,
  TransportInfo,
} from "../../src/ports.ts";
export type {
  HttpInfo,
  PeerCertificate,
  Pem,
  TlsInfo,
  TlsOptions,
  WebSocketOptions,
  WebSocketRequest,
} from "../../src/transport_options.ts";
