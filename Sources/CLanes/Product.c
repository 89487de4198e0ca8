#include "CLanes.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
// All of these are inlined: how vectors would be passed does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

INLINE costate_d8 load(const double *p) {
  costate_d8 v;
  __builtin_memcpy(&v, p, 64);
  return v;
}
INLINE void store(double *p, costate_d8 v) { __builtin_memcpy(p, &v, 64); }

// The sums over l of x[l * xColumn] times `width` vectors at y[l * yRow]. Few vectors have several sums each: an addition takes a while.
INLINE void sums(const double *x, ptrdiff_t xColumn, const double *y, ptrdiff_t yRow, ptrdiff_t depth, const int width,
                 costate_d8 *result) {
  const int parts = width == 1 ? 4 : width == 2 ? 2 : 1;
  costate_d8 sum[4] = {0, 0, 0, 0};
  ptrdiff_t l = 0;
  for (; l + parts <= depth; l += parts) {
    for (int q = 0; q < parts; q++) {
      costate_d8 factor = x[(l + q) * xColumn];
      const double *row = y + (l + q) * yRow;
      for (int v = 0; v < width; v++) sum[q * width + v] += factor * load(row + 8 * v);
    }
  }
  for (; l < depth; l++) {
    costate_d8 factor = x[l * xColumn];
    for (int v = 0; v < width; v++) sum[v] += factor * load(y + l * yRow + 8 * v);
  }
  for (int v = 0; v < width; v++) {
    result[v] = sum[v];
    for (int q = 1; q < parts; q++) result[v] += sum[q * width + v];
  }
}

// The first `count` numbers of a vector set or added.
INLINE void finish(double *target, costate_d8 v, ptrdiff_t count, int adds) {
  if (count >= 8) {
    store(target, adds ? load(target) + v : v);
    return;
  }
#if defined(__AVX512F__)
  __mmask8 some = (__mmask8)((1 << count) - 1);
  if (adds) v += (costate_d8)_mm512_maskz_loadu_pd(some, target);
  _mm512_mask_storeu_pd(target, some, (__m512d)v);
#else
  for (ptrdiff_t k = 0; k < count; k++) target[k] = adds ? target[k] + v[k] : v[k];
#endif
}

// `isExact`: nothing behind the columns may change.
INLINE void row(const double *x, const double *y, const costate_product *p, double *target, const int isExact, int adds) {
  costate_d8 v[4];
  for (ptrdiff_t j = 0; j < p->columns;) {
    ptrdiff_t left = p->columns - j;
    int width;
    if (left > 24) {
      sums(x, p->xColumn, y + j, p->yRow, p->depth, width = 4, v);
    } else if (left > 16) {
      sums(x, p->xColumn, y + j, p->yRow, p->depth, width = 3, v);
    } else if (left > 8) {
      sums(x, p->xColumn, y + j, p->yRow, p->depth, width = 2, v);
    } else {
      sums(x, p->xColumn, y + j, p->yRow, p->depth, width = 1, v);
    }
    for (int k = 0; k < width; k++) {
      if (isExact) finish(target + j + 8 * k, v[k], left - 8 * k, adds);
      else store(target + j + 8 * k, v[k]);
    }
    j += 8 * width;
  }
}

// Products of a column and a row of two numbers, four rows to a vector.
INLINE ptrdiff_t pairs(const double *x, const double *y, ptrdiff_t rows, double *target, int adds) {
  costate_d8 factor = {y[0], y[1], y[0], y[1], y[0], y[1], y[0], y[1]};
  ptrdiff_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    costate_d8 twice = {x[i], x[i], x[i + 1], x[i + 1], x[i + 2], x[i + 2], x[i + 3], x[i + 3]};
    finish(target + 2 * i, factor * twice, 8, adds);
  }
  return i;
}

// Products of a column and `width` vectors, the last of `last` numbers.
INLINE void strip(const double *x, ptrdiff_t xRow, const double *y, const int width, ptrdiff_t last, ptrdiff_t rows,
                  double *target, ptrdiff_t targetRow, const int adds) {
  costate_d8 v[4];
  for (int k = 0; k < width; k++) v[k] = load(y + 8 * k);
  for (ptrdiff_t i = 0; i < rows; i++, x += xRow, target += targetRow) {
    costate_d8 factor = *x;
    for (int k = 0; k < width - 1; k++) {
      double *place = target + 8 * k;
      store(place, adds ? load(place) + factor * v[k] : factor * v[k]);
    }
    finish(target + 8 * (width - 1), factor * v[width - 1], last, adds);
  }
}
INLINE void outer(const double *x, const double *y, const costate_product *p, double *target, const int adds) {
  for (ptrdiff_t j = 0; j < p->columns; j += 32) {
    ptrdiff_t left = p->columns - j, xRow = p->xRow, rows = p->rows, row = p->targetRow;
    if (left >= 32) strip(x, xRow, y + j, 4, 8, rows, target + j, row, adds);
    else if (left > 24) strip(x, xRow, y + j, 4, left - 24, rows, target + j, row, adds);
    else if (left > 16) strip(x, xRow, y + j, 3, left - 16, rows, target + j, row, adds);
    else if (left > 8) strip(x, xRow, y + j, 2, left - 8, rows, target + j, row, adds);
    else strip(x, xRow, y + j, 1, left, rows, target + j, row, adds);
  }
}

INLINE double inner(const double *x, const double *y, ptrdiff_t depth) {
  costate_d8 sum[4] = {0, 0, 0, 0};
  ptrdiff_t l = 0;
  for (; l + 32 <= depth; l += 32)
    for (int q = 0; q < 4; q++) sum[q] += load(x + l + 8 * q) * load(y + l + 8 * q);
  for (int q = 0; l + 8 <= depth; l += 8, q = (q + 1) & 3) sum[q] += load(x + l) * load(y + l);
  double result = costate_sum8_d8((sum[0] + sum[1]) + (sum[2] + sum[3]));
  for (; l < depth; l++) result += x[l] * y[l];
  return result;
}

INLINE void product(const double *numbers, const costate_product *p, double *target, const int isExact, int adds) {
  const double *x = numbers + p->x, *y = numbers + p->y;
  ptrdiff_t i = 0;
  if (p->isDot) {
    for (; i < p->rows; i++)
      for (ptrdiff_t j = 0; j < p->columns; j++) {
        double value = inner(x + i * p->xRow, y + j * p->yRow, p->depth);
        double *place = target + i * p->targetRow + j;
        *place = adds ? *place + value : value;
      }
    return;
  }
  if (p->depth == 1) {
    if (p->columns == 2 && p->targetRow == 2 && p->xRow == 1) {
      i = pairs(x, y, p->rows, target, adds);
      x += i;
    }
    costate_product rest = *p;
    rest.rows = p->rows - (uint32_t)i;
    outer(x, y, &rest, target + i * p->targetRow, adds);
    return;
  }
  for (; i < p->rows; i++) row(x + i * p->xRow, y, p, target + i * p->targetRow, isExact, adds);
}

void costate_products_d(double *numbers, const costate_product *p, ptrdiff_t count) {
  for (ptrdiff_t k = 0; k < count; k++) product(numbers, p + k, numbers + p[k].target, 0, 0);
}
void costate_product_into_d(const double *numbers, const costate_product *p, double *target, int adds) {
  if (adds) product(numbers, p, target, 1, 1);
  else product(numbers, p, target, 1, 0);
}
