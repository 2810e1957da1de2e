/* Round trips, one in flight, with blocking calls: each is timed by itself. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define ROUND_TRIPS_MAX (1u << 21)

void echo_loop(void *socket) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  for (;;) {
    if (zmq_msg_recv(&message, socket, 0) < 0) fail("receive");
    if (zmq_msg_send(&message, socket, zmq_msg_more(&message) ? ZMQ_SNDMORE : 0) < 0) fail("send");
  }
}

static int ascending(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static double quantile_us(const uint32_t *samples, size_t count, double part) {
  return count == 0 ? 0 : samples[(size_t)((double)count * part)] / 1e3;
}

static void report(uint32_t *samples, size_t count, size_t bytes, uint64_t elapsed_ns) {
  qsort(samples, count, sizeof *samples, ascending);
  printf("RESULT {\"messages\":%zu,\"bytes\":%zu,\"seconds\":%.6f", count, count * bytes, (double)elapsed_ns / 1e9);
  printf(",\"p50Us\":%.2f,\"p99Us\":%.2f,\"p999Us\":%.2f}\n", quantile_us(samples, count, 0.5),
         quantile_us(samples, count, 0.99), quantile_us(samples, count, 0.999));
  fflush(stdout);
}

void ping_loop(void *socket, size_t bytes) {
  uint32_t *samples = malloc(ROUND_TRIPS_MAX * sizeof *samples);
  char *body = malloc(bytes);
  memset(body, 'h', bytes);
  zmq_msg_t reply;
  zmq_msg_init(&reply);
  for (;;) {
    control_wait_for_start();
    uint64_t warmup_ns, window_ns, began = now_ns(), opened = 0;
    control_windows(&warmup_ns, &window_ns);
    size_t count = 0;
    for (;;) {
      uint64_t sent = now_ns();
      if (zmq_send(socket, body, bytes, 0) < 0) fail("send");
      if (zmq_msg_recv(&reply, socket, 0) < 0) fail("receive");
      uint64_t received = now_ns();
      if (opened == 0) {
        if (received - began < warmup_ns) continue;
        opened = received;
        puts("WINDOW");
        fflush(stdout);
      } else {
        if (count < ROUND_TRIPS_MAX) samples[count++] = (uint32_t)(received - sent);
        if (received - opened >= window_ns) break;
      }
    }
    report(samples, count, bytes, now_ns() - opened);
  }
}
