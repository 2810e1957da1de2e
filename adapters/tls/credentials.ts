/**
 * Our own certificate, key and authorities: read, checked, and made into what `node:tls` takes.
 *
 * @module
 */

import { decodeUtf8 } from "../../src/bytes/utf8.ts";
import { MisuseError } from "../../src/errors.ts";
import type { Pem, TlsOptions } from "../../src/transport_options.ts";
import { builtin } from "../builtin.ts";
import { isDenied, permissionError, reasonOf } from "../system_errors.ts";
import { describeCertificate } from "./certificate.ts";
import type { PrivateKey, SecureContext, X509 } from "./types.ts";

/** What a side of a connection presents and trusts. */
export interface Credentials {
  readonly context: SecureContext;
  /** Describes our certificate; `undefined` if we have none. */
  readonly own: string | undefined;
  /** Whom we trust; empty: whom the runtime trusts. */
  readonly trusted: readonly X509[];
}

/**
 * Refuses a second handshake within a connection, and the shortened one of a resumed session, which would
 * pass without a look at the certificates: `SSL_OP_NO_RENEGOTIATION` and `SSL_OP_NO_TICKET` of OpenSSL.
 */
const SECURE_OPTIONS = 0x4000_0000 | 0x4000;

/**
 * Reads the credentials of one endpoint. Files are read each time; while they say the same, the result is the
 * same.
 */
export class CredentialSource {
  readonly #options: TlsOptions;
  /** What is done with them, for messages: `Cannot bind tls://…`. */
  readonly #what: string;
  #texts: readonly string[] = [];
  #credentials: Credentials | undefined = undefined;

  constructor(options: TlsOptions, what: string) {
    this.#options = options;
    this.#what = what;
  }

  /**
   * Returns the credentials as they are now.
   *
   * @throws {MisuseError} `ERR_CERTIFICATE_KEY` for content or files that cannot be used, `ERR_PERMISSION`
   * for files that this process may not read.
   */
  read(): Credentials {
    const { certificate, key, keyPassphrase = "", authorities } = this.#options;
    const certificateText = this.#pem("certificate", certificate);
    const keyText = this.#pem("key", key);
    const lists = Array.isArray(authorities)
      ? authorities as readonly Pem[]
      : [authorities as Pem | undefined];
    const authorityTexts = lists.map((list) => this.#pem("authorities", list));
    const texts = [certificateText, keyText, keyPassphrase, ...authorityTexts];
    const isSame = texts.length === this.#texts.length && texts.every((text, at) => text === this.#texts[at]);
    if (this.#credentials !== undefined && isSame) return this.#credentials;
    const trusted = authorityTexts.flatMap((text) => this.#certificates("authorities", text));
    const credentials = this.#make(certificateText, keyText, trusted);
    this.#texts = texts;
    return this.#credentials = credentials;
  }

  #make(certificateText: string, keyText: string, authorities: readonly Block[]): Credentials {
    const own = this.#certificates("certificate", certificateText);
    const leaf = own[0]?.certificate;
    const ca = authorities.length === 0 ? {} : { ca: authorities.map(({ text }) => text) };
    const common = { minVersion: "TLSv1.2", secureOptions: SECURE_OPTIONS, ...ca } as const;
    const trusted = authorities.map(({ certificate }) => certificate);
    const { createSecureContext } = builtin("node:tls");
    if (leaf === undefined) {
      if (keyText !== "") throw this.#unusable("there is a key, but no certificate that it belongs to");
      return { context: createSecureContext(common), own: undefined, trusted };
    }
    if (keyText === "") throw this.#unusable("the key of the certificate is missing (key or keyFile)");
    const key = this.#privateKey(keyText);
    if (!leaf.checkPrivateKey(key)) {
      throw this.#unusable(`the key does not fit the certificate (${describeCertificate(leaf)})`);
    }
    const pair = {
      cert: own.map(({ text }) => text).join("\n"),
      key: String(key.export({ type: "pkcs8", format: "pem" })),
    };
    try {
      return {
        context: createSecureContext({ ...common, ...pair }),
        own: describeCertificate(leaf),
        trusted,
      };
    } catch (cause) {
      throw this.#unusable(`the certificate cannot be used: ${reasonOf(cause)}`, cause);
    }
  }

  /** Returns the PEM text of a field or of its file; `""` if neither is set. */
  #pem(name: "certificate" | "key" | "authorities", value: Pem | undefined): string {
    if (typeof value === "string") return value;
    if (value !== undefined) return decodeUtf8(value);
    const file = this.#options[`${name}File`];
    if (file === undefined) return "";
    let text: string;
    try {
      text = builtin("node:fs").readFileSync(file, "utf8");
    } catch (cause) {
      if (isDenied(cause)) throw permissionError(cause, `${this.#what}: ${name}File ${file} is not readable`);
      throw this.#unusable(`${name}File cannot be read: ${reasonOf(cause)}`, cause);
    }
    if (text.trim() === "") throw this.#unusable(`${name}File ${file} is empty`);
    return text;
  }

  /** RFC 7468: any text may stand between the blocks. */
  #certificates(name: "certificate" | "authorities", text: string): Block[] {
    if (text === "") return [];
    const where = this.#whereIs(name);
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) {
      throw this.#unusable(`${where} contains no certificate (-----BEGIN CERTIFICATE-----)`);
    }
    return blocks.map((block, index) => {
      try {
        return { text: block, certificate: new (builtin("node:crypto").X509Certificate)(block) };
      } catch (cause) {
        const which = blocks.length === 1 ? "" : ` number ${index + 1}`;
        throw this.#unusable(`the certificate${which} in ${where} is malformed: ${reasonOf(cause)}`, cause);
      }
    });
  }

  #privateKey(text: string): PrivateKey {
    const { keyPassphrase } = this.#options;
    const where = this.#whereIs("key");
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
      throw this.#unusable(`${where} contains no private key (-----BEGIN PRIVATE KEY-----)`);
    }
    const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text);
    if (isEncrypted && keyPassphrase === undefined) {
      throw this.#unusable(`the key in ${where} is encrypted; set keyPassphrase`);
    }
    const passphrase = isEncrypted ? { passphrase: keyPassphrase! } : {};
    try {
      return builtin("node:crypto").createPrivateKey({ key: text, format: "pem", ...passphrase });
    } catch (cause) {
      const why = isEncrypted ? "cannot be decrypted with keyPassphrase" : "is malformed";
      throw this.#unusable(`the key in ${where} ${why}: ${reasonOf(cause)}`, cause);
    }
  }

  #whereIs(name: "certificate" | "key" | "authorities"): string {
    const file = this.#options[`${name}File`];
    return this.#options[name] === undefined && file !== undefined ? `${name}File ${file}` : name;
  }

  #unusable(why: string, cause?: unknown): MisuseError {
    return new MisuseError("ERR_CERTIFICATE_KEY", `${this.#what}: in the option tls, ${why}`, { cause });
  }
}

/** One certificate of a PEM text. */
interface Block {
  readonly text: string;
  readonly certificate: X509;
}
