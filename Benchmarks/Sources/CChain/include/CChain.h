// The rigid-transform chain in C, for one double, eight doubles and sixteen floats.
//
// Per joint: a constant offset (rotation, row by row, then translation: 12 numbers that all lanes share) and a
// rotation about z, given as cosine and sine (2 lane groups). The pose of each joint (rotation, column by
// column, then position: 12 lane groups) is written to `poses`.
#ifndef COSTATE_CCHAIN_H
#define COSTATE_CCHAIN_H

void chain_double(long joints, const double *offsets, const double *turns, double *poses);
void chain_double8(long joints, const double *offsets, const double *turns, double *poses);
void chain_float16(long joints, const float *offsets, const float *turns, float *poses);

#endif
