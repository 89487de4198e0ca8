// Vector arithmetic that Swift's SIMD types do not reach as single instructions.
//
// Each function exists for one double (d1), eight doubles (d8) and sixteen floats (f16); all are
// `static inline`, so that the Swift kernels that call them contain the instructions themselves.
#ifndef COSTATE_CLANES_H
#define COSTATE_CLANES_H

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

typedef double costate_d8 __attribute__((ext_vector_type(8)));
typedef float costate_f16 __attribute__((ext_vector_type(16)));

#define COSTATE_INLINE static inline __attribute__((always_inline, const))

// a * b + c as LLVM's fmuladd: a fused multiply-add where the target has one and a multiplication and an
// addition elsewhere, never a library call, and never torn apart again by the vectoriser.
#define COSTATE_DEFINE_MULTIPLY_ADD(T, suffix)                                \
  COSTATE_INLINE T costate_multiply_add_##suffix(T a, T b, T c) {             \
    _Pragma("clang fp contract(on)") return a * b + c;                      \
  }                                                                           \
  COSTATE_INLINE T costate_add_##suffix(T a, T b) { return a + b; }           \
  COSTATE_INLINE T costate_subtract_##suffix(T a, T b) { return a - b; }      \
  COSTATE_INLINE T costate_multiply_##suffix(T a, T b) { return a * b; }      \
  COSTATE_INLINE T costate_divide_##suffix(T a, T b) { return a / b; }        \
  COSTATE_INLINE T costate_negate_##suffix(T x) { return -x; }                \
  COSTATE_INLINE T costate_sqrt_##suffix(T x) { return __builtin_elementwise_sqrt(x); } \
  COSTATE_INLINE T costate_abs_##suffix(T x) { return __builtin_elementwise_abs(x); }

COSTATE_DEFINE_MULTIPLY_ADD(double, d1)
COSTATE_DEFINE_MULTIPLY_ADD(costate_d8, d8)
COSTATE_DEFINE_MULTIPLY_ADD(costate_f16, f16)

// Whether a mask, of lanes that are 0 or -1, has a lane set, and whether all are.
typedef long long costate_mask8 __attribute__((ext_vector_type(8)));
typedef int costate_mask16 __attribute__((ext_vector_type(16)));
COSTATE_INLINE _Bool costate_any_8(costate_mask8 mask) { return __builtin_reduce_or(mask) != 0; }
COSTATE_INLINE _Bool costate_all_8(costate_mask8 mask) { return __builtin_reduce_and(mask) != 0; }
COSTATE_INLINE _Bool costate_any_16(costate_mask16 mask) { return __builtin_reduce_or(mask) != 0; }
COSTATE_INLINE _Bool costate_all_16(costate_mask16 mask) { return __builtin_reduce_and(mask) != 0; }

// Asks for memory to be brought into the second-level cache.
static inline __attribute__((always_inline)) void costate_prefetch(const void *from, long bytes) {
  for (long i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)from + i, 0, 2);
}

// Tells the system, where it listens, that large pages suit this memory: fewer faults and fewer translations.
void costate_prefer_huge_pages(void *memory, long bytes);

#include "CLanesDecomposition.h"
#include "CLanesMath.h"
#include "CLanesPermute.h"
#include "CLanesProduct.h"
#include "CLanesReductions.h"
#include "CLanesStreaming.h"
#include "CLanesTranspose.h"

#pragma clang diagnostic pop
#endif
