#include "CLanes.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>

static inline __m512i lanes(const costate_permutation *p) {
  return _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)p->lane));
}
static inline __m512d pair(const double *from, uint32_t first, __m512i lane, uint32_t second) {
  return _mm512_permutex2var_pd(_mm512_loadu_pd(from + first), lane, _mm512_loadu_pd(from + second));
}
void costate_permute_two_d(const double *from, const costate_permutation *p, ptrdiff_t count, double *to) {
  for (ptrdiff_t v = 0; v < count; v++)
    _mm512_storeu_pd(to + 8 * v, pair(from, p[v].window[0], lanes(p + v), p[v].window[1]));
}
void costate_permute_four_d(const double *from, const costate_permutation *p, ptrdiff_t count, double *to) {
  for (ptrdiff_t v = 0; v < count; v++) {
    __m512i lane = lanes(p + v);
    __m512d low = pair(from, p[v].window[0], lane, p[v].window[1]);
    __m512d high = pair(from, p[v].window[2], lane, p[v].window[3]);
    __mmask8 isHigh = _mm512_cmpge_epi64_mask(lane, _mm512_set1_epi64(16));
    _mm512_storeu_pd(to + 8 * v, _mm512_mask_mov_pd(low, isHigh, high));
  }
}
#else
void costate_permute_four_d(const double *from, const costate_permutation *p, ptrdiff_t count, double *to) {
  for (ptrdiff_t v = 0; v < count; v++)
    for (int k = 0; k < 8; k++) {
      int lane = p[v].lane[k];
      to[8 * v + k] = from[p[v].window[lane / 8] + lane % 8];
    }
}
void costate_permute_two_d(const double *from, const costate_permutation *p, ptrdiff_t count, double *to) {
  costate_permute_four_d(from, p, count, to);
}
#endif
