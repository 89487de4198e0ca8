#include "CGemm.h"

#include <cblas.h>

void gemm_reference(int size, const double *a, const double *b, double *c) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, 1.0, a, size, b, size, 0.0, c, size);
}

const char *gemm_kernels(void) { return openblas_get_corename(); }

void gemm_set_threads(int threads) { openblas_set_num_threads(threads); }
