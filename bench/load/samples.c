/* Times of single messages, and what is reported of a window. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX (1u << 22)

static uint32_t *samples;
static size_t count;

void samples_reset(void) {
  if (samples == NULL) {
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    if (samples == NULL) fail("no memory for samples");
    /* Touched now, so that the window pays for no fresh page. */
    memset(samples, 1, SAMPLES_MAX * sizeof *samples);
  }
  count = 0;
}

void samples_add(uint64_t ns) {
  if (count < SAMPLES_MAX) samples[count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int ascending(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static double quantile_us(double part) {
  size_t at = (size_t)((double)count * part);
  return samples[at < count ? at : count - 1] / 1e3;
}

void report_window(uint64_t messages, uint64_t bytes, uint64_t elapsed_ns, const char *more) {
  char times[160] = "";
  if (count > 0) {
    qsort(samples, count, sizeof *samples, ascending);
    snprintf(times, sizeof times, ",\"p50Us\":%.2f,\"p99Us\":%.2f,\"p999Us\":%.2f,\"maxUs\":%.2f",
             quantile_us(0.5), quantile_us(0.99), quantile_us(0.999), samples[count - 1] / 1e3);
  }
  say("RESULT {\"messages\":%llu,\"bytes\":%llu,\"seconds\":%.6f%s%s}", (unsigned long long)messages,
      (unsigned long long)bytes, (double)elapsed_ns / 1e9, times, more);
}
