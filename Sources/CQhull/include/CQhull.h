#ifndef COSTATE_CQHULL_H
#define COSTATE_CQHULL_H

/// Why a hull could not be made; 0 is success.
enum {
  CQHULL_OK = 0,
  /// The points are degenerate (flat, collinear, fewer than four) or Qhull gave up for numerical reasons.
  CQHULL_FAILED = 1,
  CQHULL_OUT_OF_MEMORY = 2,
};

/// Convex hull of `count` points in three dimensions (x y z, x y z, ...), made of triangles.
///
/// On success `*triangles` holds `3 * *triangle_count` point indices, counterclockwise seen from outside, and is
/// released with `cqhull_free`. On failure it is null and `message` (of `message_size` bytes, at least 1) says
/// why. `maximum_vertices` limits the number of vertices of the hull (at least 4); negative is no limit. The
/// points have to be finite. Qhull's non-local jumps do not leave this function, and nothing is printed.
///
/// `*neighbors` holds, corner by corner in Qhull's order, a corner, the number of corners it shares an edge with, and
/// these in Qhull's order: `*neighbors_length` numbers, released likewise.
int cqhull_convex_hull(
  const double *points, int count, int maximum_vertices, int **triangles, int *triangle_count, int **neighbors,
  int *neighbors_length, char *message, int message_size);

void cqhull_free(int *indices);

#endif
