// Elementary functions on lanes: sin, cos, exp, log, tanh, acos, atan2, pow.
//
// The lane types share one text, CLanesElementary.h. Lanes that leave its range (huge angles, infinite
// operands) are computed one by one, in functions kept out of line.
#ifndef COSTATE_CLANES_MATH_H
#define COSTATE_CLANES_MATH_H
#include <math.h>

#include "CLanesCoefficients.h"

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__)
#define COSTATE_FUSED 1
#else
#define COSTATE_FUSED 0
#endif

#define COSTATE_JOIN_(a, b) a##b
#define COSTATE_JOIN(a, b) COSTATE_JOIN_(a, b)
#define COSTATE_FAR static __attribute__((noinline, cold, const, unused))

#define COSTATE_HORNER1(x, a) C(a)
#define COSTATE_HORNER2(x, a, b) MULTIPLY_ADD(x, C(b), C(a))
#define COSTATE_HORNER3(x, a, ...) MULTIPLY_ADD(x, COSTATE_HORNER2(x, __VA_ARGS__), C(a))
#define COSTATE_HORNER4(x, a, ...) MULTIPLY_ADD(x, COSTATE_HORNER3(x, __VA_ARGS__), C(a))
#define COSTATE_HORNER5(x, a, ...) MULTIPLY_ADD(x, COSTATE_HORNER4(x, __VA_ARGS__), C(a))
#define COSTATE_HORNER6(x, a, ...) MULTIPLY_ADD(x, COSTATE_HORNER5(x, __VA_ARGS__), C(a))
#define COSTATE_HORNER_OF(a, b, c, d, e, f, name, ...) name
#define COSTATE_HORNER(x, ...)                                                                     \
  COSTATE_HORNER_OF(__VA_ARGS__, COSTATE_HORNER6, COSTATE_HORNER5, COSTATE_HORNER4,                \
                    COSTATE_HORNER3, COSTATE_HORNER2, COSTATE_HORNER1, )(x, __VA_ARGS__)

// What a comparison of lanes gives: as wide as they are, all bits equal.
typedef __typeof__((costate_d8)(0) < (costate_d8)(0)) costate_l8;
typedef __typeof__((costate_f16)(0) < (costate_f16)(0)) costate_i16;
typedef unsigned long long costate_u8 __attribute__((ext_vector_type(8)));
typedef unsigned int costate_u16 __attribute__((ext_vector_type(16)));

// Reinterpretation, and the choice of a number by the lowest bit, written so that the sine and the cosine of
// one angle share most of it.
#define COSTATE_DEFINE_HELPERS(T, I, U, suffix)                                                    \
  COSTATE_INLINE U costate_bits_##suffix(T x) {                                                    \
    U bits;                                                                                        \
    __builtin_memcpy(&bits, &x, sizeof bits);                                                      \
    return bits;                                                                                   \
  }                                                                                                \
  COSTATE_INLINE T costate_number_##suffix(U bits) {                                               \
    T x;                                                                                           \
    __builtin_memcpy(&x, &bits, sizeof x);                                                         \
    return x;                                                                                      \
  }                                                                                                \
  COSTATE_INLINE T costate_choose_bit_##suffix(U bits, T odd, T even) {                            \
    U difference = costate_bits_##suffix(odd) ^ costate_bits_##suffix(even);                       \
    return costate_number_##suffix(costate_bits_##suffix(even) ^ (difference & (0 - (bits & 1)))); \
  }

COSTATE_DEFINE_HELPERS(double, int, unsigned long long, d1)
COSTATE_DEFINE_HELPERS(costate_d8, costate_l8, costate_u8, d8)
COSTATE_DEFINE_HELPERS(costate_f16, costate_i16, costate_u16, f16)

COSTATE_INLINE int costate_any_d1(int mask) { return mask; }
COSTATE_INLINE int costate_any_d8(costate_l8 mask) { return __builtin_reduce_or(mask) != 0; }
COSTATE_INLINE int costate_any_f16(costate_i16 mask) { return __builtin_reduce_or(mask) != 0; }

