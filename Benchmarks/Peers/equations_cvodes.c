// Times of SUNDIALS CVODES for bench-equations: BDF of variable order, and the gradient of the final state's components, weighed 1, 2,
// 3 and so on, by its adjoint sensitivity analysis.
//
// usage: equations_cvodes robertson|brusselator
//        equations_cvodes precision robertson
//
// With "precision" the times of solutions at tolerances from 1e-3 to 1e-11, with the final states.
//
// Robertson's problem has a dense Jacobian; the Brusselator's linear systems are solved by GMRES with products by the Jacobian.
#include <cvodes/cvodes.h>
#include <math.h>
#include <nvector/nvector_serial.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sunlinsol/sunlinsol_dense.h>
#include <sunlinsol/sunlinsol_spgmr.h>
#include <sunmatrix/sunmatrix_dense.h>

#include "timing.h"

#define GRID 32
#define CELLS (GRID * GRID)

typedef struct {
  const char *name;
  int count;
  double end, tolerance, absolute;
  double parameters[3];
  CVRhsFn rate;
  CVRhsFnB adjoint;
  CVQuadRhsFnB byParameters;
  CVLsJacFn jacobian;
  CVLsJacFnB adjointJacobian;
  CVLsJacTimesVecFn product;
  CVLsJacTimesVecFnB adjointProduct;
} Problem;

static double *d(N_Vector v) { return N_VGetArrayPointer(v); }

static int robertsonRate(double t, N_Vector y, N_Vector r, void *data) {
  const double *k = ((Problem *)data)->parameters, *x = d(y);
  double a = k[0] * x[0], b = k[1] * x[1] * x[1], c = k[2] * x[1] * x[2];
  d(r)[0] = c - a;
  d(r)[1] = a - b - c;
  d(r)[2] = b;
  return 0;
}
static int robertsonJacobian(
    double t, N_Vector y, N_Vector r, SUNMatrix j, void *data, N_Vector a, N_Vector b, N_Vector c) {
  const double *k = ((Problem *)data)->parameters, *x = d(y);
  SM_ELEMENT_D(j, 0, 0) = -k[0], SM_ELEMENT_D(j, 0, 1) = k[2] * x[2], SM_ELEMENT_D(j, 0, 2) = k[2] * x[1];
  SM_ELEMENT_D(j, 1, 0) = k[0], SM_ELEMENT_D(j, 1, 1) = -2 * k[1] * x[1] - k[2] * x[2],
                  SM_ELEMENT_D(j, 1, 2) = -k[2] * x[1];
  SM_ELEMENT_D(j, 2, 0) = 0, SM_ELEMENT_D(j, 2, 1) = 2 * k[1] * x[1], SM_ELEMENT_D(j, 2, 2) = 0;
  return 0;
}
static int robertsonAdjoint(double t, N_Vector y, N_Vector l, N_Vector r, void *data) {
  const double *k = ((Problem *)data)->parameters, *x = d(y), *w = d(l);
  d(r)[0] = -k[0] * (w[1] - w[0]);
  d(r)[1] = -(k[2] * x[2] * (w[0] - w[1]) + 2 * k[1] * x[1] * (w[2] - w[1]));
  d(r)[2] = -k[2] * x[1] * (w[0] - w[1]);
  return 0;
}
static int robertsonAdjointJacobian(
    double t, N_Vector y, N_Vector l, N_Vector r, SUNMatrix j, void *data, N_Vector a, N_Vector b, N_Vector c) {
  const double *k = ((Problem *)data)->parameters, *x = d(y);
  SM_ELEMENT_D(j, 0, 0) = k[0], SM_ELEMENT_D(j, 0, 1) = -k[0], SM_ELEMENT_D(j, 0, 2) = 0;
  SM_ELEMENT_D(j, 1, 0) = -k[2] * x[2], SM_ELEMENT_D(j, 1, 1) = k[2] * x[2] + 2 * k[1] * x[1],
                  SM_ELEMENT_D(j, 1, 2) = -2 * k[1] * x[1];
  SM_ELEMENT_D(j, 2, 0) = -k[2] * x[1], SM_ELEMENT_D(j, 2, 1) = k[2] * x[1], SM_ELEMENT_D(j, 2, 2) = 0;
  return 0;
}
static int robertsonByParameters(double t, N_Vector y, N_Vector l, N_Vector q, void *data) {
  const double *x = d(y), *w = d(l);
  d(q)[0] = -x[0] * (w[1] - w[0]);
  d(q)[1] = -x[1] * x[1] * (w[2] - w[1]);
  d(q)[2] = -x[1] * x[2] * (w[0] - w[1]);
  return 0;
}

