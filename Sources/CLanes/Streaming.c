#include "CLanesStreaming.h"

#include <string.h>

enum { LINE = 64 };

void costate_copy_streaming(const void *from, void *to, ptrdiff_t bytes) {
  const char *source = from;
  char *target = to;
  ptrdiff_t at = -(ptrdiff_t)target & (LINE - 1);
  if (at > bytes) at = bytes;
  memcpy(target, source, at);
  ptrdiff_t whole = (bytes - at) & -(ptrdiff_t)LINE;
  costate_stream_lines(source + at, target + at, whole);
  at += whole;
  memcpy(target + at, source + at, bytes - at);
  costate_order_streamed();
}
