/*
 * The libzmq twin of publisher.ts: the same XPUB, the same bursts, the same line protocol.
 * Usage: growth role=subscribers|topics bytes=N hwm=SUBSCRIPTIONS
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { BURST_SUBSCRIBERS = 64, DELIVERED = 32768, BURST_TOPICS = 16384, DIGITS = 7 };
static const char prefix[] = "sensor/";
enum { TOPIC_BYTES = sizeof prefix - 1 + DIGITS };

static void fail(const char *what) {
  printf("FAILED %s: %s\n", what, zmq_strerror(errno));
  fflush(stdout);
  _exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static long long resident_bytes(void) {
  long long size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%lld %lld", &size, &resident) != 2) fail("/proc/self/statm");
  fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

/* As topicWriter in bursts.ts. */
static void next_topic(char *body, uint32_t count) {
  static uint32_t state = 1;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  uint32_t number = state % count;
  for (int at = TOPIC_BYTES - 1; at >= (int)sizeof prefix - 1; at--) {
    body[at] = (char)('0' + number % 10);
    number /= 10;
  }
}

static void receive(void *socket) {
  char topic[64];
  while (zmq_recv(socket, topic, sizeof topic, 0) < 0) {
    if (errno != EINTR) fail("zmq_recv");
  }
}

static void run_burst(void *socket, char *body, size_t bytes, int burst, uint32_t topics) {
  for (int sent = 0; sent < burst; sent++) {
    if (topics > 0) next_topic(body, topics);
    if (zmq_send(socket, body, bytes, 0) < 0) fail("zmq_send");
  }
  receive(socket);
}

int main(int count, char **arguments) {
  int topics = 0, burst = BURST_SUBSCRIBERS;
  size_t bytes = 64;
  uint32_t expected = 1;
  for (int i = 1; i < count; i++) {
    if (strcmp(arguments[i], "role=topics") == 0) topics = 1;
    if (strncmp(arguments[i], "bytes=", 6) == 0) bytes = strtoul(arguments[i] + 6, NULL, 10);
    if (strncmp(arguments[i], "hwm=", 4) == 0) expected = (uint32_t)strtoul(arguments[i] + 4, NULL, 10);
  }
  int delivered = DELIVERED / (int)expected; /* as burstOf in bursts.ts */
  if (delivered > burst) burst = delivered;
  if (topics) {
    burst = BURST_TOPICS;
    bytes = TOPIC_BYTES;
  }
  uint32_t of = topics ? expected : 0;
  if (!topics) expected++; /* the subscription to everything is told once */
  void *context = zmq_ctx_new();
  zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 20000);
  void *socket = zmq_socket(context, ZMQ_XPUB);
  int none = 0;
  zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
  zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
  if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0) fail("zmq_bind");
  char endpoint[256];
  size_t length = sizeof endpoint;
  zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length);
  long long before = resident_bytes();
  printf("READY %d %s\n", (int)getpid(), endpoint);
  fflush(stdout);

  char line[256];
  double warmup_ms = 0, window_ms = 0;
  if (fgets(line, sizeof line, stdin) == NULL) return 0;
  sscanf(line, "START %lf %lf", &warmup_ms, &window_ms);
  for (uint32_t seen = 0; seen < expected; seen++) receive(socket);
  long long resident = resident_bytes();
  char *body = malloc(bytes < TOPIC_BYTES ? TOPIC_BYTES : bytes);
  memset(body, 'h', bytes);
  if (topics) memcpy(body, prefix, sizeof prefix - 1);
  for (double end = now() + warmup_ms / 1e3; now() < end;) run_burst(socket, body, bytes, burst, of);
  double cpu = cpu_seconds(), began = now();
  long long messages = 0;
  while (now() - began < window_ms / 1e3) {
    run_burst(socket, body, bytes, burst, of);
    messages += burst;
  }
  double seconds = now() - began;
  printf("RESULT {\"messages\":%lld,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"residentBytesBefore\":%lld,"
         "\"residentBytes\":%lld}\n", messages, seconds, cpu_seconds() - cpu, before, resident);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) continue;
  _exit(0);
}
