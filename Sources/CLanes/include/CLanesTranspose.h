// Transposition between rows of one world each and lane groups.
#ifndef COSTATE_CLANES_TRANSPOSE_H
#define COSTATE_CLANES_TRANSPOSE_H

#include <stddef.h>

// to[c * to_stride + r] = from[r * from_stride + c] for all r < rows, c < columns. The two must not overlap.
void costate_transpose_f(const float *from, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t from_stride,
                         float *to, ptrdiff_t to_stride);
void costate_transpose_d(const double *from, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t from_stride,
                         double *to, ptrdiff_t to_stride);

// to[r * to_stride + c] = from[c][r] for all r < rows, c < columns: rows of columns that lie anywhere.
void costate_interleave_f(const float *const *from, ptrdiff_t columns, ptrdiff_t rows, float *to,
                          ptrdiff_t to_stride);
void costate_interleave_d(const double *const *from, ptrdiff_t columns, ptrdiff_t rows, double *to,
                          ptrdiff_t to_stride);

#endif