static double laplacian(const double *z, int i, int j) {
  int up = (i + 1) % GRID, down = (i + GRID - 1) % GRID, right = (j + 1) % GRID, left = (j + GRID - 1) % GRID;
  return (z[up * GRID + j] + z[down * GRID + j] + z[i * GRID + right] + z[i * GRID + left] - 4 * z[i * GRID + j]) * CELLS;
}
static int brusselatorRate(double t, N_Vector y, N_Vector r, void *data) {
  const double *p = ((Problem *)data)->parameters, *u = d(y), *v = u + CELLS;
  for (int i = 0; i < GRID; i++)
    for (int j = 0; j < GRID; j++) {
      int c = i * GRID + j;
      double w = u[c] * u[c] * v[c];
      d(r)[c] = p[1] + w - (p[0] + 1) * u[c] + p[2] * laplacian(u, i, j);
      d(r)[CELLS + c] = p[0] * u[c] - w + p[2] * laplacian(v, i, j);
    }
  return 0;
}
static int brusselatorProduct(N_Vector x, N_Vector jx, double t, N_Vector y, N_Vector r, void *data, N_Vector s) {
  const double *p = ((Problem *)data)->parameters, *u = d(y), *v = u + CELLS, *a = d(x), *b = a + CELLS;
  for (int i = 0; i < GRID; i++)
    for (int j = 0; j < GRID; j++) {
      int c = i * GRID + j;
      double w = 2 * u[c] * v[c] * a[c] + u[c] * u[c] * b[c];
      d(jx)[c] = w - (p[0] + 1) * a[c] + p[2] * laplacian(a, i, j);
      d(jx)[CELLS + c] = p[0] * a[c] - w + p[2] * laplacian(b, i, j);
    }
  return 0;
}
// The discrete Laplacian is symmetric.
static void brusselatorTransposed(const double *p, const double *y, const double *w, double *r) {
  const double *u = y, *v = u + CELLS, *a = w, *b = w + CELLS;
  for (int i = 0; i < GRID; i++)
    for (int j = 0; j < GRID; j++) {
      int c = i * GRID + j;
      double g = a[c] - b[c];
      r[c] = -(2 * u[c] * v[c] * g - (p[0] + 1) * a[c] + p[0] * b[c] + p[2] * laplacian(a, i, j));
      r[CELLS + c] = -(u[c] * u[c] * g + p[2] * laplacian(b, i, j));
    }
}
static int brusselatorAdjoint(double t, N_Vector y, N_Vector l, N_Vector r, void *data) {
  brusselatorTransposed(((Problem *)data)->parameters, d(y), d(l), d(r));
  return 0;
}
static int brusselatorAdjointProduct(
    N_Vector x, N_Vector jx, double t, N_Vector y, N_Vector l, N_Vector r, void *data, N_Vector s) {
  brusselatorTransposed(((Problem *)data)->parameters, d(y), d(x), d(jx));
  return 0;
}
static int brusselatorByParameters(double t, N_Vector y, N_Vector l, N_Vector q, void *data) {
  const double *u = d(y), *v = u + CELLS, *a = d(l), *b = a + CELLS;
  double byA = 0, byB = 0, byD = 0;
  for (int i = 0; i < GRID; i++)
    for (int j = 0; j < GRID; j++) {
      int c = i * GRID + j;
      byA += u[c] * (b[c] - a[c]);
      byB += a[c];
      byD += a[c] * laplacian(u, i, j) + b[c] * laplacian(v, i, j);
    }
  d(q)[0] = -byA, d(q)[1] = -byB, d(q)[2] = -byD;
  return 0;
}

static SUNContext context;

static void initial(const Problem *p, double *y) {
  if (p->count == 3) {
    y[0] = 1, y[1] = y[2] = 0;
    return;
  }
  for (int i = 0; i < GRID; i++)
    for (int j = 0; j < GRID; j++) {
      double a = (i + 0.5) / GRID, b = (j + 0.5) / GRID;
      y[i * GRID + j] = 22 * pow(b * (1 - b), 1.5);
      y[CELLS + i * GRID + j] = 27 * pow(a * (1 - a), 1.5);
    }
}

static void check(int flag, const char *what) {
  if (flag < 0) fprintf(stderr, "%s: %d\n", what, flag), exit(1);
}

