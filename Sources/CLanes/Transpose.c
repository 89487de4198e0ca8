#include "CLanesTranspose.h"

#include <string.h>

// A block of B x B numbers (B = 16 floats or 8 doubles) is transposed in registers: interleaving row r with
// row r + B/2, log2(B) times over. Blocks at the edges go through a buffer.

typedef float f16 __attribute__((ext_vector_type(16), aligned(4)));
typedef double d8 __attribute__((ext_vector_type(8), aligned(8)));

#define LOW_F(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_F(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_D(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_D(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)

#define DEFINE_TRANSPOSE(SUFFIX, T, V, B, LOG, LOW, HIGH)                                             \
  static inline void block_##SUFFIX(const T *from, ptrdiff_t from_stride, T *to, ptrdiff_t to_stride) { \
    V a[B], b[B];                                                                                     \
    for (int r = 0; r < B; r++) a[r] = *(const V *)(from + r * from_stride);                          \
    for (int round = 0; round < LOG; round++) {                                                       \
      for (int r = 0; r < B / 2; r++) {                                                               \
        b[2 * r] = LOW(a[r], a[r + B / 2]);                                                           \
        b[2 * r + 1] = HIGH(a[r], a[r + B / 2]);                                                      \
      }                                                                                               \
      for (int r = 0; r < B; r++) a[r] = b[r];                                                        \
    }                                                                                                 \
    for (int r = 0; r < B; r++) *(V *)(to + r * to_stride) = a[r];                                    \
  }                                                                                                   \
  static void edge_##SUFFIX(const T *from, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t from_stride,  \
                            T *to, ptrdiff_t to_stride) {                                             \
    T in[B * B], out[B * B];                                                                          \
    for (ptrdiff_t r = 0; r < B; r++) {                                                               \
      if (r < rows) {                                                                                 \
        memcpy(in + r * B, from + r * from_stride, columns * sizeof(T));                              \
        memset(in + r * B + columns, 0, (B - columns) * sizeof(T));                                   \
      } else {                                                                                        \
        memset(in + r * B, 0, B * sizeof(T));                                                         \
      }                                                                                               \
    }                                                                                                 \
    block_##SUFFIX(in, B, out, B);                                                                    \
    for (ptrdiff_t c = 0; c < columns; c++)                                                           \
      memcpy(to + c * to_stride, out + c * B, rows * sizeof(T));                                      \
  }                                                                                                   \
  void costate_transpose_##SUFFIX(const T *from, ptrdiff_t rows, ptrdiff_t columns,                   \
                                  ptrdiff_t from_stride, T *to, ptrdiff_t to_stride) {                \
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
          edge_##SUFFIX(source, m, n, from_stride, target, to_stride);                                \
      }                                                                                               \
    }                                                                                                 \
  }

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"
DEFINE_TRANSPOSE(f, float, f16, 16, 4, LOW_F, HIGH_F)
DEFINE_TRANSPOSE(d, double, d8, 8, 3, LOW_D, HIGH_D)
#pragma clang diagnostic pop
