"""Prints a topic's records as they come: python3 examples/tail_topic.py tcp://127.0.0.1:7780 orders [first position]

No client library but pyzmq: one kind of request, READ, which needs no session and waits for what is not there yet. The frames
are described in docs/PROTOCOL.md, "The ordered log"."""

import struct
import sys
import zlib

import zmq

HEADER = struct.Struct("<BBHIQIIQQQIII")  # and its CRC-32
VERSION, READ, RECORDS, BYTES_MAX, WAIT_MS = 1, 13, 14, 1 << 20, 5000

endpoint, topic = sys.argv[1], sys.argv[2].encode()
position = int(sys.argv[3]) if len(sys.argv) > 3 else 0
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(endpoint)
while True:
    size, crc = len(topic), zlib.crc32(topic)
    header = HEADER.pack(VERSION, READ, 0, 1, 0, 0, 0, position, BYTES_MAX, WAIT_MS, size, crc, 0)
    socket.send_multipart([header + struct.pack("<I", zlib.crc32(header)), topic])
    header, *frames = socket.recv_multipart()
    kind, batches = header[1], HEADER.unpack(header[:60])[6]
    if kind != RECORDS:
        sys.exit(frames[0].decode())  # refused: an error as JSON
    for index in range(batches):
        number, time_ms, count, size, crc, _ = struct.unpack_from("<QQIIII", frames[0], 32 * index)
        batch, at = frames[1 + index], 0
        if zlib.crc32(batch) != crc:
            sys.exit(f"the batch at {number} is damaged")
        for number in range(number, number + count):
            size, key, headers = struct.unpack_from("<IHH", batch, at)
            if number >= position:  # a batch may begin before what was asked for
                print(number, batch[at + 8 + key + headers : at + 4 + size].decode(errors="replace"), flush=True)
            at += 4 + size
        position = number + 1
