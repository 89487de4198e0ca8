// OpenBLAS by itself, as the bar for products.
#pragma once

// c = a b for row-major square matrices.
void gemm_reference(int size, const double *a, const double *b, double *c);
void gemm_set_threads(int threads);
// The name of the processor that OpenBLAS has chosen kernels for.
const char *gemm_kernels(void);
