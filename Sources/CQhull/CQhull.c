#include "CQhull.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libqhull_r/libqhull_r.h>
#include <libqhull_r/poly_r.h>

/// Keeps the line of Qhull's report that holds the error (their numbers start with 6; warnings may stand before it).
static void copy_error_line(const char *report, char *message, int message_size) {
  int length = 0;
  const char *error = report ? strstr(report, "QH6") : NULL;
  if (error) report = error;
  while (report && report[length] && report[length] != '\n' && length < message_size - 1) {
    message[length] = report[length];
    length++;
  }
  message[length] = 0;
}

/// Triangles of the finished hull, or null where memory is short or a facet is not a triangle.
static int *copy_triangles(qhT *qh, int count, int *triangle_count) {
  int facets = qh->num_facets;
  int *triangles = malloc(3 * (size_t)facets * sizeof(int));
  if (!triangles) return NULL;
  int filled = 0;
  facetT *facet;
  FORALLfacets {
    // Qhull keeps a facet's vertices sorted by number; `toporient` says which way round they run.
    int corner[3] = {0, 0, 0}, corners = 0;
    vertexT *vertex, **vertexp;
    FOREACHvertex_(facet->vertices) {
      int point = qh_pointid(qh, vertex->point);
      if (corners == 3 || point < 0 || point >= count || filled == facets) {
        free(triangles);
        return NULL;
      }
      corner[corners++] = point;
    }
    if (corners != 3) {
      free(triangles);
      return NULL;
    }
    int *out = triangles + 3 * filled++;
    out[0] = corner[facet->toporient ? 1 : 0];
    out[1] = corner[facet->toporient ? 0 : 1];
    out[2] = corner[2];
  }
  *triangle_count = filled;
  return triangles;
}

/// Corners with their neighbours, after `qh_vertexneighbors`, or null where memory is short or a point is unknown.
static int *copy_neighbors(qhT *qh, int count, int *length) {
  // Every triangle has three corners, and brings each of them at most two neighbours.
  int *neighbors = malloc((2 * (size_t)qh->num_vertices + 6 * (size_t)qh->num_facets) * sizeof(int));
  if (!neighbors) return NULL;
  int filled = 0;
  vertexT *vertex, *other, **otherp;
  facetT *facet, **facetp;
  FORALLvertices {
    int corner = qh_pointid(qh, vertex->point);
    int start = filled + 2;
    int next = start;
    FOREACHsetelement_(facetT, vertex->neighbors, facet) {
      FOREACHsetelement_(vertexT, facet->vertices, other) {
        int point = qh_pointid(qh, other->point);
        if (point < 0 || point >= count || corner < 0 || corner >= count) {
          free(neighbors);
          return NULL;
        }
        int at = start;
        while (at < next && neighbors[at] != point) at++;
        if (point != corner && at == next) neighbors[next++] = point;
      }
    }
    neighbors[filled] = corner;
    neighbors[filled + 1] = next - start;
    filled = next;
  }
  *length = filled;
  return neighbors;
}

int cqhull_convex_hull(
  const double *points, int count, int maximum_vertices, int **triangles, int *triangle_count, int **neighbors,
  int *neighbors_length, char *message, int message_size) {
  *triangles = NULL;
  *triangle_count = 0;
  *neighbors = NULL;
  *neighbors_length = 0;
  message[0] = 0;
  if (count < 4) {
    snprintf(message, (size_t)message_size, "a hull needs at least 4 points, here are %d", count);
    return CQHULL_FAILED;
  }

  qhT *qh = malloc(sizeof(qhT));
  double *copy = malloc(3 * (size_t)count * sizeof(double));
  char *report = NULL;
  size_t report_size = 0;
  FILE *errors = open_memstream(&report, &report_size);
  if (!qh || !copy || !errors) {
    if (errors) fclose(errors);
    free(report);
    free(copy);
    free(qh);
    snprintf(message, (size_t)message_size, "out of memory");
    return CQHULL_OUT_OF_MEMORY;
  }
  memcpy(copy, points, 3 * (size_t)count * sizeof(double));

  char options[64] = "qhull Qt";
  if (maximum_vertices >= 4) {
    // TA counts the vertices added to the first simplex; Q9 takes the furthest point first.
    snprintf(options, sizeof options, "qhull Qt Q9 TA%d", maximum_vertices - 4);
  }

  qh_zero(qh, errors);
  qh_init_A(qh, NULL, NULL, errors, 0, NULL);
  // Written after setjmp and read after a jump back.
  volatile int code = CQHULL_FAILED;
  if (!setjmp(qh->errexit)) {
    qh->NOerrexit = False;
    qh_initflags(qh, options);
    qh_init_B(qh, copy, count, 3, False);
    qh_qhull(qh);
    qh_triangulate(qh);
    qh_vertexneighbors(qh);
    *triangles = copy_triangles(qh, count, triangle_count);
    *neighbors = copy_neighbors(qh, count, neighbors_length);
    code = *triangles && *neighbors ? CQHULL_OK : CQHULL_OUT_OF_MEMORY;
  }
  qh->NOerrexit = True;
  int short_count, short_total;
  qh_freeqhull(qh, !qh_ALL);
  qh_memfreeshort(qh, &short_count, &short_total);

  fclose(errors);
  if (code != CQHULL_OK) {
    free(*triangles);
    free(*neighbors);
    *triangles = NULL;
    *neighbors = NULL;
  }
  if (code == CQHULL_FAILED) copy_error_line(report, message, message_size);
  if (code == CQHULL_OUT_OF_MEMORY) snprintf(message, (size_t)message_size, "out of memory");
  free(report);
  free(copy);
  free(qh);
  return code;
}

void cqhull_free(int *indices) { free(indices); }
