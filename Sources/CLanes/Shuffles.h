// Blocks of vectors transposed in registers.
#ifndef COSTATE_SHUFFLES_H
#define COSTATE_SHUFFLES_H

typedef float f16 __attribute__((ext_vector_type(16), aligned(4)));
typedef double d8 __attribute__((ext_vector_type(8), aligned(8)));

// B vectors of B numbers (16 floats or 8 doubles): interleaving row r with row r + B/2, log2(B) times over.
#define LOW_F(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_F(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_D(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_D(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define DEFINE_SHUFFLE(SUFFIX, V, B, LOG, LOW, HIGH)                         \
  static inline __attribute__((always_inline)) void shuffle_##SUFFIX(V *a) { \
    V b[B];                                                                  \
    for (int round = 0; round < LOG; round++) {                              \
      for (int r = 0; r < B / 2; r++) {                                      \
        b[2 * r] = LOW(a[r], a[r + B / 2]);                                  \
        b[2 * r + 1] = HIGH(a[r], a[r + B / 2]);                             \
      }                                                                      \
      for (int r = 0; r < B; r++) a[r] = b[r];                               \
    }                                                                        \
  }
DEFINE_SHUFFLE(f, f16, 16, 4, LOW_F, HIGH_F)
DEFINE_SHUFFLE(d, d8, 8, 3, LOW_D, HIGH_D)

#endif
