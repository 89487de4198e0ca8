// Time of mj_step with the file's constraints, on worlds and controls that another program wrote, one thread.
//
// usage: mujoco_contact MODEL.xml WORKLOAD [repetitions [derivatives]]
//
// With "derivatives" mjd_transitionFD (A and B, one-sided and centred) is timed at the first state of each world instead.
//
// WORKLOAD is binary: int64 worlds, steps, nq, nv, na, nu; then per world qpos, qvel, act (float64); then per world and step
// the controls. Worlds are stepped one after the other, as many steps as there are controls; only mj_step is timed. The solver
// stops at the file's tolerance and at most after 100 iterations.

#include <mujoco/mujoco.h>
#include <string.h>

#include "timing.h"

// Time of A and B of each world's first step, mean over the worlds.
static double transition_time(const mjModel *m, mjData *d, const double *states, const double *controls, long long worlds,
                              long long steps, int centred, double *a, double *b) {
  size_t state = (size_t)(m->nq + m->nv + m->na);
  double total = 0;
  for (long long w = 0; w < worlds; w++) {
    mj_resetData(m, d);
    const double *x = states + state * (size_t)w;
    memcpy(d->qpos, x, sizeof(double) * (size_t)m->nq);
    memcpy(d->qvel, x + m->nq, sizeof(double) * (size_t)m->nv);
    memcpy(d->act, x + m->nq + m->nv, sizeof(double) * (size_t)m->na);
    memcpy(d->ctrl, controls + m->nu * w * steps, sizeof(double) * (size_t)m->nu);
    double begin = now_ns();
    mjd_transitionFD(m, d, 1e-6, (mjtByte)centred, a, b, NULL, NULL);
    total += now_ns() - begin;
  }
  return total / (double)worlds;
}

static void time_derivatives(const mjModel *m, mjData *d, const double *states, const double *controls,
                             long long worlds, long long steps, int repetitions) {
  size_t n = (size_t)(2 * m->nv + m->na);
  double *a = malloc(sizeof(double) * n * n), *b = malloc(sizeof(double) * (n * (size_t)m->nu + 1));
  double *ns = calloc((size_t)repetitions, sizeof(double));
  for (int centred = 0; centred < 2; centred++) {
    for (int r = 0; r < repetitions; r++) {
      ns[r] = transition_time(m, d, states, controls, worlds, steps, centred, a, b);
    }
    print_timings(centred ? "centred" : "one-sided", "\"function\":\"mjd_transitionFD\"", ns, repetitions);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s MODEL.xml WORKLOAD [repetitions [derivatives]]\n", argv[0]);
    return 64;
  }
  int repetitions = argc > 3 ? atoi(argv[3]) : 10;
  char message[1000] = "";
  mjModel *m = mj_loadXML(argv[1], NULL, message, sizeof message);
  if (!m) {
    fprintf(stderr, "%s: %s\n", argv[1], message);
    return 65;
  }
  if (m->opt.iterations < 100) m->opt.iterations = 100;
  if (m->opt.tolerance > 1e-8) m->opt.tolerance = 1e-8;
  if (m->opt.solver == mjSOL_PGS) m->opt.solver = mjSOL_NEWTON;
  FILE *file = fopen(argv[2], "rb");
  long long sizes[6];
  if (!file || fread(sizes, sizeof(long long), 6, file) != 6 || sizes[2] != m->nq || sizes[3] != m->nv ||
      sizes[4] != m->na || sizes[5] != m->nu) {
    fprintf(stderr, "%s: not a workload of this model\n", argv[2]);
    return 66;
  }
  long long worlds = sizes[0], steps = sizes[1];
  size_t state = (size_t)(m->nq + m->nv + m->na), nu = (size_t)m->nu;
  double *states = malloc(sizeof(double) * state * (size_t)worlds);
  double *controls = malloc(sizeof(double) * (nu * (size_t)(worlds * steps) + 1));
  if (fread(states, sizeof(double), state * (size_t)worlds, file) != state * (size_t)worlds ||
      fread(controls, sizeof(double), nu * (size_t)(worlds * steps), file) != nu * (size_t)(worlds * steps)) {
    fprintf(stderr, "%s: truncated\n", argv[2]);
    return 66;
  }
  fclose(file);
  mjData *d = mj_makeData(m);
  if (argc > 4 && strcmp(argv[4], "derivatives") == 0) {
    time_derivatives(m, d, states, controls, worlds, steps, repetitions);
    return 0;
  }
  double *ns = calloc((size_t)repetitions, sizeof(double));
  double contacts = 0;
  for (int r = -1; r < repetitions; r++) {
    double total = 0;
    for (long long w = 0; w < worlds; w++) {
      mj_resetData(m, d);
      const double *x = states + state * (size_t)w;
      memcpy(d->qpos, x, sizeof(double) * (size_t)m->nq);
      memcpy(d->qvel, x + m->nq, sizeof(double) * (size_t)m->nv);
      memcpy(d->act, x + m->nq + m->nv, sizeof(double) * (size_t)m->na);
      const double *u = controls + nu * (size_t)(w * steps);
      double begin = now_ns();
      for (long long k = 0; k < steps; k++) {
        memcpy(d->ctrl, u + nu * (size_t)k, sizeof(double) * nu);
        mj_step(m, d);
      }
      total += now_ns() - begin;
      if (r == 0) contacts += (double)d->ncon / (double)worlds;
    }
    if (r >= 0) ns[r] = total / (double)(worlds * steps);
  }
  char labels[200];
  snprintf(labels, sizeof labels, "\"contacts\":%.2f", contacts);
  print_timings("mj_step", labels, ns, repetitions);
  return 0;
}
