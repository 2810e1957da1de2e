/*
 * The libzmq side of the socket benchmark: one small program that speaks the same line protocol as the
 * JavaScript children (bench/children/control.ts), so that the harness treats both alike.
 */
#ifndef HAWSER_BENCH_H
#define HAWSER_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the sender hands a body over. */
enum body_mode {
  BODY_COPY,      /* zmq_send: libzmq allocates and copies */
  BODY_ALLOCATE,  /* zmq_msg_init_size: allocates, contents left as they are (libzmq's own perf programs) */
  BODY_REFERENCE, /* zmq_msg_init_data: one constant body, neither allocated nor copied */
};

struct settings {
  const char *role;
  const char *pattern;
  const char *endpoint;
  size_t bytes;
  int high_water_mark;
  enum body_mode body;
};

struct pattern {
  const char *name;
  int sender_type;
  int receiver_type;
  bool routed;        /* the sender is a ROUTER and names its receiver in a first frame */
  bool polls;         /* the receiver waits in zmq_poll and then takes all there is */
};

/* What a receiving loop publishes for the meter, which runs in the control thread. */
struct counters {
  _Atomic uint64_t messages;
  _Atomic uint64_t bytes;
};

/* patterns.c */
const struct pattern *find_pattern(const char *name);
void *open_sender(void *context, const struct pattern *pattern, const struct settings *settings);
void *open_receiver(void *context, const struct pattern *pattern, const struct settings *settings);
void print_ready(void *socket);
void *open_publisher(void *context, const struct pattern *pattern, const struct settings *settings);
/* Answers how many it sent. */
uint64_t send_loop(void *socket, const struct pattern *pattern, const struct settings *settings,
                   const atomic_bool *running);
void receive_loop(void *socket, const struct pattern *pattern, struct counters *counters);

/* control.c */
extern atomic_bool control_running;
void control_begin(const char *role, struct counters *counters);
void control_wait_for_start(void);
void control_windows(uint64_t *warmup_ns, uint64_t *window_ns);
uint64_t now_ns(void);
_Noreturn void fail(const char *what);

/* latency.c */
void echo_loop(void *socket);
void ping_loop(void *socket, size_t bytes);

#endif
