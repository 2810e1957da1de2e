/*
 * The control thread: reads START, STOP and the end of stdin, and measures a receiver from outside by looking at
 * its counters, so that the measured loop itself holds no clock.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

atomic_bool control_running;

static sem_t started;
static struct counters *observed;
static bool meters, sends, self_metered;
static _Atomic uint64_t warmup, window;

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void fail(const char *what) {
  printf("FAILED %s: %s\n", what, zmq_strerror(errno));
  fflush(stdout);
  _exit(1);
}

static void sleep_ns(uint64_t ns) {
  struct timespec span = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  while (nanosleep(&span, &span) != 0 && errno == EINTR) continue;
}

static void measure(void) {
  uint64_t before = atomic_load(&observed->messages);
  while (atomic_load(&observed->messages) == before) sleep_ns(1000000);
  sleep_ns(warmup);
  puts("WINDOW");
  fflush(stdout);
  uint64_t began = now_ns(), messages = atomic_load(&observed->messages), bytes = atomic_load(&observed->bytes);
  sleep_ns(window);
  messages = atomic_load(&observed->messages) - messages;
  bytes = atomic_load(&observed->bytes) - bytes;
  double seconds = (double)(now_ns() - began) / 1e9;
  printf("RESULT {\"messages\":%llu,\"bytes\":%llu,\"seconds\":%.6f}\n", (unsigned long long)messages,
         (unsigned long long)bytes, seconds);
  fflush(stdout);
}

/* A receiver is stopped once nothing more arrives: its backlog must not run on into another's sample. */
static void wait_until_quiet(void) {
  uint64_t last;
  do {
    last = atomic_load(&observed->messages);
    sleep_ns(30000000);
  } while (atomic_load(&observed->messages) != last);
}

static void *control(void *unused) {
  (void)unused;
  char line[256];
  while (fgets(line, sizeof line, stdin) != NULL) {
    unsigned long long warmup_ms = 0, window_ms = 0;
    if (strncmp(line, "START", 5) == 0) {
      sscanf(line, "START %llu %llu", &warmup_ms, &window_ms);
      atomic_store(&warmup, warmup_ms * 1000000u);
      atomic_store(&window, window_ms * 1000000u);
      if (sends || self_metered) {
        atomic_store(&control_running, true);
        sem_post(&started);
      }
      if (meters) measure();
    } else if (strncmp(line, "STOP", 4) == 0) {
      atomic_store(&control_running, false);
      if (meters) wait_until_quiet();
      if (meters || !sends) {
        puts("STOPPED");
        fflush(stdout);
      }
    }
  }
  _exit(0);
}

void control_begin(const char *role, struct counters *counters) {
  observed = counters;
  sends = strcmp(role, "send") == 0 || strcmp(role, "both") == 0 || strcmp(role, "publish") == 0;
  meters = strcmp(role, "receive") == 0 || strcmp(role, "both") == 0;
  self_metered = strcmp(role, "ping") == 0;
  sem_init(&started, 0, 0);
  pthread_t thread;
  if (pthread_create(&thread, NULL, control, NULL) != 0) fail("pthread_create");
}

void control_wait_for_start(void) {
  while (sem_wait(&started) != 0) continue;
}

void control_windows(uint64_t *warmup_ns, uint64_t *window_ns) {
  *warmup_ns = atomic_load(&warmup);
  *window_ns = atomic_load(&window);
}
