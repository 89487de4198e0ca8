#include "CLanesDecomposition.h"
#include "Shuffles.h"

#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

// Rows are eliminated one after the other, from those below them. The pivot of a row is its largest number: columns stand still, and a mask
// says which of them have had no pivot. The numbers of a column that has had one are of L and not touched any more.
//
// Two rows are eliminated at once, so that those below are read and written half as often. The search for a pivot is a chain of dependent
// instructions: several matrices are worked on at the same time.

enum { MATRICES = 8, LARGEST = 8 };

#define INLINE static inline __attribute__((always_inline))
// All of these are inlined: how vectors would be passed does not matter.
#pragma clang diagnostic ignored "-Wpsabi"
// V vectors of a row, in registers.
#define EACH(v) _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++)

#ifdef __AVX512F__
// x in some lanes, zero in the others.
INLINE d8 keep(uint64_t lanes, d8 x) { return (d8)_mm512_maskz_mov_pd((__mmask8)lanes, (__m512d)x); }
// x in some lanes, y in the others.
INLINE d8 choose(uint64_t lanes, d8 x, d8 y) { return (d8)_mm512_mask_mov_pd((__m512d)y, (__mmask8)lanes, (__m512d)x); }
// A number in every lane, by its load: left alone, the compiler computes with one lane and spreads the result.
INLINE d8 everywhere(const double *number) {
  d8 x = *number;
  __asm__("" : "+v"(x));
  return x;
}
typedef __m512i Place;
// The place of the largest number in the lanes that count, in every lane.
INLINE Place largest(const d8 *x, uint64_t lanes, int V) {
  // The place stands in the last bits of the absolute value, compared as an integer: what is not finite is the largest, and becomes a
  // pivot that shows it.
  const __m512i bits = _mm512_set1_epi64(0x7fffffffffffffc0ll), places = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
  __m512i most = _mm512_setzero_si512();
  EACH(v) {
    __m512i key = _mm512_maskz_ternarylogic_epi64((__mmask8)(lanes >> 8 * v), (__m512i)x[v], bits,
                                                  _mm512_add_epi64(places, _mm512_set1_epi64(8 * v)), 0xEA);
    most = v == 0 ? key : _mm512_max_epi64(most, key);
  }
  most = _mm512_max_epi64(most, _mm512_shuffle_i64x2(most, most, 0x4e));
  most = _mm512_max_epi64(most, _mm512_shuffle_i64x2(most, most, 0xb1));
  most = _mm512_max_epi64(most, _mm512_shuffle_epi32(most, _MM_PERM_BADC));
  return _mm512_and_si512(most, _mm512_set1_epi64(63));
}
INLINE int number_of(Place place) { return _mm_cvtsi128_si32(_mm512_castsi512_si128(place)); }
// The number in a place of a row, in every lane.
INLINE d8 pick(const d8 *x, Place place, int V) {
  if (V == 1) return (d8)_mm512_permutexvar_pd(place, (__m512d)x[0]);
  __m512d y = _mm512_permutex2var_pd((__m512d)x[0], place, (__m512d)x[1]);
  _Pragma("clang loop unroll(full)") for (int s = 2; s < V; s += 2) {
    __m512d other = s + 1 < V ? _mm512_permutex2var_pd((__m512d)x[s], place, (__m512d)x[s + 1])
                              : _mm512_permutexvar_pd(place, (__m512d)x[s]);
    __mmask8 is_there = _mm512_cmpeq_epi64_mask(_mm512_srli_epi64(place, 4), _mm512_set1_epi64(s / 2));
    y = _mm512_mask_mov_pd(y, is_there, other);
  }
  return (d8)y;
}
// Some numbers of a row, eight of its places.
INLINE d8 gather(const d8 *x, const int32_t *places, int V) {
  return pick(x, _mm512_cvtepi32_epi64(_mm256_load_si256((const __m256i *)places)), V);
}
#else
INLINE d8 everywhere(const double *number) { return *number; }
typedef int Place;
INLINE d8 choose(uint64_t lanes, d8 x, d8 y) {
  for (int lane = 0; lane < 8; lane++) y[lane] = lanes >> lane & 1 ? x[lane] : y[lane];
  return y;
}
INLINE d8 keep(uint64_t lanes, d8 x) { return choose(lanes, x, (d8)0); }
INLINE Place largest(const d8 *x, uint64_t lanes, int V) {
  double numbers[8 * LARGEST], most = -1;
  memcpy(numbers, x, V * sizeof(d8));
  Place best = __builtin_ctzll(lanes);
  for (int i = 0; i < 8 * V; i++) {
    double size = __builtin_fabs(numbers[i]);
    // Not smaller or not a number, which shows in the pivot.
    if (lanes >> i & 1 && !(size <= most)) most = size, best = i;
  }
  return best;
}
INLINE int number_of(Place place) { return place; }
INLINE d8 pick(const d8 *x, Place place, int V) {
  (void)V;
  return (d8)x[place / 8][place % 8];
}
INLINE d8 gather(const d8 *x, const int32_t *places, int V) {
  (void)V;
  d8 y;
  for (int lane = 0; lane < 8; lane++) y[lane] = x[places[lane] / 8][places[lane] % 8];
  return y;
}
#endif

