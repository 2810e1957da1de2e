import { directReads } from "../../adapters/node/sockets.ts";

// Loaded before a test file: Node's sockets report with "data" events what they read, as where it cannot be helped.
directReads.connected = false;
directReads.accepted = false;
