// Repeated timings, printed as one JSON object per line.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static inline int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Prints the minimum, median and maximum of `count` timings (sorts them), with `labels` as further members.
static inline void print_timings(const char *name, const char *labels, double *ns, int count) {
  qsort(ns, (size_t)count, sizeof(double), compare_doubles);
  printf("{\"name\":\"%s\",%s,\"unit\":\"ns\",\"min\":%.1f,\"median\":%.1f,\"max\":%.1f,\"repetitions\":%d}\n",
         name, labels, ns[0], ns[count / 2], ns[count - 1], count);
  fflush(stdout);
}
