// Vectors of numbers that lie here and there.
#ifndef COSTATE_CLANES_PERMUTE_H
#define COSTATE_CLANES_PERMUTE_H

#include <stddef.h>
#include <stdint.h>

// Where eight numbers lie: number k at window[lane[k] / 8] + lane[k] % 8; and where they go.
typedef struct {
  uint32_t window[4];
  uint8_t lane[8];
  uint32_t target;
} costate_permutation;

// Brings the numbers of each permutation together; windows are read whole. The first function reads the first two windows only.
void costate_permute_two_d(double *numbers, const costate_permutation *permutations, ptrdiff_t count);
void costate_permute_four_d(double *numbers, const costate_permutation *permutations, ptrdiff_t count);

// Where eight numbers lie that are further apart.
typedef struct {
  uint32_t place[8];
  uint32_t target;
} costate_gathering;

void costate_gather_d(double *numbers, const costate_gathering *gatherings, ptrdiff_t count);

#endif
