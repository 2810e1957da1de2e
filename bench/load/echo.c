/* Clients of an echo server, each with one message on its way: a closed loop. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 512

static const struct settings *asked;
static struct peer *peers;
static char *frame;
static bool sending, measuring;
static uint64_t answered, outstanding;

static void send_next(struct peer *peer, uint64_t now) {
  size_t bytes = encode_frame(frame, peer->next_number++, asked->bytes);
  peer->sent_ns = now;
  outstanding++;
  peer_send(peer, frame, bytes);
}

static void on_answer(struct peer *peer, uint64_t number, uint64_t bytes) {
  if (number != peer->next_number - 1 || bytes != asked->bytes) fail("an answer is not what was sent");
  uint64_t now = now_ns();
  outstanding--;
  answered++;
  if (measuring) samples_add(now - peer->sent_ns);
  if (sending) send_next(peer, now);
}

static void handle_events(uint64_t until_ns) {
  struct epoll_event events[EVENTS];
  int count = poll_events(events, EVENTS, until_ns);
  for (int i = 0; i < count; i++) peer_handle(events[i].data.ptr, events[i].events, on_answer);
}

static void run_until(uint64_t until_ns) {
  while (now_ns() < until_ns) handle_events(until_ns);
}

static void measure(void) {
  sending = true;
  for (int i = 0; i < asked->clients; i++) send_next(&peers[i], now_ns());
  run_until(now_ns() + warmup_ns);
  samples_reset();
  say("WINDOW");
  uint64_t before = answered, began = now_ns();
  measuring = true;
  run_until(began + window_ns);
  measuring = false;
  uint64_t messages = answered - before;
  report_window(messages, messages * asked->bytes, now_ns() - began, "");
}

static uint64_t stop(void) {
  sending = false;
  while (outstanding > 0) handle_events(0);
  return answered;
}

void run_echo(const struct settings *settings) {
  asked = settings;
  frame = malloc(FRAME_BYTES(settings->bytes));
  peers = open_peers(settings);
  serve(&(struct role){handle_events, measure, stop});
}