// a * b + c rounded once; and a - b * c where the difference of a and the rounded product is exact, without such
// an operation by Dekker's splitting.
#if COSTATE_FUSED
COSTATE_INLINE double costate_fused_d1(double a, double b, double c) { return __builtin_fma(a, b, c); }
COSTATE_INLINE costate_d8 costate_fused_d8(costate_d8 a, costate_d8 b, costate_d8 c) {
  return __builtin_elementwise_fma(a, b, c);
}
COSTATE_INLINE costate_f16 costate_fused_f16(costate_f16 a, costate_f16 b, costate_f16 c) {
  return __builtin_elementwise_fma(a, b, c);
}
#define COSTATE_DEFINE_SUBTRACT_PRODUCT(T, suffix)                                                 \
  COSTATE_INLINE T costate_subtract_product_##suffix(T a, T b, T c) {                              \
    return costate_fused_##suffix(-b, c, a);                                                       \
  }
#else
#define COSTATE_DEFINE_SUBTRACT_PRODUCT(T, suffix)                                                 \
  COSTATE_INLINE T costate_subtract_product_##suffix(T a, T b, T c) {                              \
    T b_split = b * (T)(0x1.0000002p27);                                                           \
    T b_high = b_split - (b_split - b);                                                            \
    T b_low = b - b_high;                                                                          \
    T c_split = c * (T)(0x1.0000002p27);                                                           \
    T c_high = c_split - (c_split - c);                                                            \
    T c_low = c - c_high;                                                                          \
    T product = b * c;                                                                             \
    T lost = ((b_high * c_high - product) + b_high * c_low + b_low * c_high) + b_low * c_low;      \
    return (a - product) - lost;                                                                   \
  }
#endif
COSTATE_DEFINE_SUBTRACT_PRODUCT(double, d1)
COSTATE_DEFINE_SUBTRACT_PRODUCT(costate_d8, d8)

// The lanes of `y` where the mask is true, replaced by values computed one by one.
COSTATE_FAR double costate_huge_sin(double x);
COSTATE_FAR double costate_huge_cos(double x);
#define COSTATE_DEFINE_FAR(T, I, suffix, count)                                                    \
  COSTATE_FAR T costate_sin_far_##suffix(T a, T y, I mask) {                                       \
    for (int i = 0; i < count; i++) if (mask[i]) y[i] = costate_huge_sin(a[i]);                               \
    return y;                                                                                      \
  }                                                                                                \
  COSTATE_FAR T costate_cos_far_##suffix(T a, T y, I mask) {                                       \
    for (int i = 0; i < count; i++) if (mask[i]) y[i] = costate_huge_cos(a[i]);                               \
    return y;                                                                                      \
  }                                                                                                \
  COSTATE_FAR T costate_atan2_far_##suffix(T y, T x, T angle, I mask) {                            \
    for (int i = 0; i < count; i++) if (mask[i]) angle[i] = atan2(y[i], x[i]);                     \
    return angle;                                                                                  \
  }                                                                                                \
  COSTATE_FAR T costate_pow_far_##suffix(T x, T y, T power, I mask) {                              \
    for (int i = 0; i < count; i++) if (mask[i]) power[i] = pow(x[i], y[i]);                       \
    return power;                                                                                  \
  }
COSTATE_DEFINE_FAR(costate_d8, costate_l8, d8, 8)
COSTATE_DEFINE_FAR(costate_f16, costate_i16, f16, 16)
COSTATE_FAR double costate_sin_far_d1(double a, double y, int mask) { return mask ? costate_huge_sin(a) : y; }
COSTATE_FAR double costate_cos_far_d1(double a, double y, int mask) { return mask ? costate_huge_cos(a) : y; }
COSTATE_FAR double costate_atan2_far_d1(double y, double x, double angle, int mask) {
  return mask ? atan2(y, x) : angle;
}

#define COSTATE_T double
#define COSTATE_I int
#define COSTATE_U unsigned long long
#define COSTATE_SUFFIX d1
#define COSTATE_LANES 1
#define COSTATE_WIDTH 64
#include "CLanesElementary.h"

#include "CLanesHugeAngle.h"

// One double alone: the library's table-driven functions are faster, and within 1 ulp.
COSTATE_INLINE double costate_log_d1(double x) { return log(x); }
COSTATE_INLINE double costate_pow_d1(double x, double y) { return pow(x, y); }

