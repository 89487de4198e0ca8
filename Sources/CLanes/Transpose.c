#include "CLanesTranspose.h"
#include "Shuffles.h"

#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

// A block of B x B numbers (B = 16 floats or 8 doubles) is transposed in registers. Blocks at the edges use masked loads and stores where the machine has them.

// The first n numbers of a row; the rest of the vector is zero, and of memory untouched.
#ifdef __AVX512F__
static inline f16 load_some_f(const float *p, int n) {
  return (f16)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
static inline d8 load_some_d(const double *p, int n) {
  return (d8)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}
static inline void store_some_f(float *p, f16 v, int n) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
static inline void store_some_d(double *p, d8 v, int n) {
  _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
}
#else
#define DEFINE_SOME(SUFFIX, T, V)                                     \
  static inline V load_some_##SUFFIX(const T *p, int n) {             \
    V v = 0;                                                          \
    memcpy(&v, p, n * sizeof(T));                                     \
    return v;                                                         \
  }                                                                   \
  static inline void store_some_##SUFFIX(T *p, V v, int n) { memcpy(p, &v, n * sizeof(T)); }
DEFINE_SOME(f, float, f16)
DEFINE_SOME(d, double, d8)
#endif

#define DEFINE_TRANSPOSE(SUFFIX, T, V, B, LOG, LOW, HIGH)                                             \
  static inline void block_##SUFFIX(const T *from, ptrdiff_t from_stride, T *to, ptrdiff_t to_stride) { \
    V a[B];                                                                                           \
    for (int r = 0; r < B; r++) a[r] = *(const V *)(from + r * from_stride);                          \
    shuffle_##SUFFIX(a);                                                                              \
    for (int r = 0; r < B; r++) *(V *)(to + r * to_stride) = a[r];                                    \
  }                                                                                                   \
  static inline void edge_##SUFFIX(const T *from, int rows, int columns, ptrdiff_t from_stride,       \
                                   T *to, ptrdiff_t to_stride) {                                      \
    V a[B];                                                                                           \
    _Pragma("clang loop unroll(full)") for (int r = 0; r < B; r++)                                    \
      a[r] = r < rows ? load_some_##SUFFIX(from + r * from_stride, columns) : (V)0;                   \
    shuffle_##SUFFIX(a);                                                                              \
    _Pragma("clang loop unroll(full)") for (int r = 0; r < B; r++)                                    \
      if (r < columns) store_some_##SUFFIX(to + r * to_stride, a[r], rows);                           \
  }                                                                                                   \
  void costate_transpose_##SUFFIX(const T *from, ptrdiff_t rows, ptrdiff_t columns,                   \
                                  ptrdiff_t from_stride, T *to, ptrdiff_t to_stride) {                \
    if (from_stride == 3 && columns == 3 && B == 8) {                                                 \
      ptrdiff_t done = split_threes_##SUFFIX(from, rows, to, to_stride);                              \
      from += 3 * done, to += done, rows -= done;                                                     \
    }                                                                                                 \
    if (rows == 1 || columns == 1) {                                                                  \
      for (ptrdiff_t r = 0; r < rows; r++)                                                            \
        for (ptrdiff_t c = 0; c < columns; c++) to[c * to_stride + r] = from[r * from_stride + c];    \
      return;                                                                                         \
    }                                                                                                 \
    for (ptrdiff_t r = 0; r < rows; r += B) {                                                         \
      for (ptrdiff_t c = 0; c < columns; c += B) {                                                    \
        ptrdiff_t m = rows - r < B ? rows - r : B;                                                    \
        ptrdiff_t n = columns - c < B ? columns - c : B;                                              \
        const T *source = from + r * from_stride + c;                                                 \
        T *target = to + c * to_stride + r;                                                           \
        if (m == B && n == B)                                                                         \
          block_##SUFFIX(source, from_stride, target, to_stride);                                     \
        else                                                                                          \
          edge_##SUFFIX(source, (int)m, (int)n, from_stride, target, to_stride);                      \
      }                                                                                               \
    }                                                                                                 \
  }

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"
// Rows of three numbers that follow each other: each column in two selections from the three vectors of eight rows.
static inline ptrdiff_t split_threes_d(const double *from, ptrdiff_t rows, double *to, ptrdiff_t to_stride) {
  ptrdiff_t r = 0;
  for (; r + 8 <= rows; r += 8) {
    d8 x = *(const d8 *)(from + 3 * r), y = *(const d8 *)(from + 3 * r + 8), z = *(const d8 *)(from + 3 * r + 16);
    d8 a = __builtin_shufflevector(x, y, 0, 3, 6, 9, 12, 15, -1, -1);
    d8 b = __builtin_shufflevector(x, y, 1, 4, 7, 10, 13, -1, -1, -1);
    d8 c = __builtin_shufflevector(x, y, 2, 5, 8, 11, 14, -1, -1, -1);
    *(d8 *)(to + r) = __builtin_shufflevector(a, z, 0, 1, 2, 3, 4, 5, 10, 13);
    *(d8 *)(to + to_stride + r) = __builtin_shufflevector(b, z, 0, 1, 2, 3, 4, 8, 11, 14);
    *(d8 *)(to + 2 * to_stride + r) = __builtin_shufflevector(c, z, 0, 1, 2, 3, 4, 9, 12, 15);
  }
  return r;
}
static inline ptrdiff_t split_threes_f(const float *from, ptrdiff_t rows, float *to, ptrdiff_t to_stride) {
  (void)from, (void)rows, (void)to, (void)to_stride;
  return 0;
}

