"""Settings and matrices of bench-linear that its peers share. Import before numpy: BLAS reads its thread count once."""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np

SIZES = [16, 64, 256, 1024]
SYSTEMS = 10_000
BATCH_SIZES = [8, 16, 24, 32]
# Calls of one sample.
CALLS = {16: 500, 64: 100, 256: 10, 1024: 1}


def dense(size, seed=1):
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (size, size)), random.uniform(-1, 1, size)


def batch(size, seed=2):
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (SYSTEMS, size, size)), random.uniform(-1, 1, (SYSTEMS, size))
