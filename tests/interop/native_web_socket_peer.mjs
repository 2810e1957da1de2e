// The WebSocket of the runtime that runs this, as a PAIR of ZWS 2.0 without a mechanism that sends back every message, frame by frame. It
// ends when the socket is closed, and then tells the code.
import process from "node:process";

// The other sub-protocols of RFC 45 have a slash, which no native WebSocket takes.
const socket = new WebSocket(process.argv[2], ["ZWS2.0"]);
socket.binaryType = "arraybuffer";
let greeted = false;
// An empty identity.
socket.addEventListener("open", () => socket.send(new Uint8Array(1)));
socket.addEventListener("message", ({ data }) => {
  // The first one is an identity.
  if (greeted) socket.send(data);
  greeted = true;
});
socket.addEventListener("error", () => {});
socket.addEventListener("close", ({ code, reason }) => {
  console.log(JSON.stringify({ code, reason, protocol: socket.protocol }));
});
