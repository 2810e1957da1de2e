/**
 * What sockets hand to the transports that need more than an address (TLS, WebSocket), and what those report
 * about a peer. Values are checked before a transport sees them (socket/transport_checks.ts).
 *
 * @module
 */

/** A PEM text, or the bytes of one. */
export type Pem = string | Uint8Array;

/**
 * Who we are and whom we trust over `tls://` and `wss://`. PEM comes as text or bytes, or from files, which
 * are read again for each connection and each `renewTls` of a socket.
 */
export interface TlsOptions {
  /** Our certificate, followed by those that lead to an authority. Required to bind. */
  readonly certificate?: Pem;
  /** The file of {@link certificate}. */
  readonly certificateFile?: string;
  /** The private key of {@link certificate}. */
  readonly key?: Pem;
  /** The file of {@link key}. */
  readonly keyFile?: string;
  /** The text that {@link key} is encrypted with. */
  readonly keyPassphrase?: string;
  /** The authorities that may vouch for a peer, instead of the runtime's own. */
  readonly authorities?: Pem | readonly Pem[];
  /** The file of {@link authorities}. */
  readonly authoritiesFile?: string;
  /** Connect: the name that the certificate must be for, if it is not the host of the endpoint. */
  readonly serverName?: string;
  /**
   * Bind: whether clients present a certificate. `"request"`: they may, and one that is not valid is refused.
   * `"require"`: they must. Default `"none"`.
   */
  readonly clientCertificates?: "none" | "request" | "require";
  /**
   * Connect, for development: accept a certificate that nobody but itself vouches for. Its host and its dates
   * are still checked. Default false.
   */
  readonly allowSelfSigned?: boolean;
}

/** A request to open a WebSocket, as a listener's {@link WebSocketOptions.accept} sees it. */
export interface WebSocketRequest {
  /** The path, with its query: `/feed?token=1`. */
  readonly path: string;
  /** The header `Host`; empty if there is none. */
  readonly host: string;
  /** The page that asks, as browsers announce it; `undefined` for other programs. */
  readonly origin: string | undefined;
  /** The headers by name in lower case. Values of a repeated one are joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  /** The peer's address, as {@link TransportInfo.remoteAddress}. */
  readonly remoteAddress: string;
}

/** Options of `ws://` and `wss://`. */
export interface WebSocketOptions {
  /**
   * Bind: the pages that may connect, as `https://example.org`. `"*"`: all. Default: none but those that were
   * loaded from the same host and port. Programs other than browsers announce no origin and are not asked.
   */
  readonly allowOrigins?: "*" | readonly string[];
  /**
   * Bind: the names that a client may use for this listener in its `Host` header, without a port. `"*"`: all.
   * Default: all, or on a loopback address `localhost` and loopback addresses only, so that no page can reach
   * it by a name of its own (DNS rebinding).
   */
  readonly allowHosts?: "*" | readonly string[];
  /**
   * Bind: has the last word on a request. `false`, or a promise of it, refuses it with status 403. The
   * handshake's deadline applies.
   */
  readonly accept?: (request: WebSocketRequest) => boolean | PromiseLike<boolean>;
  /** Bind: take a peer's address from the last entry of `X-Forwarded-For`. Default false. */
  readonly trustProxy?: boolean;
  /** Connect: headers of the request, such as `Authorization`. Not in a browser. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Milliseconds between WebSocket PINGs that keep proxies from cutting a silent connection. 0: none. Default
   * 25 000.
   */
  readonly pingIntervalMs?: number;
}

/** The certificate that a peer presented, and that was found valid. */
export interface PeerCertificate {
  /** Whose it is, most specific part first: `CN=client-1, O=Example`. */
  readonly subject: string;
  /** The common name (CN) of the subject; `""` if it has none. */
  readonly commonName: string;
  /** Who vouches for it, in the form of {@link subject}. */
  readonly issuer: string;
  /** Names and addresses that it is for: `DNS:example.org`, `IP Address:127.0.0.1`. */
  readonly alternativeNames: readonly string[];
  /** Unix time in milliseconds. */
  readonly validFromMs: number;
  /** Unix time in milliseconds. */
  readonly validUntilMs: number;
  /** The SHA-256 of the certificate, as 64 hexadecimal digits in lower case. */
  readonly fingerprint: string;
}

/** What is known of a connection over TLS. */
export interface TlsInfo {
  /** `"TLSv1.3"` or `"TLSv1.2"`; `""` where the runtime does not say. */
  readonly protocol: string;
  /** The name that the client asked for; `undefined` if it asked for none. */
  readonly serverName: string | undefined;
  /** `undefined` if the peer presented none, or the runtime does not show it. */
  readonly peerCertificate: PeerCertificate | undefined;
}

/** What is known of a connection that began as an HTTP request. */
export interface HttpInfo {
  readonly path: string;
  /** The header `Host`. */
  readonly host: string;
  /** The page that asked; `undefined` for other programs. */
  readonly origin: string | undefined;
  /** The sub-protocol that was agreed on, such as `ZWS2.0/NULL`. */
  readonly protocol: string;
}
