/**
 * The few members of `node:tls`, `node:crypto` and `node:stream` that TLS needs, as structural types.
 *
 * @module
 */

import type { NodeSocket } from "../node/types.ts";

/** A socket of `node:tls`. What may be missing on one of the three runtimes is optional. */
export interface TlsSocket extends NodeSocket {
  readonly authorized: boolean;
  /** A code, or an error with one. */
  readonly authorizationError?: unknown;
  /** Server: the name that the client asked for. */
  readonly servername?: unknown;
  /** Undocumented, but what `tls.Server` itself asks: why the client's certificate is not valid. */
  readonly ssl?: { verifyError?(): unknown } | null | undefined;
  isSessionReused?(): boolean;
  getProtocol(): string | null | undefined;
  getPeerCertificate(detailed: false): { readonly raw?: Uint8Array } | null | undefined;
  /** Client: a list that is empty unless the server asked for a certificate. Node only. */
  getSharedSigalgs?(): readonly unknown[];
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "error", listener: (cause: unknown) => void): unknown;
  on(event: "connect" | "end" | "close" | "secure" | "secureConnect", listener: () => void): unknown;
}

/** What `tls.createSecureContext` returns. */
export type SecureContext = object;

/** Options of `tls.createSecureContext`. */
export interface SecureContextOptions {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: readonly string[];
  readonly minVersion: "TLSv1.2";
  readonly secureOptions: number;
}

/** Options that both sides of a connection have. */
interface TlsSocketOptions {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
}

/** The module `node:tls`. */
export interface NodeTls {
  createSecureContext(options: SecureContextOptions): SecureContext;
  checkServerIdentity(host: string, certificate: unknown): unknown;
  connect(
    options: TlsSocketOptions & {
      readonly socket: unknown;
      readonly host: string;
      readonly servername: string;
    },
  ): TlsSocket;
  readonly TLSSocket: new (
    stream: unknown,
    options: TlsSocketOptions & { readonly isServer: true; readonly requestCert: boolean },
  ) => TlsSocket;
}

/** A certificate of `node:crypto`. */
export interface X509 {
  readonly subject: string;
  readonly issuer: string;
  readonly validFrom: string;
  readonly validTo: string;
  readonly subjectAltName?: string | undefined;
  readonly fingerprint256: string;
  readonly raw: Uint8Array;
  readonly publicKey: unknown;
  checkPrivateKey(key: unknown): boolean;
  verify(publicKey: unknown): boolean;
  toLegacyObject(): unknown;
}

/** A private key of `node:crypto`. */
export interface PrivateKey {
  export(options: { readonly type: "pkcs8"; readonly format: "pem" }): unknown;
}

/** The module `node:crypto`. */
export interface NodeCrypto {
  readonly X509Certificate: new (certificate: string | Uint8Array) => X509;
  createPrivateKey(
    options: { readonly key: string; readonly format: "pem"; readonly passphrase?: string },
  ): PrivateKey;
}

/** A stream of `node:stream` in both directions. */
export interface NodeDuplex {
  push(chunk: Uint8Array | null): boolean;
  destroy(cause?: unknown): unknown;
  on(event: "error", listener: (cause: unknown) => void): unknown;
}

/** What a {@link NodeDuplex} is made of. */
export interface NodeDuplexOptions {
  readonly allowHalfOpen: boolean;
  readonly emitClose: boolean;
  readonly highWaterMark: number;
  read(): void;
  write(chunk: Uint8Array, encoding: unknown, done: () => void): void;
  final(done: () => void): void;
  destroy(cause: unknown, done: (cause: unknown) => void): void;
}

/** The module `node:stream`. */
export interface NodeStreams {
  readonly Duplex: new (options: NodeDuplexOptions) => NodeDuplex;
}
