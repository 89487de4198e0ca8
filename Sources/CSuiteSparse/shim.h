// KLU (LGPL 2.1) and AMD (BSD) of SuiteSparse. Not CHOLMOD: the library that distributions ship holds its GPL modules
// (Supernodal, Modify, MatrixOps) in the same file, so that whoever links it is bound by the GPL.
#ifndef COSTATE_CSUITESPARSE_H
#define COSTATE_CSUITESPARSE_H
#if __has_include(<suitesparse/klu.h>)
#include <suitesparse/amd.h>
#include <suitesparse/klu.h>
#else
#include <amd.h>
#include <klu.h>
#endif
#endif
