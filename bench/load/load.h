/*
 * The load of the benchmarks with many connections: one thread, one epoll, plain sockets that speak ZMTP 3.0 with
 * the NULL mechanism by themselves. hawser and libzmq meet the same program, so a ratio holds no client's speed.
 */
#ifndef HAWSER_BENCH_LOAD_H
#define HAWSER_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
  const char *role;
  const char *endpoint;
  size_t bytes;             /* of a body, at least 8: it begins with its number */
  int clients;              /* connections; with role=connect: attempts at a time */
  double rate_per_second;   /* role=latency: of sending; 0: `share` counts */
  double share;             /* role=latency: of the rate that a full window of messages reaches */
  int outstanding;          /* role=latency: that window */
};

enum peer_state { PEER_CONNECTING, PEER_GREETING, PEER_READY, PEER_OPEN };

#define GREETING_BYTES 64
#define HEADER_BYTES_MAX 9

struct peer {
  int descriptor;
  enum peer_state state;
  unsigned char greeting[GREETING_BYTES];
  unsigned char header[HEADER_BYTES_MAX];
  size_t have;              /* bytes of the greeting, or of a header that was cut */
  uint64_t body_left;       /* of the frame that is being read */
  uint64_t body_read;
  unsigned char flags;
  unsigned char prefix[8];  /* the first bytes of the body: its number */
  char *unsent;             /* what the socket did not take */
  size_t unsent_bytes;
  uint64_t messages;        /* whole messages received */
  uint64_t sent_ns;
  uint64_t next_number;
};

/* Called for every whole message. `number` is its first eight bytes, little-endian; 0 if it is shorter. */
typedef void (*message_handler)(struct peer *peer, uint64_t number, uint64_t bytes);

/* peer.c */
extern const char *peer_type;
void peer_start(struct peer *peer, const struct settings *settings);
void peer_close(struct peer *peer);
/* Goes on with whatever the socket allows. False where a handshake is not over yet. */
bool peer_handle(struct peer *peer, uint32_t events, message_handler handle);
void peer_send(struct peer *peer, const char *bytes, size_t count);
bool peer_flush(struct peer *peer);
struct peer *open_peers(const struct settings *settings);
size_t encode_frame(char *into, uint64_t number, size_t body_bytes);
#define FRAME_BYTES(body) ((body) + HEADER_BYTES_MAX)

/* control.c */
extern int poller;
extern uint64_t warmup_ns, window_ns;
uint64_t now_ns(void);
_Noreturn void fail(const char *format, ...);
void control_begin(void);
/* Events of the next moment, at most until `until_ns` (0: however long it takes). Commands are kept for the loop. */
struct epoll_event;
int poll_events(struct epoll_event *events, int count, uint64_t until_ns);
/* What a role does on the commands of the benchmark. */
struct role {
  void (*handle_events)(uint64_t until_ns);
  void (*measure)(void);
  /* Stops, and returns what is counted since the beginning. */
  uint64_t (*stop)(void);
};
/* Says READY and obeys commands for ever. */
_Noreturn void serve(const struct role *role);
void say(const char *format, ...);

/* samples.c */
void samples_reset(void);
void samples_add(uint64_t ns);
void report_window(uint64_t messages, uint64_t bytes, uint64_t elapsed_ns, const char *more);

/* The roles: none of them returns. */
_Noreturn void run_echo(const struct settings *settings);
_Noreturn void run_latency(const struct settings *settings);
_Noreturn void run_subscribe(const struct settings *settings);
_Noreturn void run_connect(const struct settings *settings);

#endif
