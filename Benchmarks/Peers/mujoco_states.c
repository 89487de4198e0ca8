// Reachable states of a model under constraints, and what MuJoCo finds there with its tolerances set to 1e-12 or below.
//
// usage: mujoco_states MODEL.xml OUTPUT [count [seed]]
//
// A third of the states are settled (rolled out from the initial state with random controls), a third tangled (from random
// configurations within the joints' ranges) and a third at joint limits (from configurations at or slightly beyond them).
// OUTPUT is binary: int64 count, nq, nv, na, nu; then per state qpos, qvel, act, ctrl, qacc (float64); int64 nefc; efc_force;
// int64 contacts that exert force; of each int64 geom1, geom2, then dist, pos, frame and the six numbers of its force.

#include <math.h>
#include <mujoco/mujoco.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// SplitMix64 (Steele, Lea and Flood, 2014).
static uint64_t random_state;
static double uniform(double low, double high) {
  uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return low + (high - low) * (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void random_controls(const mjModel *m, mjData *d) {
  for (int i = 0; i < m->nu; i++) {
    double low = m->actuator_ctrllimited[i] ? m->actuator_ctrlrange[2 * i] : -1;
    double high = m->actuator_ctrllimited[i] ? m->actuator_ctrlrange[2 * i + 1] : 1;
    d->ctrl[i] = low + (high - low) * uniform(0.2, 0.8);
  }
}

static void random_rotation(double *quaternion) {
  for (int k = 0; k < 4; k++) quaternion[k] = uniform(-1, 1);
  mju_normalize4(quaternion);
}

// A configuration that is drawn at random, with the limited joints at their limits if asked for.
static void random_configuration(const mjModel *m, mjData *d, int at_limits) {
  for (int j = 0; j < m->njnt; j++) {
    double *q = d->qpos + m->jnt_qposadr[j];
    const double *range = m->jnt_range + 2 * j;
    switch (m->jnt_type[j]) {
      case mjJNT_FREE:
        if (!at_limits) random_rotation(q + 3);
        for (int k = 0; k < 2; k++) q[k] += uniform(-0.05, 0.05);
        q[2] += uniform(-0.2, 0.1);
        break;
      case mjJNT_BALL: random_rotation(q); break;
      default:
        if (!m->jnt_limited[j]) {
          q[0] += m->jnt_type[j] == mjJNT_SLIDE ? uniform(-0.1, 0.1) : uniform(-1, 1);
        } else if (at_limits) {
          q[0] = range[uniform(0, 1) < 0.5] + uniform(-0.02, 0.02) * (range[1] - range[0]);
        } else {
          q[0] = uniform(range[0], range[1]);
        }
    }
  }
}

static void reach(const mjModel *m, mjData *d, int kind) {
  mj_resetData(m, d);
  if (kind > 0) random_configuration(m, d, kind == 2);
  for (int i = 0; i < m->nv; i++) d->qvel[i] = uniform(-0.2, 0.2);
  double seconds = kind == 0 ? uniform(0.2, 2) : kind == 1 ? uniform(0.1, 1) : uniform(0.002, 0.05);
  int steps = 1 + (int)(seconds / m->opt.timestep);
  for (int k = 0; k < steps; k++) {
    random_controls(m, d);
    mj_step(m, d);
  }
  for (int i = 0; i < m->nv; i++) d->qvel[i] += uniform(-0.1, 0.1);
}

static int is_usable(const mjModel *m, const mjData *d) {
  for (int w = 0; w < mjNWARNING; w++) {
    if (d->warning[w].number) return 0;
  }
  for (int i = 0; i < m->nv; i++) {
    if (!isfinite(d->qvel[i]) || fabs(d->qvel[i]) > 1e3) return 0;
  }
  return 1;
}

static void tighten(mjModel *m) {
  m->opt.tolerance = 1e-14;
  m->opt.iterations = 200;
  m->opt.ls_tolerance = 1e-10;
  m->opt.ls_iterations = 100;
  m->opt.ccd_tolerance = 1e-10;
  m->opt.ccd_iterations = 200;
  m->opt.disableflags |= mjDSBL_ISLAND;
  if (m->opt.solver == mjSOL_PGS) m->opt.solver = mjSOL_NEWTON;
}

static FILE *output;
static void put_numbers(const double *values, int count) { fwrite(values, sizeof(double), (size_t)count, output); }
static void put_integer(long long value) { fwrite(&value, sizeof value, 1, output); }

static void write_state(const mjModel *m, mjData *d) {
  put_numbers(d->qpos, m->nq);
  put_numbers(d->qvel, m->nv);
  put_numbers(d->act, m->na);
  put_numbers(d->ctrl, m->nu);
  mju_zero(d->qacc_warmstart, m->nv);
  mj_forward(m, d);
  put_numbers(d->qacc, m->nv);
  put_integer(d->nefc);
  put_numbers(d->efc_force, d->nefc);
  long long touching = 0;
  for (int i = 0; i < d->ncon; i++) touching += d->contact[i].efc_address >= 0;
  put_integer(touching);
  for (int i = 0; i < d->ncon; i++) {
    const mjContact *c = d->contact + i;
    if (c->efc_address < 0) continue;
    double force[6];
    mj_contactForce(m, d, i, force);
    put_integer(c->geom[0]);
    put_integer(c->geom[1]);
    put_numbers(&c->dist, 1);
    put_numbers(c->pos, 3);
    put_numbers(c->frame, 9);
    put_numbers(force, 6);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s MODEL.xml OUTPUT [count [seed]]\n", argv[0]);
    return 64;
  }
  int count = argc > 3 ? atoi(argv[3]) : 100;
  random_state = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
  char message[1000] = "";
  mjModel *m = mj_loadXML(argv[1], NULL, message, sizeof message);
  if (!m) {
    fprintf(stderr, "%s: %s\n", argv[1], message);
    return 65;
  }
  mjModel *exact = mj_copyModel(NULL, m);
  tighten(exact);
  output = fopen(argv[2], "wb");
  if (!output) {
    fprintf(stderr, "%s: cannot be written\n", argv[2]);
    return 66;
  }
  put_integer(count);
  put_integer(m->nq);
  put_integer(m->nv);
  put_integer(m->na);
  put_integer(m->nu);
  mjData *d = mj_makeData(m);
  mjData *target = mj_makeData(exact);
  for (int found = 0, tried = 0; found < count; tried++) {
    if (tried > 20 * count) {
      fprintf(stderr, "%s: hardly any state can be reached\n", argv[1]);
      return 70;
    }
    reach(m, d, tried % 3);
    if (!is_usable(m, d)) continue;
    mj_resetData(exact, target);
    mju_copy(target->qpos, d->qpos, m->nq);
    mju_copy(target->qvel, d->qvel, m->nv);
    mju_copy(target->act, d->act, m->na);
    mju_copy(target->ctrl, d->ctrl, m->nu);
    write_state(exact, target);
    found++;
  }
  fclose(output);
  mj_deleteData(target);
  mj_deleteData(d);
  mj_deleteModel(exact);
  mj_deleteModel(m);
  return 0;
}
