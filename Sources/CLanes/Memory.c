#include "CLanes.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

void costate_prefer_huge_pages(void *memory, long bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // A hint: without it everything works the same.
  madvise(memory, (size_t)bytes, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)bytes;
#endif
}
