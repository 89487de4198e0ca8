// Vectors of numbers that lie in a few stretches of memory.
#ifndef COSTATE_CLANES_PERMUTE_H
#define COSTATE_CLANES_PERMUTE_H

#include <stddef.h>
#include <stdint.h>

// Where eight numbers lie: number k at window[lane[k] / 8] + lane[k] % 8.
typedef struct {
  uint32_t window[4];
  uint8_t lane[8];
} costate_permutation;

// to[8 * v + k] = the k-th number of the v-th permutation. Windows are read whole. The first function reads the first two windows only.
void costate_permute_two_d(const double *from, const costate_permutation *permutations, ptrdiff_t count,
                           double *to);
void costate_permute_four_d(const double *from, const costate_permutation *permutations, ptrdiff_t count,
                            double *to);

#endif
