"""libzmq under Python: does what support/peer_process.ts describes, one request after the other."""

import hashlib
import json
import sys
import zmq

PERIOD = 4093
HEX_BYTES_MAX = 32
RECEIVE_MS = 20000
OPTIONS = {
    "linger": zmq.LINGER,
    "routingId": zmq.ROUTING_ID,
    "mandatory": zmq.ROUTER_MANDATORY,
    "sendHighWaterMark": zmq.SNDHWM,
    "receiveHighWaterMark": zmq.RCVHWM,
}

context = zmq.Context()
sockets = {}


def make_body(body):
    if "text" in body:
        return body["text"].encode()
    if "hex" in body:
        return bytes.fromhex(body["hex"])
    size = body["bytes"]
    state = body["seed"]
    period = bytearray()
    for _ in range(min(PERIOD, size)):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        period.append(state >> 24)
    return (bytes(period) * (size // PERIOD + 1))[:size]


def describe_frame(frame):
    if len(frame) <= HEX_BYTES_MAX:
        return frame.hex()
    return f"{len(frame)} bytes, sha256 {hashlib.sha256(frame).hexdigest()[:32]}"


def open_socket(request):
    socket = context.socket(getattr(zmq, request["type"]))
    socket.setsockopt(zmq.RCVTIMEO, RECEIVE_MS)
    for name, value in {"linger": 0, **request["options"]}.items():
        encoded = value.encode() if isinstance(value, str) else int(value)
        socket.setsockopt(OPTIONS[name], encoded)
    sockets[request["socket"]] = socket


def subscribe(socket, prefix, count):
    topics = [prefix] if count == 0 else [f"{prefix}{i}" for i in range(count)]
    for topic in topics:
        if socket.type == zmq.SUB:
            socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        else:
            socket.send(b"\x01" + topic.encode())


def send(socket, frames):
    while True:
        try:
            socket.send_multipart([make_body(body) for body in frames])
            return
        except zmq.ZMQError as error:
            # A mandatory ROUTER refuses until its peer has said who it is.
            if error.errno != zmq.EHOSTUNREACH:
                raise


def carry_out(request):
    action = request["do"]
    if action == "open":
        return open_socket(request)
    socket = sockets[request["socket"]]
    if action == "bind":
        socket.bind(request["address"])
        return socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
    if action == "receive":
        return [[describe_frame(frame) for frame in socket.recv_multipart()] for _ in range(request["count"])]
    if action == "connect":
        socket.connect(request["address"])
    elif action == "disconnect":
        socket.disconnect(request["address"])
    elif action == "send":
        send(socket, request["frames"])
    elif action == "subscribe":
        subscribe(socket, request["prefix"], request["count"])
    elif action == "close":
        sockets.pop(request["socket"]).close()
    else:
        raise ValueError(action)
    return None


def serve():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"id": request["id"], "value": carry_out(request)}
        except Exception as error:  # Whatever it is, the one who asked must hear of it.
            answer = {"id": request["id"], "error": repr(error)}
        print(json.dumps(answer), flush=True)
    for socket in sockets.values():
        socket.close(0)
    context.term()


serve()
