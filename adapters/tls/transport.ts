/**
 * The `tls` transport of every runtime: ZMTP over TLS over TCP. A runtime supplies the connections; TLS
 * itself is `node:tls` on all of them.
 *
 * An accepted stream is offered when TCP has connected, and opens when TLS is done. So the listener's limit
 * of unfinished handshakes, and the deadline of a handshake, hold for TLS as well.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type {
  Accept,
  Dial,
  Listener,
  StreamOptions,
  Transport,
  TransportFactory,
  TransportHandlers,
  TransportInfo,
} from "../../src/ports.ts";
import { isIpv4, isIpv6, parseTlsEndpoint, type TlsEndpoint } from "../../src/socket/endpoint.ts";
import { builtin } from "../builtin.ts";
import { failedTransport } from "../node/dial.ts";
import { host } from "../shared_host.ts";
import { bindError, connectError, connectTimeout, refusedStream } from "../system_errors.ts";
import { peerCertificate, presentedBy } from "./certificate.ts";
import { type Credentials, CredentialSource } from "./credentials.ts";
import { TlsStream, type Wire } from "./stream.ts";
import type { TlsSocket } from "./types.ts";
import { judgeClient, judgeServer } from "./verify.ts";

/** What a runtime supplies. */
export interface TlsRuntime {
  /** Whether a client can tell that the listener asked for its certificate: see `getSharedSigalgs`. */
  readonly tellsRequests: boolean;
  /**
   * Whether a listener that must see a certificate can leave it to the runtime to refuse a client without
   * one, which then learns why, and still see the certificate of a client that has one.
   */
  readonly demands: boolean;
  /** Starts to connect. May throw the runtime's own error. */
  connect(endpoint: TlsEndpoint, options: StreamOptions): Wire;
  /**
   * Listens. `accept` gets a function that takes the stream, or does not call it, which refuses the stream.
   * Rejects with the runtime's own error, or a `MisuseError`.
   */
  listen(
    endpoint: TlsEndpoint,
    options: StreamOptions,
    accept: (take: () => Wire) => void,
    failed: (cause: unknown) => void,
  ): Promise<Listener>;
}

/** Returns the `tls` transport over what a runtime supplies. */
export function tlsTransport(runtime: TlsRuntime): TransportFactory {
  return {
    dial: (address, options) => dialTls(runtime, parseTlsEndpoint(address, "connect"), options),
    listen: (address, options) => {
      const endpoint = parseTlsEndpoint(address, "bind");
      return (accept, failed) => listenTls(runtime, endpoint, options, { accept, failed });
    },
  };
}

function dialTls(runtime: TlsRuntime, endpoint: TlsEndpoint, options: StreamOptions): Dial {
  const { text } = endpoint;
  const { tls: settings = {}, connectTimeoutMs = 0 } = options;
  const source = new CredentialSource(settings, `Cannot connect to ${text}`);
  const expected = {
    peer: text,
    host: settings.serverName ?? nameOf(endpoint),
    allowSelfSigned: settings.allowSelfSigned === true,
  };
  return (handlers) => {
    let begun: { readonly wire: Wire; readonly socket: TlsSocket; readonly own: string | undefined };
    try {
      const { context, own } = source.read();
      const wire = runtime.connect(endpoint, options);
      begun = { wire, own, socket: connectTls(wire, context, expected.host) };
    } catch (cause) {
      return failedTransport(handlers, connectError(cause, text));
    }
    const { wire, socket, own } = begun;
    const asked = (): boolean => !runtime.tellsRequests || (socket.getSharedSigalgs?.() ?? []).length > 0;
    let isAsked = false;
    const stream = new TlsStream({
      socket,
      wire,
      role: "client",
      own,
      judge: () => {
        isAsked = asked();
        return judgeServer(socket, expected);
      },
      info: () => describe(wire, socket, nameToAsk(expected.host)),
      peer: () => text,
      mayBeAsked: () => isAsked,
      explain: (cause) => connectError(cause, text),
    }, handlers);
    if (connectTimeoutMs > 0) {
      const late = (): void => stream.fail(connectTimeout(text, connectTimeoutMs));
      // The socket itself keeps the process alive, if it should.
      stream.whenSettled(host.schedule(connectTimeoutMs, late, false));
    }
    return stream;
  };
}

