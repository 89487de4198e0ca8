// Sums and extremes over the elements of a vector.
#ifndef COSTATE_CLANES_REDUCTIONS_H
#define COSTATE_CLANES_REDUCTIONS_H

// Numbers that were written one by one a moment ago: a wider read would wait until they have reached the cache. Of four the others mean
// nothing.
#define COSTATE_READ static inline __attribute__((always_inline))
COSTATE_READ costate_d8 costate_read4_d8(const double *place) {
  const volatile double *p = place;
  typedef __typeof__(((costate_d8)(0)).lo) costate_d4;
#if defined(__AVX__)
  // Each goes to all elements as it is read; moving it there later takes longer than the read.
  costate_d4 a = p[0], b = p[1], c = p[2], d = p[3];
  __asm__("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d));
  costate_d4 x = __builtin_shufflevector(__builtin_shufflevector(a, b, 0, 5, 2, 7),
                                         __builtin_shufflevector(c, d, 0, 1, 2, 7), 0, 1, 6, 7);
#else
  double a = p[0], b = p[1], c = p[2], d = p[3];
  costate_d4 x = {a, b, c, d};
#endif
  return __builtin_shufflevector(x, x, 0, 1, 2, 3, -1, -1, -1, -1);
}
COSTATE_READ costate_d8 costate_read8_d8(const double *place) {
  return __builtin_shufflevector(costate_read4_d8(place), costate_read4_d8(place + 4), 0, 1, 2, 3, 8, 9, 10,
                                 11);
}
#undef COSTATE_READ
// The sum of the first four elements, and of all.
COSTATE_INLINE double costate_sum4_d8(costate_d8 x) {
  costate_d2 y = x.lo.lo + x.lo.hi;
  return y.x + y.y;
}
COSTATE_INLINE double costate_sum8_d8(costate_d8 x) {
  return costate_sum4_d8(x + __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3));
}
// The sum of the eight elements, in every element.
COSTATE_INLINE costate_d8 costate_spread_sum_d8(costate_d8 x) {
  x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
  x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5);
  return x + __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
}
// The largest element, in every element; NaN is passed over where there are numbers.
COSTATE_INLINE costate_d8 costate_spread_max_d8(costate_d8 x) {
  x = __builtin_elementwise_max(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3));
  x = __builtin_elementwise_max(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5));
  return __builtin_elementwise_max(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6));
}
// The smallest element, likewise.
COSTATE_INLINE costate_d8 costate_spread_min_d8(costate_d8 x) {
  x = __builtin_elementwise_min(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3));
  x = __builtin_elementwise_min(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5));
  return __builtin_elementwise_min(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6));
}
// Element k is the sum of the elements of vector k.
COSTATE_INLINE costate_d8 costate_sums_d8(costate_d8 a, costate_d8 b, costate_d8 c, costate_d8 d, costate_d8 e,
                                          costate_d8 f, costate_d8 g, costate_d8 h) {
#define COSTATE_PAIRS(x, y)                                    \
  (__builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14) +  \
   __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15))
#define COSTATE_QUARTERS(x, y)                                 \
  (__builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13) +   \
   __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15))
  costate_d8 ab = COSTATE_PAIRS(a, b), cd = COSTATE_PAIRS(c, d);
  costate_d8 ef = COSTATE_PAIRS(e, f), gh = COSTATE_PAIRS(g, h);
  costate_d8 first = COSTATE_QUARTERS(ab, cd), last = COSTATE_QUARTERS(ef, gh);
  return __builtin_shufflevector(first, last, 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(first, last, 4, 5, 6, 7, 12, 13, 14, 15);
#undef COSTATE_PAIRS
#undef COSTATE_QUARTERS
}

#endif
