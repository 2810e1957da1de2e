/*
 * Usage: load role=echo|latency|subscribe|connect endpoint=tcp://127.0.0.1:PORT bytes=N clients=N
 *             [rate=PER_SECOND | share=PART] [outstanding=N]
 *
 * It connects and says READY; START and STOP on stdin do the rest (bench/children/control.ts). STOPPED is followed by
 * the number of messages received, or of connections set up, since the beginning.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

static const char *value_of(const char *argument, const char *name) {
  size_t length = strlen(name);
  return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static struct settings parse(int count, char **arguments) {
  struct settings settings = {"", "", 64, 1, 0, 0, 128};
  for (int i = 1; i < count; i++) {
    const char *value;
    if ((value = value_of(arguments[i], "role"))) settings.role = value;
    if ((value = value_of(arguments[i], "endpoint"))) settings.endpoint = value;
    if ((value = value_of(arguments[i], "bytes"))) settings.bytes = strtoull(value, NULL, 10);
    if ((value = value_of(arguments[i], "clients"))) settings.clients = atoi(value);
    if ((value = value_of(arguments[i], "rate"))) settings.rate_per_second = atof(value);
    if ((value = value_of(arguments[i], "share"))) settings.share = atof(value);
    if ((value = value_of(arguments[i], "outstanding"))) settings.outstanding = atoi(value);
  }
  return settings;
}

int main(int count, char **arguments) {
  struct settings settings = parse(count, arguments);
  control_begin();
  if (settings.clients < 1) fail("clients must be at least 1");
  if (strcmp(settings.role, "connect") == 0) run_connect(&settings);
  if (settings.bytes < 8) fail("a body must have at least 8 bytes");
  if (strcmp(settings.role, "echo") == 0) run_echo(&settings);
  if (strcmp(settings.role, "subscribe") == 0) run_subscribe(&settings);
  if (strcmp(settings.role, "latency") == 0) {
    if ((settings.rate_per_second > 0) == (settings.share > 0)) fail("say either rate or share");
    run_latency(&settings);
  }
  fail("unknown role %s", settings.role);
}