// Solves the problem; with `gradient` also backward. Prints results where asked. `final`: takes the final state, unless NULL.
static void solve(Problem *p, int gradient, int print, double *final) {
  N_Vector y = N_VNew_Serial(p->count, context);
  initial(p, d(y));
  void *memory = CVodeCreate(CV_BDF, context);
  check(CVodeInit(memory, p->rate, 0, y), "CVodeInit");
  CVodeSStolerances(memory, p->tolerance, p->absolute);
  CVodeSetUserData(memory, p);
  CVodeSetMaxNumSteps(memory, 1000000);
  SUNMatrix a = NULL, aB = NULL;
  SUNLinearSolver s, sB = NULL;
  if (p->jacobian) {
    a = SUNDenseMatrix(p->count, p->count, context);
    s = SUNLinSol_Dense(y, a, context);
    CVodeSetLinearSolver(memory, s, a);
    CVodeSetJacFn(memory, p->jacobian);
  } else {
    s = SUNLinSol_SPGMR(y, SUN_PREC_NONE, 0, context);
    CVodeSetLinearSolver(memory, s, NULL);
    CVodeSetJacTimes(memory, NULL, p->product);
  }
  double t;
  if (!gradient) {
    check(CVode(memory, p->end, y, &t, CV_NORMAL), "CVode");
    if (final) memcpy(final, d(y), p->count * sizeof *final);
    if (print) fprintf(stderr, "# cvodes %s: final state %.9g %.9g\n", p->name, d(y)[0], d(y)[1]);
  } else {
    int checkpoints, which;
    check(CVodeAdjInit(memory, 200, CV_HERMITE), "CVodeAdjInit");
    check(CVodeF(memory, p->end, y, &t, CV_NORMAL, &checkpoints), "CVodeF");
    N_Vector l = N_VNew_Serial(p->count, context), q = N_VNew_Serial(3, context);
    for (int i = 0; i < p->count; i++) d(l)[i] = 1 + i;
    N_VConst(0, q);
    CVodeCreateB(memory, CV_BDF, &which);
    check(CVodeInitB(memory, which, p->adjoint, p->end, l), "CVodeInitB");
    CVodeSStolerancesB(memory, which, p->tolerance, p->absolute);
    CVodeSetUserDataB(memory, which, p);
    CVodeSetMaxNumStepsB(memory, which, 1000000);
    if (p->jacobian) {
      aB = SUNDenseMatrix(p->count, p->count, context);
      sB = SUNLinSol_Dense(l, aB, context);
      CVodeSetLinearSolverB(memory, which, sB, aB);
      CVodeSetJacFnB(memory, which, p->adjointJacobian);
    } else {
      sB = SUNLinSol_SPGMR(l, SUN_PREC_NONE, 0, context);
      CVodeSetLinearSolverB(memory, which, sB, NULL);
      CVodeSetJacTimesB(memory, which, NULL, p->adjointProduct);
    }
    CVodeQuadInitB(memory, which, p->byParameters, q);
    CVodeQuadSStolerancesB(memory, which, p->tolerance, p->absolute);
    CVodeSetQuadErrConB(memory, which, 1);
    check(CVodeB(memory, 0, CV_NORMAL), "CVodeB");
    CVodeGetB(memory, which, &t, l);
    CVodeGetQuadB(memory, which, &t, q);
    if (print) fprintf(stderr, "# cvodes %s: gradient %.9g %.9g, by parameters %.9g %.9g %.9g\n", p->name, d(l)[0], d(l)[1],
                       d(q)[0], d(q)[1], d(q)[2]);
    N_VDestroy(l);
    N_VDestroy(q);
  }
  CVodeFree(&memory);
  SUNLinSolFree(s);
  if (sB) SUNLinSolFree(sB);
  if (a) SUNMatDestroy(a);
  if (aB) SUNMatDestroy(aB);
  N_VDestroy(y);
}

enum { COUNT = 7 };

// The times at tolerances from 1e-3 to 1e-11, absolute ones 1e-4 of these.
static void precision(Problem p) {
  for (int exponent = 3; exponent <= 11; exponent++) {
    p.tolerance = pow(10, -exponent);
    p.absolute = 1e-4 * p.tolerance;
    double times[COUNT], state[3];
    solve(&p, 0, 0, state);
    for (int i = 0; i < COUNT; i++) {
      double start = now_ns();
      solve(&p, 0, 0, NULL);
      times[i] = now_ns() - start;
    }
    char labels[200];
    snprintf(labels, sizeof labels, "\"tolerance\":%g,\"state\":[%.17g,%.17g,%.17g]", p.tolerance, state[0], state[1],
             state[2]);
    print_timings("CVODES BDF", labels, times, COUNT);
  }
}

int main(int argc, char **argv) {
  Problem problems[] = {
      {"robertson", 3, 100, 1e-8, 1e-8, {0.04, 3e7, 1e4}, robertsonRate, robertsonAdjoint, robertsonByParameters,
       robertsonJacobian, robertsonAdjointJacobian, NULL, NULL},
      {"brusselator", 2 * CELLS, 1, 1e-6, 1e-6, {3.4, 1, 0.01}, brusselatorRate, brusselatorAdjoint, brusselatorByParameters,
       NULL, NULL, brusselatorProduct, brusselatorAdjointProduct}};
  SUNContext_Create(NULL, &context);
  if (argc > 2 && !strcmp(argv[1], "precision")) {
    if (!strcmp(argv[2], "robertson")) precision(problems[0]);
    return 0;
  }
  for (int k = 0; k < 2; k++) {
    if (argc < 2 || strcmp(argv[1], problems[k].name)) continue;
    for (int gradient = 0; gradient < 2; gradient++) {
      double times[COUNT];
      solve(&problems[k], gradient, 1, NULL);
      for (int i = 0; i < COUNT; i++) {
        double start = now_ns();
        solve(&problems[k], gradient, 0, NULL);
        times[i] = now_ns() - start;
      }
      char name[64];
      snprintf(name, sizeof name, "cvodes %s%s", problems[k].name, gradient ? " gradient" : "");
      print_timings(name, "\"method\":\"BDF\"", times, COUNT);
    }
  }
  return 0;
}
