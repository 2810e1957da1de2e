// A program for the tests: appends to the topic `orders` in the folder of its argument, byte n being n modulo 251, says
// how much is written, and goes on until it is killed or 64 MB are there.
import process from "node:process";
import { createHost } from "../../adapters/host.ts";
import { openFileStores } from "../../adapters/store/file_store.ts";
import type { TopicStore } from "../../src/log/store/store.ts";

const SEGMENT_BYTES = 1_048_576;
const BYTES_MAX = 64_000_000;
const stores = await openFileStores({ dir: process.argv[2] ?? "", host: createHost() });
const piece = new Uint8Array(40_000);
let store: TopicStore;

function appendMore(): void {
  while (store.tail < BYTES_MAX && store.hasRoom(8 * SEGMENT_BYTES)) {
    for (let at = 0; at < piece.length; at++) piece[at] = (store.tail + at) % 251;
    if (store.segments.at(-1)!.bytes + piece.length > SEGMENT_BYTES) store.roll();
    store.append(store.tail, [piece]);
  }
}

stores.open("orders", { segmentBytes: SEGMENT_BYTES, memoryBytesMax: 0 }, {
  written: (frontier) => {
    console.log(frontier);
    appendMore();
  },
  synced: () => {},
  failed: ({ message }) => console.error(message),
  resumed: () => {},
}, (opened) => {
  if ("kind" in opened) throw new Error(opened.message);
  store = opened;
  appendMore();
});
