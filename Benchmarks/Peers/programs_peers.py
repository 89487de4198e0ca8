"""Times of other solvers of quadratic programs on the CPU, float64, for bench-programs.

usage: programs_peers.py qpax|piqp|proxsuite|qpth COUNT VARIABLES INEQUALITIES

COUNT programs min x'Qx/2 + q'x subject to Gx <= h, of `SeededPrograms` below, which bench-programs makes as well. Times are
for all of them: `forward`, and `gradient` for the solutions with the gradient of their sum by Q, q, G and h, where the solver has one.
"""

import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np

from autodiff_workloads import repeat, report


class SplitMix:
    """The generator of BenchmarkSupport."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def uniform(self, *shape):
        """Numbers between -1 and 1, row-major."""
        count = int(np.prod(shape))
        return np.array([(self.next() >> 11) * 2.0**-52 - 1.0 for _ in range(count)]).reshape(shape)


def programs(count, n, m):
    """Q = LL'/n + I/10, G and q uniform, h = G x0 + a slack between 0 and 2: about half of the inequalities are active."""
    random = SplitMix(11)
    result = []
    for _ in range(count):
        l, q, g = random.uniform(n, n), random.uniform(n), random.uniform(m, n)
        x, slack = random.uniform(n), random.uniform(m)
        result.append((l @ l.T / n + 0.1 * np.eye(n), q, g, g @ x + slack + 1.0))
    return [np.stack(part) for part in zip(*result)]


def with_qpax(q_matrix, q, g, h):
    import jax
    import jax.numpy as jnp
    import qpax

    n = q.shape[1]
    a, b = jnp.zeros((0, n)), jnp.zeros(0)
    solve = lambda Q, q, G, h: qpax.solve_qp_primal(Q, q, a, b, G, h)
    data = [jnp.asarray(x) for x in (q_matrix, q, g, h)]
    forward = jax.jit(jax.vmap(solve))
    slope = jax.jit(jax.vmap(jax.grad(lambda Q, q, G, h: jnp.sum(solve(Q, q, G, h)), argnums=(0, 1, 2, 3))))
    print("# qpax", np.asarray(forward(*data)).ravel()[:4], file=sys.stderr)
    report("qpax forward", repeat(3, 1, lambda: jax.block_until_ready(forward(*data))))
    report("qpax gradient", repeat(3, 1, lambda: jax.block_until_ready(slope(*data))))


def with_piqp(q_matrix, q, g, h):
    import piqp

    def all_programs():
        out = []
        for Q, c, G, b in zip(q_matrix, q, g, h):
            solver = piqp.DenseSolver()
            solver.settings.compute_timings = False
            solver.setup(Q, c, None, None, G, None, b)
            solver.solve()
            out.append(solver.result.x)
        return out

    print("# piqp", np.asarray(all_programs()).ravel()[:4], file=sys.stderr)
    report("piqp forward", repeat(5, 1, all_programs))


def with_proxsuite(q_matrix, q, g, h):
    import proxsuite

    n, m = q.shape[1], h.shape[1]

    def all_programs():
        out = []
        for Q, c, G, b in zip(q_matrix, q, g, h):
            solver = proxsuite.proxqp.dense.QP(n, 0, m)
            solver.settings.eps_abs = 1e-8
            solver.init(Q, c, None, None, G, None, b)
            solver.solve()
            out.append(np.array(solver.results.x))
        return out

    print("# proxsuite", np.asarray(all_programs()).ravel()[:4], file=sys.stderr)
    report("proxsuite forward", repeat(3, 1, all_programs))


def with_qpth(q_matrix, q, g, h):
    import torch
    from qpth.qp import QPFunction

    torch.set_num_threads(1)
    data = [torch.tensor(x, requires_grad=True) for x in (q_matrix, q, g, h)]
    none = torch.tensor([], dtype=torch.float64)
    solve = lambda: QPFunction(verbose=-1)(*data, none, none)
    print("# qpth", solve().detach().numpy().ravel()[:4], file=sys.stderr)
    report("qpth forward", repeat(3, 1, lambda: solve().detach()))
    report("qpth gradient", repeat(3, 1, lambda: solve().sum().backward()))


solver, count, n, m = sys.argv[1], *map(int, sys.argv[2:5])
{"qpax": with_qpax, "piqp": with_piqp, "proxsuite": with_proxsuite, "qpth": with_qpth}[solver](*programs(count, n, m))
