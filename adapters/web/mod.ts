/**
 * hawser for pages and web workers: what `hawser` has, and the adapter over the standard `WebSocket`.
 *
 * Bundlers find a browser's version of `hawser` by themselves, by the condition `browser`. This entry is for
 * those who assemble a context by hand, and for Node 22, Deno and Bun where they are to use their global
 * `WebSocket` as a page does:
 *
 * ```ts
 * import { Context, Subscriber, webTransport } from "hawser/web";
 *
 * const context = new Context({ transports: { ws: webTransport(), wss: webTransport() } });
 * const prices = new Subscriber({ context });
 * prices.connect("wss://example.org/prices");
 * prices.subscribe("EUR");
 * prices.close();
 * ```
 *
 * @module
 */

export * from "../../mod.ts";
export { webAdapter } from "./adapter.ts";
export { createWebHost } from "./host.ts";
export { webTransport } from "./transport.ts";
