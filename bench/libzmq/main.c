/*
 * Usage: bench role=receive|send|both|echo|ping|publish|accept pattern=NAME endpoint=URL bytes=N hwm=N
 *              body=copy|allocate|reference
 *
 * receive, echo, publish and accept bind; send and ping connect; both holds sender and receiver in two threads over
 * inproc. publish says how many messages it has sent since it began, after STOPPED.
 */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

struct sender {
  void *socket;
  const struct pattern *pattern;
  const struct settings *settings;
  bool reports; /* says STOPPED by itself; with a receiver in the same process, the control thread does */
};

static const char *value_of(const char *argument, const char *name) {
  size_t length = strlen(name);
  return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static enum body_mode parse_body(const char *value) {
  if (strcmp(value, "copy") == 0) return BODY_COPY;
  if (strcmp(value, "allocate") == 0) return BODY_ALLOCATE;
  if (strcmp(value, "reference") == 0) return BODY_REFERENCE;
  fail("unknown body mode");
}

static struct settings parse(int count, char **arguments) {
  struct settings settings = {"", "push-pull", "tcp://127.0.0.1:*", 64, 1000, BODY_COPY};
  for (int i = 1; i < count; i++) {
    const char *value;
    if ((value = value_of(arguments[i], "role"))) settings.role = value;
    if ((value = value_of(arguments[i], "pattern"))) settings.pattern = value;
    if ((value = value_of(arguments[i], "endpoint"))) settings.endpoint = value;
    if ((value = value_of(arguments[i], "bytes"))) settings.bytes = strtoull(value, NULL, 10);
    if ((value = value_of(arguments[i], "hwm"))) settings.high_water_mark = atoi(value);
    if ((value = value_of(arguments[i], "body"))) settings.body = parse_body(value);
  }
  return settings;
}

static void *run_sender(void *argument) {
  struct sender *sender = argument;
  uint64_t sent = 0;
  for (;;) {
    control_wait_for_start();
    sent += send_loop(sender->socket, sender->pattern, sender->settings, &control_running);
    if (sender->reports) {
      printf("STOPPED %llu\n", (unsigned long long)sent);
      fflush(stdout);
    }
  }
  return NULL;
}

int main(int count, char **arguments) {
  struct settings settings = parse(count, arguments);
  struct counters counters = {0, 0};
  const struct pattern *pattern = find_pattern(settings.pattern);
  void *context = zmq_ctx_new();
  control_begin(settings.role, &counters);
  if (strcmp(settings.role, "version") == 0) {
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    printf("READY 0 %d.%d.%d\n", major, minor, patch);
  } else if (strcmp(settings.role, "receive") == 0) {
    void *receiver = open_receiver(context, pattern, &settings);
    print_ready(receiver);
    receive_loop(receiver, pattern, &counters);
  } else if (strcmp(settings.role, "send") == 0) {
    struct sender sender = {open_sender(context, pattern, &settings), pattern, &settings, true};
    print_ready(NULL);
    run_sender(&sender);
  } else if (strcmp(settings.role, "publish") == 0) {
    struct sender sender = {open_publisher(context, pattern, &settings), pattern, &settings, true};
    print_ready(sender.socket);
    run_sender(&sender);
  } else if (strcmp(settings.role, "accept") == 0) {
    void *receiver = open_receiver(context, pattern, &settings);
    print_ready(receiver);
    receive_loop(receiver, pattern, &counters);
  } else if (strcmp(settings.role, "both") == 0) {
    void *receiver = open_receiver(context, pattern, &settings);
    struct sender sender = {open_sender(context, pattern, &settings), pattern, &settings, false};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_sender, &sender) != 0) fail("pthread_create");
    print_ready(NULL);
    receive_loop(receiver, pattern, &counters);
  } else if (strcmp(settings.role, "echo") == 0) {
    void *socket = open_receiver(context, pattern, &settings);
    print_ready(socket);
    echo_loop(socket);
  } else if (strcmp(settings.role, "ping") == 0) {
    void *socket = open_sender(context, pattern, &settings);
    print_ready(NULL);
    ping_loop(socket, settings.bytes);
  } else {
    fail("unknown role");
  }
  return 0;
}
