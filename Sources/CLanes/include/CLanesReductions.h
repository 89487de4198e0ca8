// Sums and extremes over the elements of a vector.
#ifndef COSTATE_CLANES_REDUCTIONS_H
#define COSTATE_CLANES_REDUCTIONS_H

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
