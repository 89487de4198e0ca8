#include "CLanesStreaming.h"

#include <string.h>

enum { LINE = 64 };

void costate_copy_streaming(const void *from, void *to, ptrdiff_t bytes) {
  typedef float line __attribute__((ext_vector_type(16)));
  typedef float unaligned_line __attribute__((ext_vector_type(16), aligned(1)));
  const char *source = from;
  char *target = to;
  ptrdiff_t at = -(ptrdiff_t)target & (LINE - 1);
  if (at > bytes) at = bytes;
  memcpy(target, source, at);
  for (; at + LINE <= bytes; at += LINE)
    __builtin_nontemporal_store(*(const unaligned_line *)(source + at), (line *)(target + at));
  memcpy(target + at, source + at, bytes - at);
  // Such stores are not ordered with others: whoever is told that the work is done shall see them.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
