// Time of mj_step and mjd_transitionFD with constraints disabled, one thread.
//
// usage: mujoco_step MODEL.xml [Euler|implicitfast|RK4|file] [steps] [repetitions]
//
// A world is stepped along a trajectory with fixed random controls (every control in the middle 60 % of its
// range, or in +-0.6) and random initial velocities, like one world of a rollout; it starts again from the
// initial state when it leaves the region where velocities are below 100. Every repetition has a world and
// controls of its own. Only mj_step is inside the timed loop, besides the test for leaving.

#include <math.h>
#include <mujoco/mujoco.h>
#include <string.h>

#include "timing.h"

static double uniform(unsigned long long *state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (double)(*state >> 11) / 9007199254740992.0;
}

static void start(const mjModel *m, mjData *d, const double *velocity, const double *control) {
  mj_resetData(m, d);
  memcpy(d->qvel, velocity, sizeof(double) * (size_t)m->nv);
  memcpy(d->ctrl, control, sizeof(double) * (size_t)m->nu);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s MODEL.xml [Euler|implicitfast|RK4|file] [steps] [repetitions]\n", argv[0]);
    return 64;
  }
  const char *integrator = argc > 2 ? argv[2] : "file";
  int steps = argc > 3 ? atoi(argv[3]) : 1000;
  int repetitions = argc > 4 ? atoi(argv[4]) : 30;
  char message[1000] = "";
  mjModel *m = mj_loadXML(argv[1], NULL, message, sizeof message);
  if (!m) {
    fprintf(stderr, "%s: %s\n", argv[1], message);
    return 65;
  }
  if (!strcmp(integrator, "Euler")) m->opt.integrator = mjINT_EULER;
  else if (!strcmp(integrator, "implicitfast")) m->opt.integrator = mjINT_IMPLICITFAST;
  else if (!strcmp(integrator, "RK4")) m->opt.integrator = mjINT_RK4;
  else if (strcmp(integrator, "file")) {
    fprintf(stderr, "unknown integrator %s\n", integrator);
    return 64;
  }
  m->opt.disableflags |= mjDSBL_CONSTRAINT;
  mjData *d = mj_makeData(m);
  size_t nv = (size_t)m->nv, nu = (size_t)m->nu;
  double *velocity = calloc(nv + 1, sizeof(double)), *control = calloc(nu + 1, sizeof(double));
  double *ns = calloc((size_t)repetitions, sizeof(double));
  unsigned long long seed = 1;
  int restarts = 0;
  for (int r = -2; r < repetitions; r++) {
    for (size_t i = 0; i < nv; i++) velocity[i] = 0.2 * (uniform(&seed) - 0.5);
    for (size_t i = 0; i < nu; i++) {
      double low = m->actuator_ctrllimited[i] ? m->actuator_ctrlrange[2 * i] : -1;
      double high = m->actuator_ctrllimited[i] ? m->actuator_ctrlrange[2 * i + 1] : 1;
      control[i] = low + (high - low) * (0.2 + 0.6 * uniform(&seed));
    }
    start(m, d, velocity, control);
    double begin = now_ns();
    for (int k = 0; k < steps; k++) {
      mj_step(m, d);
      int inside = 1;
      for (size_t i = 0; i < nv; i++) inside &= fabs(d->qvel[i]) < 100;
      if (!inside) {
        start(m, d, velocity, control);
        restarts++;
      }
    }
    if (r >= 0) ns[r] = (now_ns() - begin) / steps;
  }
  static const char *names[] = {"Euler", "RK4", "implicit", "implicitfast"};
  const char *file = strstr(argv[1], "models/");
  char labels[1500];
  snprintf(labels, sizeof labels, "\"model\":\"%s\",\"integrator\":\"%s\",\"nv\":%d,\"restarts\":%d",
           file ? file + 7 : argv[1], names[m->opt.integrator], (int)m->nv, restarts);
  print_timings("mj_step", labels, ns, repetitions);

  if (m->opt.integrator != mjINT_RK4) {
    size_t n = 2 * nv + (size_t)m->na;
    double *A = calloc(n * n + 1, sizeof(double)), *B = calloc(n * nu + 1, sizeof(double));
    int calls = 20;
    for (int r = -2; r < repetitions; r++) {
      start(m, d, velocity, control);
      double begin = now_ns();
      for (int k = 0; k < calls; k++) mjd_transitionFD(m, d, 1e-6, 1, A, nu ? B : NULL, NULL, NULL);
      if (r >= 0) ns[r] = (now_ns() - begin) / calls;
    }
    print_timings("mjd_transitionFD", labels, ns, repetitions);
    free(A);
    free(B);
  }
  free(velocity);
  free(control);
  free(ns);
  mj_deleteData(d);
  mj_deleteModel(m);
  return 0;
}
