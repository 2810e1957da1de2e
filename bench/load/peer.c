/* A connection: its handshake, the frames it reads, the bytes that its socket did not take at once. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)
#define FLAG_MORE 1
#define FLAG_LONG 2
#define FLAG_COMMAND 4
/* libzmq listens with a backlog of 100; a connection beyond it waits a second for its second SYN. */
#define HANDSHAKES_AT_A_TIME 32
#define OPEN_WITHIN_NS 30000000000u

const char *peer_type = "DEALER";

static char input[READ_BYTES];

static struct sockaddr_in parse_endpoint(const char *endpoint) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  char host[64];
  unsigned port;
  if (sscanf(endpoint, "tcp://%63[0-9.]:%u", host, &port) != 2) fail("endpoint %s is not tcp over IPv4", endpoint);
  inet_pton(AF_INET, host, &address.sin_addr);
  address.sin_port = htons((uint16_t)port);
  return address;
}

static void watch(struct peer *peer, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.ptr = peer}};
  if (epoll_ctl(poller, operation, peer->descriptor, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
}

void peer_start(struct peer *peer, const struct settings *settings) {
  struct sockaddr_in address = parse_endpoint(settings->endpoint);
  memset(peer, 0, sizeof *peer);
  peer->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (peer->descriptor < 0) fail("socket: %s", strerror(errno));
  int on = 1;
  setsockopt(peer->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(peer->descriptor, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
    fail("connect: %s", strerror(errno));
  }
  watch(peer, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

/* With a reset, so that no port stays behind in TIME_WAIT: there are 28 000 of them, a few seconds' worth. */
void peer_close(struct peer *peer) {
  struct linger hard = {1, 0};
  setsockopt(peer->descriptor, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(peer->descriptor);
  free(peer->unsent);
}

bool peer_flush(struct peer *peer) {
  size_t sent = 0;
  while (sent < peer->unsent_bytes) {
    ssize_t took = send(peer->descriptor, peer->unsent + sent, peer->unsent_bytes - sent, MSG_NOSIGNAL);
    if (took < 0 && errno == EAGAIN) break;
    if (took < 0) fail("send: %s", strerror(errno));
    sent += (size_t)took;
  }
  peer->unsent_bytes -= sent;
  if (peer->unsent_bytes > 0) memmove(peer->unsent, peer->unsent + sent, peer->unsent_bytes);
  else watch(peer, EPOLL_CTL_MOD, EPOLLIN);
  return peer->unsent_bytes == 0;
}

void peer_send(struct peer *peer, const char *bytes, size_t count) {
  size_t sent = 0;
  if (peer->unsent_bytes == 0) {
    ssize_t took = send(peer->descriptor, bytes, count, MSG_NOSIGNAL);
    if (took < 0 && errno != EAGAIN) fail("send: %s", strerror(errno));
    if (took > 0) sent = (size_t)took;
    if (sent == count) return;
    watch(peer, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
  peer->unsent = realloc(peer->unsent, peer->unsent_bytes + count - sent);
  if (peer->unsent == NULL) fail("no memory for what is not sent");
  memcpy(peer->unsent + peer->unsent_bytes, bytes + sent, count - sent);
  peer->unsent_bytes += count - sent;
}

size_t encode_frame(char *into, uint64_t number, size_t body_bytes) {
  size_t header = body_bytes > 255 ? 9 : 2;
  into[0] = body_bytes > 255 ? FLAG_LONG : 0;
  if (header == 2) into[1] = (char)body_bytes;
  else for (int i = 0; i < 8; i++) into[1 + i] = (char)((uint64_t)body_bytes >> (56 - 8 * i));
  memset(into + header, 'h', body_bytes);
  memcpy(into + header, &number, sizeof number);
  return header + body_bytes;
}

static void send_greeting(struct peer *peer) {
  char greeting[GREETING_BYTES] = {(char)0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
  peer_send(peer, greeting, sizeof greeting);
}

static void send_ready(struct peer *peer) {
  char command[64];
  size_t type = strlen(peer_type), at = 2;
  command[0] = FLAG_COMMAND;
  memcpy(command + at, "\x05READY\x0bSocket-Type", 18);
  at += 18;
  memcpy(command + at, (char[]){0, 0, 0, (char)type}, 4);
  at += 4;
  memcpy(command + at, peer_type, type);
  at += type;
  command[1] = (char)(at - 2);
  peer_send(peer, command, at);
  /* ZMTP 3.0 subscribes with a message: 1, and the topic, which is empty. */
  if (strcmp(peer_type, "SUB") == 0) peer_send(peer, "\x00\x01\x01", 3);
}

static void end_frame(struct peer *peer, message_handler handle) {
  if (peer->flags & FLAG_COMMAND) {
    if (peer->state == PEER_READY) peer->state = PEER_OPEN;
    return;
  }
  if (peer->state != PEER_OPEN) fail("a message before READY");
  if (peer->flags & FLAG_MORE) return;
  uint64_t number = 0;
  if (peer->body_read >= 8) memcpy(&number, peer->prefix, 8);
  peer->messages++;
  if (handle != NULL) handle(peer, number, peer->body_read);
}

/* The header in peer->header, or false if it is not whole. */
static bool read_header(struct peer *peer, const unsigned char **at, const unsigned char *end) {
  while (*at < end) {
    peer->header[peer->have++] = *(*at)++;
    bool is_long = peer->header[0] & FLAG_LONG;
    if (peer->have < (is_long ? 9u : 2u)) continue;
    uint64_t length = 0;
    if (!is_long) length = peer->header[1];
    else for (int i = 1; i < 9; i++) length = length << 8 | peer->header[i];
    peer->flags = peer->header[0];
    peer->body_left = length;
    peer->body_read = 0;
    peer->have = 0;
    return true;
  }
  return false;
}

static bool in_frame(const struct peer *peer) {
  return peer->body_left > 0;
}

static void read_frames(struct peer *peer, const unsigned char *at, const unsigned char *end,
                        message_handler handle) {
  while (at < end) {
    if (!in_frame(peer)) {
      if (!read_header(peer, &at, end)) return;
      if (peer->body_left == 0) {
        end_frame(peer, handle);
        continue;
      }
    }
    uint64_t here = (uint64_t)(end - at) < peer->body_left ? (uint64_t)(end - at) : peer->body_left;
    if (peer->body_read < 8) {
      size_t wanted = 8 - peer->body_read < here ? 8 - peer->body_read : here;
      memcpy(peer->prefix + peer->body_read, at, wanted);
    }
    at += here;
    peer->body_read += here;
    peer->body_left -= here;
    if (peer->body_left == 0) end_frame(peer, handle);
  }
}

static void read_greeting(struct peer *peer, const unsigned char **at, const unsigned char *end) {
  while (*at < end && peer->have < GREETING_BYTES) peer->greeting[peer->have++] = *(*at)++;
  if (peer->have < GREETING_BYTES) return;
  if (peer->greeting[0] != 0xff || peer->greeting[10] < 3) fail("the server does not speak ZMTP 3");
  if (memcmp(peer->greeting + 12, "NULL", 5) != 0) fail("the server does not take NULL");
  peer->have = 0;
  peer->state = PEER_READY;
  send_ready(peer);
}

static void read_input(struct peer *peer, message_handler handle) {
  ssize_t got = recv(peer->descriptor, input, sizeof input, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) fail("receive: %s", strerror(errno));
  if (got == 0) fail("the server closed a connection");
  const unsigned char *at = (unsigned char *)input, *end = at + got;
  if (peer->state == PEER_GREETING) read_greeting(peer, &at, end);
  if (peer->state != PEER_GREETING) read_frames(peer, at, end, handle);
}

bool peer_handle(struct peer *peer, uint32_t events, message_handler handle) {
  if (peer->state == PEER_CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(peer->descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) fail("connect: %s", strerror(error));
    if (!(events & EPOLLOUT)) return false;
    peer->state = PEER_GREETING;
    watch(peer, EPOLL_CTL_MOD, EPOLLIN);
    send_greeting(peer);
    return false;
  }
  if (events & EPOLLOUT) peer_flush(peer);
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_input(peer, handle);
  return peer->state == PEER_OPEN;
}

/* All connections, opened a few at a time. Resolves handshakes only: what arrives after them is left unread. */
struct peer *open_peers(const struct settings *settings) {
  struct peer *peers = calloc((size_t)settings->clients, sizeof *peers);
  if (peers == NULL) fail("no memory for connections");
  uint64_t deadline = now_ns() + OPEN_WITHIN_NS;
  int started = 0, open = 0;
  while (open < settings->clients) {
    while (started < settings->clients && started - open < HANDSHAKES_AT_A_TIME) {
      peer_start(&peers[started++], settings);
    }
    struct epoll_event events[HANDSHAKES_AT_A_TIME];
    int count = poll_events(events, HANDSHAKES_AT_A_TIME, deadline);
    if (now_ns() >= deadline) fail("only %d of %d connections opened", open, settings->clients);
    for (int i = 0; i < count; i++) {
      struct peer *peer = events[i].data.ptr;
      if (peer->state != PEER_OPEN && peer_handle(peer, events[i].events, NULL)) open++;
    }
  }
  return peers;
}
