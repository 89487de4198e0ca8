#include "CLanes.h"

void costate_gather_d(double *numbers, const costate_gathering *g, ptrdiff_t count) {
  for (ptrdiff_t v = 0; v < count; v++) {
    const uint32_t *p = g[v].place;
    double a = numbers[p[0]], b = numbers[p[1]], c = numbers[p[2]], d = numbers[p[3]];
    double e = numbers[p[4]], f = numbers[p[5]], h = numbers[p[6]], i = numbers[p[7]];
    __builtin_memcpy(numbers + g[v].target, &(costate_d8){a, b, c, d, e, f, h, i}, 64);
  }
}

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>

static inline __m512i lanes(const costate_permutation *p) {
  return _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)p->lane));
}
static inline __m512d pair(const double *from, uint32_t first, __m512i lane, uint32_t second) {
  return _mm512_permutex2var_pd(_mm512_loadu_pd(from + first), lane, _mm512_loadu_pd(from + second));
}
void costate_permute_two_d(double *numbers, const costate_permutation *p, ptrdiff_t count) {
  for (ptrdiff_t v = 0; v < count; v++)
    _mm512_storeu_pd(numbers + p[v].target, pair(numbers, p[v].window[0], lanes(p + v), p[v].window[1]));
}
void costate_permute_four_d(double *numbers, const costate_permutation *p, ptrdiff_t count) {
  for (ptrdiff_t v = 0; v < count; v++) {
    __m512i lane = lanes(p + v);
    __m512d low = pair(numbers, p[v].window[0], lane, p[v].window[1]);
    __m512d high = pair(numbers, p[v].window[2], lane, p[v].window[3]);
    __mmask8 isHigh = _mm512_cmpge_epi64_mask(lane, _mm512_set1_epi64(16));
    _mm512_storeu_pd(numbers + p[v].target, _mm512_mask_mov_pd(low, isHigh, high));
  }
}
#else
void costate_permute_four_d(double *numbers, const costate_permutation *p, ptrdiff_t count) {
  for (ptrdiff_t v = 0; v < count; v++)
    for (int k = 0; k < 8; k++) {
      int lane = p[v].lane[k];
      numbers[p[v].target + k] = numbers[p[v].window[lane / 8] + lane % 8];
    }
}
void costate_permute_two_d(double *numbers, const costate_permutation *p, ptrdiff_t count) {
  costate_permute_four_d(numbers, p, count);
}
#endif
