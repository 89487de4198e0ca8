// Memory that is written once, in order, in amounts larger than the caches.
#ifndef COSTATE_CLANES_STREAMING_H
#define COSTATE_CLANES_STREAMING_H

#include <stddef.h>

// Copies past the caches: lines are not read before they are written. The two must not overlap.
void costate_copy_streaming(const void *from, void *to, ptrdiff_t bytes);

// The same for whole lines: the target is aligned to one. The caller ends with costate_order_streamed.
static inline __attribute__((always_inline)) void costate_stream_lines(
    const void *from, void *to, ptrdiff_t bytes) {
  typedef float line __attribute__((ext_vector_type(16)));
  typedef float unaligned_line __attribute__((ext_vector_type(16), aligned(1)));
  for (ptrdiff_t at = 0; at < bytes; at += 64)
    __builtin_nontemporal_store(
        *(const unaligned_line *)((const char *)from + at), (line *)((char *)to + at));
}

// Streamed lines are not ordered with other stores: whoever is told that the work is done shall see them.
static inline __attribute__((always_inline)) void costate_order_streamed(void) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
