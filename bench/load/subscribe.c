/* Subscribers to everything, who only count. A publisher may drop: what counts is what arrived. */
#include "load.h"

#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 512
#define QUIET_NS 30000000u

static const struct settings *asked;
static struct peer *peers;
static uint64_t received;

static void on_message(struct peer *peer, uint64_t number, uint64_t bytes) {
  (void)peer, (void)number;
  if (bytes != asked->bytes) fail("a message of %llu bytes", (unsigned long long)bytes);
  received++;
}

static void handle_events(uint64_t until_ns) {
  struct epoll_event events[EVENTS];
  int count = poll_events(events, EVENTS, until_ns);
  for (int i = 0; i < count; i++) peer_handle(events[i].data.ptr, events[i].events, on_message);
}

static void run_until(uint64_t until_ns) {
  while (now_ns() < until_ns) handle_events(until_ns);
}

static void measure(void) {
  uint64_t before = received;
  while (received == before) handle_events(0);
  run_until(now_ns() + warmup_ns);
  for (int i = 0; i < asked->clients; i++) {
    if (peers[i].messages == 0) fail("a subscriber received nothing while others did");
  }
  say("WINDOW");
  uint64_t began = now_ns();
  before = received;
  run_until(began + window_ns);
  uint64_t messages = received - before;
  samples_reset();
  report_window(messages, messages * asked->bytes, now_ns() - began, "");
}

/* What is still on its way must not run on into another's sample. */
static void wait_until_quiet(void) {
  uint64_t last = received, quiet_since = now_ns();
  while (now_ns() - quiet_since < QUIET_NS) {
    handle_events(quiet_since + QUIET_NS);
    if (received == last) continue;
    last = received;
    quiet_since = now_ns();
  }
}

static uint64_t stop(void) {
  wait_until_quiet();
  return received;
}

void run_subscribe(const struct settings *settings) {
  asked = settings;
  peer_type = "SUB";
  peers = open_peers(settings);
  serve(&(struct role){handle_events, measure, stop});
}
