/**
 * The few members of `Deno` that hawser uses, as structural types.
 *
 * @module
 */

/** Either end of a connection. */
export interface DenoAddress {
  readonly hostname?: string;
  readonly port?: number;
}

/** A connection: TCP or unix. */
export interface DenoConn {
  readonly localAddr: DenoAddress;
  readonly remoteAddr: DenoAddress;
  /** Resolves with the number of bytes read, or `null` when the peer has finished. */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves with the number of bytes taken, which may be fewer than all. */
  write(chunk: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  ref(): void;
  unref(): void;
  setNoDelay?(on: boolean): void;
  setKeepAlive?(on: boolean): void;
}

/** A listener: TCP or unix. */
export interface DenoListener {
  readonly addr: DenoAddress;
  accept(): Promise<DenoConn>;
  close(): void;
  ref(): void;
  unref(): void;
}

/** Where to connect to, or to listen. */
export type DenoTarget =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** The `Deno` namespace. */
export interface DenoApi {
  connect(target: DenoTarget & { readonly signal: unknown }): Promise<DenoConn>;
  listen(target: DenoTarget & { readonly tcpBacklog?: number }): DenoListener;
  readonly permissions: {
    /** Prompts the user, if there is one to ask and nothing was decided yet. */
    requestSync(permission: { readonly name: "net"; readonly host: string }): { readonly state: string };
  };
}

interface Globals {
  readonly Deno?: DenoApi;
  readonly AbortController: new () => Aborter;
}

/** A structural `AbortController`. */
export interface Aborter {
  readonly signal: unknown;
  abort(): void;
}

const globals = globalThis as unknown as Globals;

/** Returns the `Deno` namespace, looked up on use, so that any runtime may load the adapter. */
export function denoApi(): DenoApi {
  if (globals.Deno === undefined) {
    throw new Error("The Deno adapter needs Deno; this runtime has its own adapter");
  }
  return globals.Deno;
}

/** Returns a new `AbortController`. */
export function createAborter(): Aborter {
  return new globals.AbortController();
}
