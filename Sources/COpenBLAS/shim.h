// OpenBLAS and LAPACKE. Complex numbers are declared as plain structs, which Swift can import.
#ifndef COSTATE_COPENBLAS_H
#define COSTATE_COPENBLAS_H
#define LAPACK_COMPLEX_STRUCTURE
#include <cblas.h>
#include <lapacke.h>
#endif
