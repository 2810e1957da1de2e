/* The clock, the poll, and the line protocol of bench/children/control.ts on stdin and stdout. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

int poller;
uint64_t warmup_ns, window_ns;

enum command { COMMAND_NONE, COMMAND_START, COMMAND_STOP };
static enum command pending;
static char line[256];
static size_t line_bytes;

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void say(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vprintf(format, values);
  va_end(values);
  putchar('\n');
  fflush(stdout);
}

void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  printf("FAILED ");
  vprintf(format, values);
  va_end(values);
  putchar('\n');
  fflush(stdout);
  _exit(1);
}

void control_begin(void) {
  /* Sleeps end when they are asked to, not up to 50 us later. */
  prctl(PR_SET_TIMERSLACK, 1);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) fail("epoll_create1: %s", strerror(errno));
  fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) fail("stdin: %s", strerror(errno));
}

static void obey(const char *command) {
  unsigned long long warmup_ms = 0, window_ms = 0;
  if (strncmp(command, "START", 5) == 0) {
    sscanf(command, "START %llu %llu", &warmup_ms, &window_ms);
    warmup_ns = warmup_ms * 1000000u;
    window_ns = window_ms * 1000000u;
    pending = COMMAND_START;
  } else if (strncmp(command, "STOP", 4) == 0) {
    pending = COMMAND_STOP;
  }
}

static void read_commands(void) {
  char bytes[256];
  ssize_t got;
  while ((got = read(STDIN_FILENO, bytes, sizeof bytes)) > 0) {
    for (ssize_t i = 0; i < got; i++) {
      if (bytes[i] != '\n') {
        if (line_bytes < sizeof line - 1) line[line_bytes++] = bytes[i];
        continue;
      }
      line[line_bytes] = 0;
      line_bytes = 0;
      obey(line);
    }
  }
  if (got == 0) _exit(0);
}

int poll_events(struct epoll_event *events, int count, uint64_t until_ns) {
  struct timespec rest = {0, 0};
  /* A command that came while connections were opened must not wait for the next event. */
  bool at_once = pending != COMMAND_NONE;
  if (until_ns != 0 && !at_once) {
    uint64_t now = now_ns();
    uint64_t left = until_ns > now ? until_ns - now : 0;
    rest.tv_sec = (time_t)(left / 1000000000u);
    rest.tv_nsec = (long)(left % 1000000000u);
  }
  int got = epoll_pwait2(poller, events, count, until_ns == 0 && !at_once ? NULL : &rest, NULL);
  if (got < 0 && errno != EINTR) fail("epoll: %s", strerror(errno));
  int kept = 0;
  for (int i = 0; i < got; i++) {
    if (events[i].data.ptr == NULL) read_commands();
    else events[kept++] = events[i];
  }
  return kept;
}

void serve(const struct role *role) {
  say("READY %d", (int)getpid());
  for (;;) {
    role->handle_events(0);
    enum command taken = pending;
    pending = COMMAND_NONE;
    if (taken == COMMAND_START) role->measure();
    if (taken == COMMAND_STOP) say("STOPPED %llu", (unsigned long long)role->stop());
  }
}