function connectTls(wire: Wire, secureContext: object, name: string): TlsSocket {
  // The certificate is judged by judgeServer, which sees what the runtime found. It can name what is wrong.
  return builtin("node:tls").connect({
    socket: wire.stream,
    host: name,
    servername: nameToAsk(name) ?? "",
    secureContext,
    rejectUnauthorized: false,
  });
}

/** The host of an endpoint as certificates have it: without a scope, and without the dot at its end. */
function nameOf({ host: name }: TlsEndpoint): string {
  const percent = name.indexOf("%");
  if (percent >= 0) return name.substring(0, percent);
  return name.endsWith(".") ? name.substring(0, name.length - 1) : name;
}

/** RFC 6066 §3: a client asks for a host by its name; it never sends an address. */
function nameToAsk(name: string): string | undefined {
  return isIpv4(name) || isIpv6(name) ? undefined : name;
}

interface Callbacks {
  readonly accept: Accept;
  readonly failed: (cause: unknown) => void;
}

async function listenTls(
  runtime: TlsRuntime,
  endpoint: TlsEndpoint,
  options: StreamOptions,
  { accept, failed }: Callbacks,
): Promise<Listener> {
  try {
    const what = `Cannot bind ${endpoint.text}`;
    let present = listenerOf(options, what);
    const take = (wire: Wire, handlers: TransportHandlers): Transport =>
      acceptTls(runtime, wire, handlers, present);
    const listener = await runtime.listen(endpoint, options, (taken) => offer(taken, take, accept), failed);
    const address = tlsAddress(listener.address);
    const renew = (renewed: StreamOptions): Promise<void> =>
      new Promise((resolve) => {
        present = listenerOf(renewed, `Cannot renew the certificate of ${address}`);
        resolve();
      });
    return { ...listener, address, renew };
  } catch (cause) {
    throw bindError(cause, endpoint.text);
  }
}

/** What connections that are accepted now are given. */
interface Present extends Credentials {
  readonly clientCertificates: "none" | "request" | "require";
}

function listenerOf({ tls: settings = {} }: StreamOptions, what: string): Present {
  const credentials = new CredentialSource(settings, what).read();
  if (credentials.own === undefined) {
    throw new MisuseError(
      "ERR_CERTIFICATE_KEY",
      `${what}: a listener needs a certificate and its key; set certificateFile and keyFile in the option ` +
        "tls (hawser certificates makes a pair for tests)",
    );
  }
  return { ...credentials, clientCertificates: settings.clientCertificates ?? "none" };
}

/**
 * Offers an accepted stream. If no handlers are attached before `accept` returns, it is refused: this is how
 * a limit turns it away.
 */
function offer(
  taken: () => Wire,
  take: (wire: Wire, handlers: TransportHandlers) => Transport,
  accept: Accept,
): void {
  let over = false;
  accept((handlers) => {
    if (over) return failedTransport(handlers, refusedStream());
    over = true;
    return take(taken(), handlers);
  });
  over = true;
}

function acceptTls(
  runtime: TlsRuntime,
  wire: Wire,
  handlers: TransportHandlers,
  { context, own, trusted, clientCertificates }: Present,
): Transport {
  const socket = new (builtin("node:tls").TLSSocket)(wire.stream, {
    isServer: true,
    secureContext: context,
    requestCert: clientCertificates !== "none",
    // Certificates are judged by judgeClient. This refuses only a client that has none, in Node's way.
    rejectUnauthorized: clientCertificates === "require" && runtime.demands,
  });
  const peer = (): string => tlsAddress(wire.describe().remoteAddress);
  return new TlsStream({
    socket,
    wire,
    role: "server",
    own,
    judge: () => judgeClient(socket, { peer: peer(), clientCertificates, trusted }),
    info: () => describe(wire, socket, undefined),
    peer,
    mayBeAsked: () => false,
    explain: (cause) => cause,
  }, handlers);
}

function describe(wire: Wire, socket: TlsSocket, asked: string | undefined): TransportInfo {
  const { localAddress, remoteAddress } = wire.describe();
  const { servername } = socket;
  const certificate = presentedBy(socket);
  return {
    localAddress: tlsAddress(localAddress),
    remoteAddress: tlsAddress(remoteAddress),
    tls: {
      protocol: socket.getProtocol() ?? "",
      serverName: asked ?? (typeof servername === "string" && servername !== "" ? servername : undefined),
      peerCertificate: certificate === undefined ? undefined : peerCertificate(certificate),
    },
  };
}

function tlsAddress(address: string): string {
  return address.startsWith("tcp://") ? `tls://${address.substring(6)}` : address;
}
