// Products of matrices that lie in one block of numbers: for small ones, at the cost of their arithmetic.
#ifndef COSTATE_CLANES_PRODUCT_H
#define COSTATE_CLANES_PRODUCT_H

#include <stddef.h>
#include <stdint.h>

// Row i of the result, of which rows are targetRow apart, is the sum over l of x[i * xRow + l * xColumn] times the row y[l * yRow].
// If isDot is not zero, its element j is the inner product of x[i * xRow] and y[j * yRow], both `depth` neighbours.
typedef struct {
  uint32_t x, y, target;
  uint32_t rows, depth, columns;
  uint32_t xRow, xColumn, yRow, targetRow;
  uint32_t isDot;
} costate_product;

// Sets the results of several products one after the other. Seven numbers behind a result may change; so many behind an operand are read.
void costate_products_d(double *numbers, const costate_product *products, ptrdiff_t count);
// Sets a result that lies elsewhere (`target` of the product does not count), or adds to it; nothing else changes.
void costate_product_into_d(const double *numbers, const costate_product *product, double *target, int adds);

#endif
