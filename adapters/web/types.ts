/**
 * The few members of the standard globals that this adapter uses, so that the project compiles without the
 * types of a browser.
 *
 * @module
 */

/** An event of a `WebSocket`. */
export interface SocketEvent {
  /** Of `message`: an ArrayBuffer, or text. */
  readonly data?: unknown;
  /** Of `close`. */
  readonly code?: number;
  /** Of `close`. */
  readonly reason?: string;
  /** Of `error`, where the runtime says something. A page gets nothing. */
  readonly message?: string;
}

/** `WebSocket` */
export interface NativeSocket {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: SocketEvent) => void) | null;
  onerror: ((event: SocketEvent) => void) | null;
  onclose: ((event: SocketEvent) => void) | null;
  readonly bufferedAmount: number;
  readonly protocol: string;
  send(message: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** What `WebSocketStream` resolves `closed` with, or rejects both promises with. */
export interface StreamClosed {
  readonly closeCode?: number;
  readonly reason?: string;
}

/** What a `WebSocketStream` has when it is open. */
export interface StreamOpened {
  readonly protocol: string;
  readonly readable: {
    getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: unknown }> };
  };
  readonly writable: {
    getWriter(): { write(message: Uint8Array): Promise<void>; close(): Promise<void> };
  };
}

/** `WebSocketStream` */
export interface NativeStream {
  readonly opened: Promise<StreamOpened>;
  readonly closed: Promise<StreamClosed>;
  close(info?: StreamClosed): void;
}

/** Whatever sends events. */
export interface EventTargetLike {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** `URL` */
export interface WebUrl {
  readonly hostname: string;
  /** With the port. */
  readonly host: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
  readonly username: string;
}

/** The globals, of which some are not everywhere. */
export interface WebGlobals extends Partial<EventTargetLike> {
  readonly WebSocket?: new (url: string, protocols: string[]) => NativeSocket;
  readonly WebSocketStream?: new (url: string, options: { protocols: string[] }) => NativeStream;
  readonly URL: new (url: string) => WebUrl;
  readonly location?: { readonly origin?: string };
  readonly document?: EventTargetLike & { readonly visibilityState: string };
}

/** The globals of this page, worker or runtime. */
export const webGlobals: WebGlobals = globalThis as unknown as WebGlobals;
