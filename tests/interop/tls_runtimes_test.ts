import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { testCertificates } from "../support/certificates.ts";
import type { Body } from "./support/bodies.ts";
import { converse } from "./support/conversations.ts";
import { PeerProcess } from "./support/peer_process.ts";
import { moduleCommand, OWN_RUNTIME, RUNTIME_NAMES, whyNot } from "./support/runtimes.ts";
import { OwnSpeaker, PeerSpeaker } from "./support/speakers.ts";

// This runtime with each of the three over tls, bound and connected, in two processes, both with certificates. Run on all
// three, the file covers every couple of runtimes.

const PEER = "tests/interop/hawser_peer";
const { authority, server, client } = await testCertificates();
const authorities = authority.certificate;
const LISTENER = {
  tls: { certificate: server.certificate, key: server.key, authorities, clientCertificates: "require" },
};
const CLIENT = { tls: { certificate: client.certificate, key: client.key, authorities } };
const MESSAGES: readonly (readonly Body[])[] = [
  [{ text: "hello" }],
  [{ seed: 1, bytes: 65_536 }, { text: "" }],
  [{ seed: 2, bytes: 1_048_576 }],
  [{ seed: 3, bytes: 16 * 1_048_576 }],
];

for (const runtime of RUNTIME_NAMES) {
  const skip = whyNot(runtime, PEER);
  test(`${OWN_RUNTIME} and ${runtime} talk to each other over tls, whoever binds`, { skip }, async () => {
    const peer = new PeerProcess(moduleCommand(runtime, PEER));
    for (const bound of ["ours", "theirs"] as const) {
      const [ourOptions, theirOptions] = bound === "ours" ? [LISTENER, CLIENT] : [CLIENT, LISTENER];
      const theirs = await PeerSpeaker.open(peer, "PAIR", theirOptions);
      const ours = new OwnSpeaker("PAIR", ourOptions);
      if (bound === "ours") await theirs.connect(await ours.bind("tls://127.0.0.1:*"));
      else await ours.connect(await theirs.bind("tls://127.0.0.1:*"));
      await converse({ ours, theirs }, MESSAGES);
      assertEquals(
        ours.socket.peers[0]?.tls?.peerCertificate?.commonName,
        bound === "ours" ? "client" : "server",
      );
      await Promise.all([ours.close(), theirs.close()]);
    }
    assertEquals(await peer.leave(), 0);
  });
}
