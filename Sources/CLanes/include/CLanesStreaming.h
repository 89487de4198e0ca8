// Memory that is written once, in order, in amounts larger than the caches.
#ifndef COSTATE_CLANES_STREAMING_H
#define COSTATE_CLANES_STREAMING_H

#include <stddef.h>

// Copies past the caches: lines are not read before they are written. The two must not overlap.
void costate_copy_streaming(const void *from, void *to, ptrdiff_t bytes);

#endif
