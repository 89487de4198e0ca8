// Elementary functions on lanes.
#ifndef COSTATE_CLANES_MATH_H
#define COSTATE_CLANES_MATH_H
#include <math.h>

#define COSTATE_UNARY(name, d, f)                                             \
  COSTATE_INLINE double costate_##name##_d1(double x) { return d(x); }        \
  COSTATE_INLINE costate_d8 costate_##name##_d8(costate_d8 x) {               \
    costate_d8 y;                                                             \
    for (int i = 0; i < 8; i++) y[i] = d(x[i]);                               \
    return y;                                                                 \
  }                                                                           \
  COSTATE_INLINE costate_f16 costate_##name##_f16(costate_f16 x) {            \
    costate_f16 y;                                                            \
    for (int i = 0; i < 16; i++) y[i] = f(x[i]);                              \
    return y;                                                                 \
  }
#define COSTATE_BINARY(name, d, f)                                            \
  COSTATE_INLINE double costate_##name##_d1(double a, double b) { return d(a, b); } \
  COSTATE_INLINE costate_d8 costate_##name##_d8(costate_d8 a, costate_d8 b) { \
    costate_d8 y;                                                             \
    for (int i = 0; i < 8; i++) y[i] = d(a[i], b[i]);                         \
    return y;                                                                 \
  }                                                                           \
  COSTATE_INLINE costate_f16 costate_##name##_f16(costate_f16 a, costate_f16 b) { \
    costate_f16 y;                                                            \
    for (int i = 0; i < 16; i++) y[i] = f(a[i], b[i]);                        \
    return y;                                                                 \
  }

COSTATE_UNARY(sin, sin, sinf)
COSTATE_UNARY(cos, cos, cosf)
COSTATE_UNARY(exp, exp, expf)
COSTATE_UNARY(log, log, logf)
COSTATE_UNARY(tanh, tanh, tanhf)
COSTATE_UNARY(acos, acos, acosf)
COSTATE_BINARY(atan2, atan2, atan2f)
COSTATE_BINARY(pow, pow, powf)
#endif
