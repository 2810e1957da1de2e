/* The socket pairs that are measured, and the loops that send and receive on them as fast as libzmq goes. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static const char RECEIVER_ID[] = "receiver";
static const char SENDER_ID[] = "sender";

static const struct pattern PATTERNS[] = {
    {"push-pull", ZMQ_PUSH, ZMQ_PULL, false, false},
    {"pair", ZMQ_PAIR, ZMQ_PAIR, false, false},
    {"pub-sub", ZMQ_PUB, ZMQ_SUB, false, false},
    {"dealer-dealer", ZMQ_DEALER, ZMQ_DEALER, false, false},
    {"dealer-router", ZMQ_DEALER, ZMQ_ROUTER, false, false},
    {"router-router", ZMQ_ROUTER, ZMQ_ROUTER, true, false},
    {"router-router-poll", ZMQ_ROUTER, ZMQ_ROUTER, true, true},
    /* Servers, which the load generator speaks to. */
    {"router", ZMQ_DEALER, ZMQ_ROUTER, false, false},
    {"pub", ZMQ_PUB, ZMQ_SUB, false, false},
    {"pub-lossless", ZMQ_PUB, ZMQ_SUB, false, false},
};

const struct pattern *find_pattern(const char *name) {
  for (size_t i = 0; i < sizeof PATTERNS / sizeof PATTERNS[0]; i++) {
    if (strcmp(PATTERNS[i].name, name) == 0) return &PATTERNS[i];
  }
  fail("unknown pattern");
}

static void set_int(void *socket, int option, int value) {
  if (zmq_setsockopt(socket, option, &value, sizeof value) != 0) fail("zmq_setsockopt");
}

static void *open_socket(void *context, int type, const char *id, const struct settings *settings) {
  void *socket = zmq_socket(context, type);
  if (socket == NULL) fail("zmq_socket");
  set_int(socket, ZMQ_LINGER, 0);
  set_int(socket, ZMQ_SNDHWM, settings->high_water_mark);
  set_int(socket, ZMQ_RCVHWM, settings->high_water_mark);
  if (type == ZMQ_ROUTER) {
    if (zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, strlen(id)) != 0) fail("ZMQ_ROUTING_ID");
    set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
  }
  /* Without this a publisher drops at the high-water mark; only the load generator counts what arrived of it. */
  if (type == ZMQ_PUB && strcmp(settings->pattern, "pub") != 0) set_int(socket, ZMQ_XPUB_NODROP, 1);
  if (type == ZMQ_SUB && zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) != 0) fail("ZMQ_SUBSCRIBE");
  return socket;
}

void *open_sender(void *context, const struct pattern *pattern, const struct settings *settings) {
  void *socket = open_socket(context, pattern->sender_type, SENDER_ID, settings);
  if (zmq_connect(socket, settings->endpoint) != 0) fail("zmq_connect");
  return socket;
}

void *open_publisher(void *context, const struct pattern *pattern, const struct settings *settings) {
  void *socket = open_socket(context, pattern->sender_type, SENDER_ID, settings);
  if (zmq_bind(socket, settings->endpoint) != 0) fail("zmq_bind");
  return socket;
}

void *open_receiver(void *context, const struct pattern *pattern, const struct settings *settings) {
  void *socket = open_socket(context, pattern->receiver_type, RECEIVER_ID, settings);
  if (zmq_bind(socket, settings->endpoint) != 0) fail("zmq_bind");
  return socket;
}

void print_ready(void *socket) {
  char endpoint[512] = "";
  size_t length = sizeof endpoint;
  if (socket != NULL) zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length);
  printf("READY %d %s\n", (int)getpid(), endpoint);
  fflush(stdout);
}

static bool send_body(void *socket, void *body, size_t bytes, enum body_mode mode) {
  if (mode == BODY_COPY) return zmq_send(socket, body, bytes, 0) >= 0;
  zmq_msg_t message;
  if (mode == BODY_REFERENCE) zmq_msg_init_data(&message, body, bytes, NULL, NULL);
  else zmq_msg_init_size(&message, bytes);
  if (zmq_msg_send(&message, socket, 0) >= 0) return true;
  zmq_msg_close(&message);
  return false;
}

uint64_t send_loop(void *socket, const struct pattern *pattern, const struct settings *settings,
                   const atomic_bool *running) {
  uint64_t sent = 0;
  /* Never freed: messages that refer to it may still be on their way when this loop ends. */
  static char *body = NULL;
  if (body == NULL) {
    body = malloc(settings->bytes);
    memset(body, 'h', settings->bytes);
  }
  while (atomic_load_explicit(running, memory_order_relaxed)) {
    if (pattern->routed && zmq_send(socket, RECEIVER_ID, sizeof RECEIVER_ID - 1, ZMQ_SNDMORE) < 0) {
      /* The receiver's identity is known only once the handshake is over. */
      if (errno != EHOSTUNREACH) fail("send of the routing id");
      nanosleep(&(struct timespec){0, 1000000}, NULL);
      continue;
    }
    if (!send_body(socket, body, settings->bytes, settings->body)) fail("send");
    sent++;
  }
  return sent;
}

/* Takes one whole message; false if there was none (only with ZMQ_DONTWAIT). Answers the last frame's size. */
static bool receive_one(void *socket, zmq_msg_t *message, int flags, size_t *bytes) {
  do {
    if (zmq_msg_recv(message, socket, flags) < 0) {
      if (errno == EAGAIN && (flags & ZMQ_DONTWAIT)) return false;
      if (errno == EINTR) continue;
      fail("receive");
    }
    *bytes = zmq_msg_size(message);
  } while (zmq_msg_more(message));
  return true;
}

void receive_loop(void *socket, const struct pattern *pattern, struct counters *counters) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  uint64_t messages = 0, bytes = 0;
  size_t size = 0;
  for (;;) {
    if (pattern->polls) {
      zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
      if (zmq_poll(&item, 1, -1) < 0 && errno != EINTR) fail("zmq_poll");
    }
    do {
      if (!receive_one(socket, &message, pattern->polls ? ZMQ_DONTWAIT : 0, &size)) break;
      bytes += size;
      atomic_store_explicit(&counters->messages, ++messages, memory_order_relaxed);
      atomic_store_explicit(&counters->bytes, bytes, memory_order_relaxed);
    } while (pattern->polls);
  }
}