// The pivot of a row: its place leaves the lanes, and behind it the row becomes one of U.
INLINE Place take_pivot(const d8 *x, double *row, uint64_t *lanes, d8 *u, int32_t *order, int V) {
  Place place = largest(x, *lanes, V);
  *order = number_of(place);
  *lanes &= ~(1ull << *order);
  d8 inverse = 1 / pick(x, place, V);
  EACH(v) {
    u[v] = keep(*lanes >> 8 * v, x[v] * inverse);
    ((d8 *)row)[v] = choose(*lanes >> 8 * v, u[v], x[v]);
  }
  return place;
}

// `together` matrices of rows of 8 V numbers.
INLINE void decompose(double *rows, ptrdiff_t n, int together, int32_t *order, const double *ahead, int V) {
  const ptrdiff_t width = 8 * V, size = n * width;
  struct {
    d8 u1[LARGEST], u2[LARGEST];
    uint64_t lanes;
  } states[MATRICES];
  for (int g = 0; g < together; g++) states[g].lanes = ~0ull >> (64 - n);
  ptrdiff_t k = 0;
  for (; k + 1 < n; k += 2) {
    for (int g = 0; g < together; g++) {
      double *row = rows + g * size + k * width, *next = row + width;
      d8 x[LARGEST], u[LARGEST];
      EACH(v) x[v] = ((d8 *)row)[v];
      Place first = take_pivot(x, row, &states[g].lanes, u, &order[k * MATRICES + g], V);
      d8 z[LARGEST];
      EACH(v) z[v] = ((d8 *)next)[v];
      d8 factor = pick(z, first, V);
      EACH(v) {
        states[g].u1[v] = u[v];
        x[v] = z[v] - factor * u[v];
      }
      take_pivot(x, next, &states[g].lanes, u, &order[(k + 1) * MATRICES + g], V);
      EACH(v) states[g].u2[v] = u[v];
    }
    for (int g = 0; g < together; g++) {
      d8 u1[LARGEST], u2[LARGEST];
      EACH(v) u1[v] = states[g].u1[v], u2[v] = states[g].u2[v];
      const int first = order[k * MATRICES + g], second = order[(k + 1) * MATRICES + g];
      // What the first row does to the second's column.
      const d8 between = ((double *)states[g].u1)[second];
      double *row = rows + g * size + (k + 2) * width;
      const char *soon = (const char *)(ahead + (g * n + k) * n);
      for (ptrdiff_t byte = 0; byte < 2 * n * (ptrdiff_t)sizeof(double); byte += 64) __builtin_prefetch(soon + byte, 0, 2);
      for (ptrdiff_t i = k + 2; i < n; i++, row += width) {
        d8 factor1 = row[first], factor2 = everywhere(row + second) - factor1 * between;
        EACH(v) ((d8 *)row)[v] = (((d8 *)row)[v] - factor1 * u1[v]) - factor2 * u2[v];
      }
    }
  }
  if (k < n)
    for (int g = 0; g < together; g++) order[k * MATRICES + g] = __builtin_ctzll(states[g].lanes);
}

