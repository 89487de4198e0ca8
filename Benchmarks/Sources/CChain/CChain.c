#include "CChain.h"

// Aligned like one number: the caller's arrays need not be aligned to a lane group.
typedef double double8 __attribute__((ext_vector_type(8), aligned(8)));
typedef float float16 __attribute__((ext_vector_type(16), aligned(4)));

#define DEFINE_CHAIN(name, S, T)                                                          \
  void name(long joints, const S *offsets, const S *turn_numbers, S *pose_numbers) {      \
    const T *turns = (const T *)turn_numbers;                                             \
    T *poses = (T *)pose_numbers;                                                         \
    T r[3][3], p[3];                                                                      \
    for (int row = 0; row < 3; row++) {                                                   \
      for (int column = 0; column < 3; column++) r[row][column] = (T)(row == column);     \
      p[row] = (T)0;                                                                      \
    }                                                                                     \
    for (long joint = 0; joint < joints; joint++) {                                       \
      const S *o = offsets + 12 * joint;                                                  \
      T cosine = turns[2 * joint], sine = turns[2 * joint + 1];                           \
      T *out = poses + 12 * joint;                                                        \
      for (int row = 0; row < 3; row++) {                                                 \
        T a = r[row][0], b = r[row][1], c = r[row][2];                                    \
        T x = a * o[0] + b * o[3] + c * o[6];                                             \
        T y = a * o[1] + b * o[4] + c * o[7];                                             \
        p[row] = p[row] + a * o[9] + b * o[10] + c * o[11];                               \
        r[row][2] = a * o[2] + b * o[5] + c * o[8];                                       \
        r[row][0] = x * cosine + y * sine;                                                \
        r[row][1] = y * cosine - x * sine;                                                \
        out[row] = r[row][0];                                                             \
        out[3 + row] = r[row][1];                                                         \
        out[6 + row] = r[row][2];                                                         \
        out[9 + row] = p[row];                                                            \
      }                                                                                   \
    }                                                                                     \
  }

DEFINE_CHAIN(chain_double, double, double)
DEFINE_CHAIN(chain_double8, double, double8)
DEFINE_CHAIN(chain_float16, float, float16)