// x^a within 2 % for normal x > 0 and |a| <= 1/2: what the size of a step needs to be known to, in a fraction of the time of pow.
// The bits of a number are its logarithm to base 2, with the mantissa in place of the fraction; 2^f is a parabola.
#define COSTATE_DEFINE_ROUGH_POWER(T, I, suffix)                                                 \
  COSTATE_INLINE T costate_rough_power_##suffix(T x, double a) {                                 \
    _Pragma("clang fp contract(on)")                                                             \
    T t = __builtin_convertvector((I)x, T) * (a * 0x1p-52) - a * 1022.957;                       \
    T n = __builtin_elementwise_floor(t), f = t - n;                                             \
    T result = (n * 0x1p52 + 1023 * 0x1p52) + f * (0.6565 * 0x1p52 + 0.3435 * 0x1p52 * f);       \
    return (T)__builtin_convertvector(result, I);                                                \
  }
typedef double costate_d2 __attribute__((ext_vector_type(2)));
typedef long long costate_l2 __attribute__((ext_vector_type(2)));
COSTATE_DEFINE_ROUGH_POWER(costate_d2, costate_l2, d2)
COSTATE_DEFINE_ROUGH_POWER(costate_d8, costate_l8, d8)
// One of two: where there are conversions of vectors, numbers need not go through the other registers.
COSTATE_INLINE double costate_rough_power_d1(double x, double a) {
  costate_d2 pair = x;
#if defined(__AVX512DQ__) && defined(__AVX512VL__)
  __asm__("" : "+v"(pair));
  pair = costate_rough_power_d2(pair, a);
  __asm__("" : "+v"(pair));
#else
  pair = costate_rough_power_d2(pair, a);
#endif
  return pair.x;
}

#define COSTATE_T costate_d8
#define COSTATE_I costate_l8
#define COSTATE_U costate_u8
#define COSTATE_SUFFIX d8
#define COSTATE_LANES 8
#define COSTATE_WIDTH 64
#include "CLanesElementary.h"

#define COSTATE_T costate_f16
#define COSTATE_I costate_i16
#define COSTATE_U costate_u16
#define COSTATE_SUFFIX f16
#define COSTATE_LANES 16
#define COSTATE_WIDTH 32
#include "CLanesElementary.h"

// Powers of floats, eight at a time, in double: log2 and 2^x with errors of 2^-37 and 2^-29.
#define C(x) ((costate_d8)(x))
#define MULTIPLY_ADD costate_multiply_add_d8
COSTATE_INLINE costate_d8 costate_float_power_d8(costate_d8 x, costate_d8 y) {
  costate_u8 bits = costate_logarithm_bits_d8(costate_abs_d8(x));
  costate_d8 f = costate_logarithm_factor_d8(bits) - C(1.0);
  costate_d8 s = f / (C(2.0) + f);
  costate_d8 z = s * s;
  costate_d8 logarithm = MULTIPLY_ADD(
    s,
    MULTIPLY_ADD(
      z, COSTATE_HORNER(z * z, COSTATE_POWER_LOGARITHM_32_ODD),
      COSTATE_HORNER(z * z, COSTATE_POWER_LOGARITHM_32_EVEN)),
    costate_logarithm_exponent_d8(bits));
  costate_d8 e = y * logarithm;
  e = e > C(200.0) ? C(200.0) : e;
  e = e < C(-200.0) ? C(-200.0) : e;
  costate_d8 biased = e + C(0x1.8p52);
  costate_d8 r = e - (biased - C(0x1.8p52));
  costate_d8 power = MULTIPLY_ADD(
    r, COSTATE_HORNER(r * r, COSTATE_POWER_EXPONENTIAL_32_ODD),
    COSTATE_HORNER(r * r, COSTATE_POWER_EXPONENTIAL_32_EVEN));
  return power * costate_power_of_two_d8(biased);
}
#undef C
#undef MULTIPLY_ADD

COSTATE_INLINE costate_f16 costate_pow_f16(costate_f16 x, costate_f16 y) {
  costate_f16 power;
  power.lo = __builtin_convertvector(
    costate_float_power_d8(__builtin_convertvector(x.lo, costate_d8), __builtin_convertvector(y.lo, costate_d8)),
    __typeof__(power.lo));
  power.hi = __builtin_convertvector(
    costate_float_power_d8(__builtin_convertvector(x.hi, costate_d8), __builtin_convertvector(y.hi, costate_d8)),
    __typeof__(power.hi));
  return costate_pow_signed_f16(x, y, power);
}
#endif
