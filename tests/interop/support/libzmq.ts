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
const PYTHONS = ["python3", "/usr/bin/python3"];

function works([program, ...args]: Command): boolean {
  return spawnSync(program, args, { timeout: 20_000 }).status === 0;
}

/** Whether the npm package zeromq loads in a Node process. */
export function hasNodePeer(): boolean {
  return works([...NODE_PEER, "--check"]);
}

/** libzmq under Node. */
export function startNodePeer(): PeerProcess {
  return new PeerProcess(NODE_PEER);
}

/** A Python that has `zmq`; undefined: there is none here. */
export function findPython(): string | undefined {
  return PYTHONS.find((python) => works([python, "-c", "import zmq"]));
}

/** How to start libzmq under Python; undefined: no Python here has `zmq`. */
export function findPythonPeer(): Command | undefined {
  const python = findPython();
  return python === undefined ? undefined : [python, PYTHON_SCRIPT];
}
