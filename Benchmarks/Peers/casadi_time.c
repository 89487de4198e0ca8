// Times CasADi's functions without Python in between: its virtual machine, its map over 4096 arguments, and its generated
// C, compiled, in a loop. The folder is what autodiff_casadi.py writes, with functions.c compiled to functions.so.
//
// usage: casadi_time FOLDER
#include <dlfcn.h>
#include <string.h>

#include <casadi/casadi_c.h>

#include "timing.h"

enum { batch = 4096, repetitions = 12 };

typedef int (*evaluate)(const double **, double **, casadi_int *, double *, int);

// The name with spaces for underscores.
static void report(const char *name, const char *kind, double *samples) {
  char text[256], labels[64], *mark;
  snprintf(text, sizeof text, "casadi %s%s", name, kind);
  while ((mark = strchr(text, '_'))) *mark = ' ';
  snprintf(labels, sizeof labels, "\"batch\":%d", batch);
  print_timings(text, labels, samples, repetitions);
}

// A loaded function with its work memory.
typedef struct {
  int id, memory;
  const double **arg;
  double **res, *w;
  casadi_int *iw;
} function;

static function load(const char *folder, const char *name, const char *suffix) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s%s.casadi", folder, name, suffix);
  if (casadi_c_push_file(path) != 0) exit(2);
  function f;
  char full[256];
  snprintf(full, sizeof full, "%s%s", name, suffix);
  f.id = casadi_c_id(full);
  casadi_int arg, res, iw, w;
  casadi_c_work_id(f.id, &arg, &res, &iw, &w);
  f.arg = calloc((size_t)arg + 1, sizeof *f.arg);
  f.res = calloc((size_t)res + 1, sizeof *f.res);
  f.iw = calloc((size_t)iw + 1, sizeof *f.iw);
  f.w = calloc((size_t)w + 1, sizeof *f.w);
  f.memory = casadi_c_checkout_id(f.id);
  return f;
}

int main(int argc, char **argv) {
  if (argc != 2) return 1;
  char path[1024], name[128];
  snprintf(path, sizeof path, "%s/functions.so", argv[1]);
  void *library = dlopen(path, RTLD_NOW);
  snprintf(path, sizeof path, "%s/functions.txt", argv[1]);
  FILE *list = fopen(path, "r");
  if (!list || !library) return 2;
  int inputs, outputs, instructions;
  double samples[repetitions];
  while (fscanf(list, "%127s %d %d %d", name, &inputs, &outputs, &instructions) == 4) {
    double *x = malloc(sizeof(double) * (size_t)(inputs * batch));
    double *y = malloc(sizeof(double) * (size_t)(outputs * batch));
    for (int i = 0; i < inputs * batch; ++i) x[i] = (double)((i * 37) % 201) / 100 - 1;
    int calls = 2000000 / (instructions * 4 + 40);

    function f = load(argv[1], name, "");
    for (int r = -1; r < repetitions; ++r) {
      double start = now_ns();
      for (int k = 0; k < calls; ++k) {
        f.arg[0] = x + inputs * (k % batch);
        f.res[0] = y;
        casadi_c_eval_id(f.id, f.arg, f.res, f.iw, f.w, f.memory);
      }
      if (r >= 0) samples[r] = (now_ns() - start) / calls;
    }
    report(name, "", samples);

    function map = load(argv[1], name, "_map");
    for (int r = -1; r < repetitions; ++r) {
      double start = now_ns();
      map.arg[0] = x;
      map.res[0] = y;
      casadi_c_eval_id(map.id, map.arg, map.res, map.iw, map.w, map.memory);
      if (r >= 0) samples[r] = (now_ns() - start) / batch;
    }
    report(name, " map", samples);

    evaluate compiled = (evaluate)dlsym(library, name);
    if (!compiled) return 3;
    for (int r = -1; r < repetitions; ++r) {
      double start = now_ns();
      for (int k = 0; k < batch; ++k) {
        f.arg[0] = x + inputs * k;
        f.res[0] = y + outputs * k;
        compiled(f.arg, f.res, f.iw, f.w, 0);
      }
      if (r >= 0) samples[r] = (now_ns() - start) / batch;
    }
    report(name, " in C", samples);
    free(x);
    free(y);
  }
  return 0;
}
