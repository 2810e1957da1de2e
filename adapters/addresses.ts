/**
 * What parsing alone cannot tell of an address: network interfaces, host names, and what the system said about it.
 *
 * @module
 */

import { MisuseError } from "../src/errors.ts";
import type { StreamOptions } from "../src/ports.ts";
import { type HostPort, isIpv4, isIpv6, type TcpEndpoint } from "../src/socket/endpoint.ts";
import { builtin, type InterfaceAddress } from "./builtin.ts";

/**
 * The address to bind for the host of `endpoint`: `*` becomes every interface, a network interface its address.
 *
 * @throws {MisuseError} `ERR_ADDRESS` when there is no such interface.
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
    `Cannot bind ${text}: ${endpoint.host} is neither an IP address nor a network interface of this machine (${names})`,
  );
}

function pickAddress(found: readonly InterfaceAddress[], ipv6: boolean): InterfaceAddress | undefined {
  const first = (wanted: (text: string) => boolean) => found.find(({ address }) => wanted(address));
  return ipv6 ? first(isIpv6) ?? first(isIpv4) : first(isIpv4) ?? first(isIpv6);
}

/**
 * `address` with the scope of a link-local one, which means nothing without its interface and which some runtimes leave
 * out of what they tell. Any other address, and one that has its scope, stays as it is.
 */
export function withScope(address: string, scope: string): string {
  // RFC 4291 §2.5.6: fe80::/10.
  const linkLocal = /^fe[89ab][0-9a-f]:/i.test(address);
  return linkLocal && scope !== "" && !address.includes("%") ? `${address}%${scope}` : address;
}

/** The scope of an address as an endpoint has it: `eth0` of `fe80::1%eth0`, else nothing. */
export function scopeOf(host: string): string {
  const percent = host.indexOf("%");
  return percent < 0 ? "" : host.substring(percent + 1);
}

/**
 * The hosts to try, in order, for the target of `endpoint`. Where IPv6 is not wanted a name is looked up here, because
 * neither `Deno.connect` nor `Bun.connect` can be told to leave IPv6 out.
 */
export function connectHosts(endpoint: TcpEndpoint, options: StreamOptions): Promise<readonly string[]> {
  const { host, hostKind } = endpoint;
  if (hostKind !== "name" || options.ipv6 !== false) return Promise.resolve([host]);
  // RFC 6761 §6.3: this name is always the loopback address. Spares the look-up in the commonest case.
  if (host === "localhost") return Promise.resolve(["127.0.0.1"]);
  return new Promise((resolve, reject) => {
    builtin("node:dns").lookup(host, { family: 4, all: true }, (error, found) => {
      if (error) reject(error);
      else resolve(found.map(({ address }) => address));
    });
  });
}
