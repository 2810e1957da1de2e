/**
 * Where libzmq is, if it is here.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { PeerProcess } from "./peer_process.ts";
import { type Command, nodeProgram, sourcePath } from "./runtimes.ts";

const NODE_PEER: Command = [nodeProgram(), sourcePath("tests/interop/libzmq_peer.mjs")];
const PYTHON_SCRIPT = sourcePath("tests/interop/libzmq_peer.py");
// A Python of the user's own may stand before the system's, which has the system's packages.
const PYTHONS: readonly Command[] = [["python3", PYTHON_SCRIPT], ["/usr/bin/python3", PYTHON_SCRIPT]];

function works([program, ...args]: Command): boolean {
  return spawnSync(program, [...args, "--check"], { timeout: 20_000 }).status === 0;
}

/** Whether the npm package zeromq loads in a Node process. */
export function hasNodePeer(): boolean {
  return works(NODE_PEER);
}

/** libzmq under Node. */
export function startNodePeer(): PeerProcess {
  return new PeerProcess(NODE_PEER);
}

/** How to start libzmq under Python; undefined: no Python here has `zmq`. */
export function findPythonPeer(): Command | undefined {
  return PYTHONS.find(works);
}
