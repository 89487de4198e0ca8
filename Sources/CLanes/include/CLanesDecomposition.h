// A = L U P of small matrices, where the pivots are sought inside vector registers.
#ifndef COSTATE_CLANES_DECOMPOSITION_H
#define COSTATE_CLANES_DECOMPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Numbers of memory that costate_decompose_rows needs for matrices of n rows.
ptrdiff_t costate_decompose_rows_length(ptrdiff_t n);

// A = L U P of eight matrices of n <= 64 rows, row-major and one after the other, of which there are `count`: the last is repeated. U has
// ones on its diagonal, (P x)[k] = x[order[8 k + matrix]].
//
// `factors`, aligned to 64 bytes, then holds L with its diagonal, and above it U, an element of all eight matrices after the other. The
// memory of eight matrices from `ahead` on is brought into the caches meanwhile; it is not read. False if a number is not finite; pivots
// are not looked at.
bool costate_decompose_rows(const double *matrices, ptrdiff_t n, ptrdiff_t count, const double *ahead, double *memory,
                            double *factors, int32_t *order);

#endif