DEFINE_TRANSPOSE(f, float, f16, 16, 4, LOW_F, HIGH_F)
DEFINE_TRANSPOSE(d, double, d8, 8, 3, LOW_D, HIGH_D)

static inline ptrdiff_t join_threes(const double *const *from, ptrdiff_t rows, double *to) {
  ptrdiff_t r = 0;
  for (; r + 8 <= rows; r += 8) {
    d8 a = *(const d8 *)(from[0] + r), b = *(const d8 *)(from[1] + r), c = *(const d8 *)(from[2] + r);
    d8 x = __builtin_shufflevector(a, b, 0, 8, -1, 1, 9, -1, 2, 10);
    d8 y = __builtin_shufflevector(a, b, -1, 3, 11, -1, 4, 12, -1, 5);
    d8 z = __builtin_shufflevector(a, b, 13, -1, 6, 14, -1, 7, 15, -1);
    *(d8 *)(to + 3 * r) = __builtin_shufflevector(x, c, 0, 1, 8, 3, 4, 9, 6, 7);
    *(d8 *)(to + 3 * r + 8) = __builtin_shufflevector(y, c, 10, 1, 2, 11, 4, 5, 12, 7);
    *(d8 *)(to + 3 * r + 16) = __builtin_shufflevector(z, c, 0, 13, 2, 3, 14, 5, 6, 15);
  }
  return r;
}

// B rows at a time.
#define DEFINE_INTERLEAVE(SUFFIX, T, V, B)                                                            \
  static void interleave_##SUFFIX(const T *const *from, ptrdiff_t columns, ptrdiff_t rows, T *to,     \
                                  ptrdiff_t to_stride, ptrdiff_t r) {                                 \
    for (; r + B <= rows; r += B) {                                                                   \
      for (ptrdiff_t c = 0; c < columns; c += B) {                                                    \
        int n = columns - c < B ? (int)(columns - c) : B;                                             \
        V a[B];                                                                                       \
        _Pragma("clang loop unroll(full)") for (int k = 0; k < B; k++)                                \
          a[k] = k < n ? *(const V *)(from[c + k] + r) : (V)0;                                        \
        shuffle_##SUFFIX(a);                                                                          \
        _Pragma("clang loop unroll(full)") for (int k = 0; k < B; k++)                                \
          store_some_##SUFFIX(to + (r + k) * to_stride + c, a[k], n);                                 \
      }                                                                                               \
    }                                                                                                 \
    for (; r < rows; r++)                                                                             \
      for (ptrdiff_t c = 0; c < columns; c++) to[r * to_stride + c] = from[c][r];                     \
  }
DEFINE_INTERLEAVE(f, float, f16, 16)
DEFINE_INTERLEAVE(d, double, d8, 8)

void costate_interleave_f(const float *const *from, ptrdiff_t columns, ptrdiff_t rows, float *to,
                          ptrdiff_t to_stride) {
  interleave_f(from, columns, rows, to, to_stride, 0);
}
void costate_interleave_d(const double *const *from, ptrdiff_t columns, ptrdiff_t rows, double *to,
                          ptrdiff_t to_stride) {
  ptrdiff_t done = columns == 3 && to_stride == 3 ? join_threes(from, rows, to) : 0;
  interleave_d(from, columns, rows, to, to_stride, done);
}
#pragma clang diagnostic pop
