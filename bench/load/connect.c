/* Connections set up one after another, several at a time: TCP, the whole handshake, and gone. */
#include "load.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 256

static const struct settings *asked;
static struct peer *peers;
static bool going, measuring;
static uint64_t opened;
static int at_work;

static void begin(struct peer *peer) {
  peer_start(peer, asked);
  peer->sent_ns = now_ns();
  at_work++;
}

static void handle_events(uint64_t until_ns) {
  struct epoll_event events[EVENTS];
  int count = poll_events(events, EVENTS, until_ns);
  for (int i = 0; i < count; i++) {
    struct peer *peer = events[i].data.ptr;
    if (!peer_handle(peer, events[i].events, NULL)) continue;
    if (measuring) samples_add(now_ns() - peer->sent_ns);
    opened++;
    at_work--;
    peer_close(peer);
    if (going) begin(peer);
  }
}

static void run_until(uint64_t until_ns) {
  while (now_ns() < until_ns) handle_events(until_ns);
}

static void measure(void) {
  going = true;
  for (int i = 0; i < asked->clients; i++) begin(&peers[i]);
  run_until(now_ns() + warmup_ns);
  samples_reset();
  say("WINDOW");
  uint64_t before = opened, began = now_ns();
  measuring = true;
  run_until(began + window_ns);
  measuring = false;
  report_window(opened - before, 0, now_ns() - began, "");
}

static uint64_t stop(void) {
  going = false;
  while (at_work > 0) handle_events(0);
  return opened;
}

void run_connect(const struct settings *settings) {
  asked = settings;
  peers = calloc((size_t)settings->clients, sizeof *peers);
  if (peers == NULL) fail("no memory for connections");
  serve(&(struct role){handle_events, measure, stop});
}