// Copies rows to places of whole vectors; true if all numbers are finite.
INLINE bool spread(const double *matrices, ptrdiff_t n, ptrdiff_t count, double *rows, int V) {
  const ptrdiff_t width = 8 * V;
  d8 sum[2] = {0, 0};
  for (ptrdiff_t g = 0; g < MATRICES; g++) {
    const double *row = matrices + (g < count ? g : count - 1) * n * n;
    for (ptrdiff_t i = 0; i < n; i++, row += n, rows += width) {
      EACH(v) {
        d8 x = 0;
        if (8 * v + 8 <= n)
          x = *(const d8 *)(row + 8 * v);
        else
#ifdef __AVX512F__
          x = (d8)_mm512_maskz_loadu_pd((__mmask8)((1u << (n - 8 * v)) - 1), row + 8 * v);
#else
          memcpy(&x, row + 8 * v, (n - 8 * v) * sizeof(double));
#endif
        ((d8 *)rows)[v] = x;
        // Zero times what is not finite is not a number.
        sum[v % 2] += x * 0;
      }
    }
  }
  d8 all = sum[0] + sum[1];
  return __builtin_reduce_and(all == 0);
}

// Rows in the order of their pivots, eight matrices in the lanes of a vector.
INLINE void collect(const double *rows, ptrdiff_t n, const int32_t *order, double *factors, int V) {
  const ptrdiff_t width = 8 * V, size = n * width;
  int32_t places[MATRICES][8 * LARGEST] __attribute__((aligned(64)));
  for (ptrdiff_t g = 0; g < MATRICES; g++)
    for (ptrdiff_t k = 0; k < width; k++) places[g][k] = k < n ? order[k * MATRICES + g] : 0;
  for (ptrdiff_t i = 0; i < n; i++, rows += width) {
    for (ptrdiff_t c = 0; c < n; c += 8) {
      d8 block[MATRICES];
      _Pragma("clang loop unroll(full)") for (int g = 0; g < MATRICES; g++) {
        d8 x[LARGEST];
        EACH(v) x[v] = ((const d8 *)(rows + g * size))[v];
        block[g] = gather(x, &places[g][c], V);
      }
      shuffle_d(block);
      _Pragma("clang loop unroll(full)") for (int k = 0; k < 8; k++)
        if (c + k < n) ((d8 *)factors)[i * n + c + k] = block[k];
    }
  }
}

INLINE bool decompose_rows(const double *matrices, ptrdiff_t n, ptrdiff_t count, const double *ahead, double *memory,
                           double *factors, int32_t *order, int together, int V) {
  bool is_finite = spread(matrices, n, count, memory, V);
  for (int g = 0; g < MATRICES; g += together)
    decompose(memory + g * n * 8 * V, n, together, order + g, ahead + g * n * n, V);
  collect(memory, n, order, factors, V);
  return is_finite;
}

ptrdiff_t costate_decompose_rows_length(ptrdiff_t n) { return MATRICES * n * ((n + 7) / 8 * 8); }

// Of larger matrices fewer are worked on together, so that they stay near the first cache.
bool costate_decompose_rows(const double *matrices, ptrdiff_t n, ptrdiff_t count, const double *ahead, double *memory,
                            double *factors, int32_t *order) {
  switch ((n + 7) / 8) {
    case 0: return true;
    case 1: return decompose_rows(matrices, n, count, ahead, memory, factors, order, 8, 1);
    case 2: return decompose_rows(matrices, n, count, ahead, memory, factors, order, 8, 2);
    case 3: return decompose_rows(matrices, n, count, ahead, memory, factors, order, 4, 3);
    case 4: return decompose_rows(matrices, n, count, ahead, memory, factors, order, 4, 4);
    case 5: return decompose_rows(matrices, n, count, ahead, memory, factors, order, 2, 5);
    case 6: return decompose_rows(matrices, n, count, ahead, memory, factors, order, 2, 6);
    case 7: return decompose_rows(matrices, n, count, ahead, memory, factors, order, 2, 7);
    default: return decompose_rows(matrices, n, count, ahead, memory, factors, order, 2, 8);
  }
}
