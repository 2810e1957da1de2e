/*
 * An open loop: messages are due at a fixed rate whatever the server does, and each one's time counts from the moment
 * at which it was due. A server that stands still makes all that was due meanwhile late, not just one.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 8
#define FRAMES_AT_A_TIME 512
#define SETTLE_NS 100000000u
#define FULL_NS_MIN 300000000u
#define GRACE_NS 3000000000u
#define RECHECK_NS 1000000u

static const struct settings *asked;
static struct peer *peer;
static char *frames;
static uint64_t sent, answered;
/* The open loop: when number `first` was due, and how far apart they are. 0: a closed loop is running. */
static double interval_ns;
static uint64_t began_ns, first;
/* Of the window: the numbers that are due within it, and when the last of them was answered. */
static uint64_t window_first, window_end, window_answered, last_answer_ns;

static double due_ns(uint64_t number) {
  return (double)began_ns + (double)(number - first) * interval_ns;
}

static void on_answer(struct peer *from, uint64_t number, uint64_t bytes) {
  (void)from;
  if (number != answered || bytes != asked->bytes) fail("an answer is not what was sent");
  answered++;
  if (number < window_first || number >= window_end) return;
  last_answer_ns = now_ns();
  window_answered++;
  samples_add((uint64_t)((double)last_answer_ns - due_ns(number)));
}

static void handle_events(uint64_t until_ns) {
  struct epoll_event events[EVENTS];
  int count = poll_events(events, EVENTS, until_ns);
  for (int i = 0; i < count; i++) peer_handle(events[i].data.ptr, events[i].events, on_answer);
}

static void send_up_to(uint64_t end) {
  while (sent < end && peer->unsent_bytes == 0) {
    size_t bytes = 0;
    for (int i = 0; i < FRAMES_AT_A_TIME && sent < end; i++) {
      bytes += encode_frame(frames + bytes, sent++, asked->bytes);
    }
    peer_send(peer, frames, bytes);
  }
}

/* As many messages on their way as `outstanding` says, always. Answers how many came back per second. */
static double run_closed(uint64_t until_ns) {
  uint64_t before = answered, began = now_ns();
  while (now_ns() < until_ns) {
    send_up_to(answered + (uint64_t)asked->outstanding);
    handle_events(until_ns);
  }
  return (double)(answered - before) * 1e9 / (double)(now_ns() - began);
}

static void drain(void) {
  while (answered < sent) handle_events(0);
}

static void send_what_is_due(void) {
  uint64_t now = now_ns();
  send_up_to(first + (uint64_t)(((double)now - (double)began_ns) / interval_ns) + 1);
  uint64_t next = (uint64_t)due_ns(sent);
  handle_events(peer->unsent_bytes > 0 || next <= now ? now + RECHECK_NS : next);
}

static void run_open(double rate, double full) {
  interval_ns = 1e9 / rate;
  first = sent;
  began_ns = now_ns();
  samples_reset();
  window_answered = 0;
  uint64_t settled = (uint64_t)(SETTLE_NS / interval_ns), wanted = (uint64_t)((double)window_ns / interval_ns) + 1;
  window_first = first + settled;
  window_end = window_first + wanted;
  while (now_ns() < (uint64_t)due_ns(window_first)) send_what_is_due();
  say("WINDOW");
  uint64_t close = (uint64_t)due_ns(window_end), give_up = close + GRACE_NS;
  while (window_answered < wanted && now_ns() < give_up) send_what_is_due();
  uint64_t end = window_answered < wanted ? now_ns() : last_answer_ns;
  /* Those that never came back within the grace have taken at least until now. */
  for (uint64_t number = window_first + window_answered; number < window_end; number++) {
    samples_add((uint64_t)((double)end - due_ns(number)));
  }
  if (end < close) end = close;
  char more[96];
  snprintf(more, sizeof more, ",\"offeredPerSecond\":%.0f,\"fullPerSecond\":%.0f", rate, full);
  report_window(window_answered, window_answered * asked->bytes, end - (uint64_t)due_ns(window_first), more);
  window_end = window_first = 0;
}

/* The closed loop warms the server up and tells its full rate; the second half of it counts. */
static void measure(void) {
  uint64_t half = (warmup_ns > FULL_NS_MIN ? warmup_ns : FULL_NS_MIN) / 2;
  run_closed(now_ns() + half);
  double full = run_closed(now_ns() + half);
  drain();
  run_open(asked->rate_per_second > 0 ? asked->rate_per_second : asked->share * full, full);
}

static uint64_t stop(void) {
  drain();
  return answered;
}

void run_latency(const struct settings *settings) {
  asked = settings;
  frames = malloc(FRAMES_AT_A_TIME * FRAME_BYTES(settings->bytes));
  struct settings one = *settings;
  one.clients = 1;
  peer = open_peers(&one);
  serve(&(struct role){handle_events, measure, stop});
}
