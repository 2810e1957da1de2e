/**
 * What parsing alone cannot determine about an address: network interfaces, host names and scopes.
 *
 * @module
 */

import { MisuseError } from "../src/errors.ts";
import type { StreamOptions } from "../src/ports.ts";
import { type HostPort, isIpv4, isIpv6, type TcpEndpoint } from "../src/socket/endpoint.ts";
import { builtin, type InterfaceAddress } from "./builtin.ts";

/**
 * Returns the address to bind for the host of `endpoint`: `*` becomes every interface, a network interface
 * its address.
 *
 * @throws {MisuseError} `ERR_ADDRESS` if there is no such interface.
 */
export function bindHost(endpoint: HostPort, text: string, options: StreamOptions): string {
  if (endpoint.hostKind === "any") return options.ipv6 === true ? "::" : "0.0.0.0";
  if (endpoint.hostKind !== "name") return endpoint.host;
  const interfaces = builtin("node:os").networkInterfaces();
  const found = pickAddress(interfaces[endpoint.host] ?? [], options.ipv6 === true);
  if (found !== undefined) return withScope(found.address, endpoint.host);
  const names = Object.keys(interfaces).join(", ");
  throw new MisuseError(
    "ERR_ADDRESS",
    `Cannot bind ${text}: ${endpoint.host} is neither an IP address nor a network interface ` +
      `of this machine (${names})`,
  );
}

function pickAddress(found: readonly InterfaceAddress[], ipv6: boolean): InterfaceAddress | undefined {
  const first = (wanted: (text: string) => boolean) => found.find(({ address }) => wanted(address));
  return ipv6 ? first(isIpv6) ?? first(isIpv4) : first(isIpv4) ?? first(isIpv6);
}

/**
 * Adds `scope` to a link-local address, which means nothing without its interface and which some runtimes
 * report without it. Any other address, or one that already has a scope, is returned unchanged.
 */
export function withScope(address: string, scope: string): string {
  // RFC 4291 §2.5.6: fe80::/10.
  const linkLocal = /^fe[89ab][0-9a-f]:/i.test(address);
  return linkLocal && scope !== "" && !address.includes("%") ? `${address}%${scope}` : address;
}

/** Returns the scope of an address in an endpoint, such as `eth0` in `fe80::1%eth0`, or an empty string. */
export function scopeOf(host: string): string {
  const percent = host.indexOf("%");
  return percent < 0 ? "" : host.substring(percent + 1);
}

/**
 * Resolves with the hosts to try, in order, for the target of `endpoint`. If IPv6 is not wanted, names are
 * looked up here, because neither `Deno.connect` nor `Bun.connect` can be told to leave out IPv6.
 */
export function connectHosts(endpoint: TcpEndpoint, options: StreamOptions): Promise<readonly string[]> {
  const { host, hostKind } = endpoint;
  if (hostKind !== "name" || options.ipv6 !== false) return Promise.resolve([host]);
  // RFC 6761 §6.3: this name is always the loopback address. Saves the look-up in the most common case.
  if (host === "localhost") return Promise.resolve(["127.0.0.1"]);
  return new Promise((resolve, reject) => {
    builtin("node:dns").lookup(host, { family: 4, all: true }, (error, found) => {
      if (error) reject(error);
      else resolve(found.map(({ address }) => address));
    });
  });
}
