"""Times of other solvers of quadratic programs on the CPU, float64, for bench-programs.

usage: programs_peers.py qpax|piqp|proxsuite|qpth COUNT VARIABLES INEQUALITIES

COUNT programs min x'Qx/2 + q'x subject to Gx <= h, of `programs` below, which bench-programs makes as well. Times are
for all of them: `forward`, and `gradient` for the solutions with the gradient of their sum by Q, q, G and h, where the solver has one.
`residual` is no time but the largest violation of stationarity, constraints, signs and complementarity, with the solver's default
tolerances; `iterations` their mean number, where the solver tells.
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


def residual(data, x, z):
    """The largest over all programs; without multipliers, of the constraints alone."""
    q_matrix, q, g, h = data
    slack = h - np.einsum("kij,kj->ki", g, x)
    worst = max(0.0, -slack.min())
    if z is None:
        return worst
    slope = np.einsum("kij,kj->ki", q_matrix, x) + q + np.einsum("kij,ki->kj", g, z)
    return max(worst, np.abs(slope).max(), -z.min(), np.abs(slack * z).max())


def report_number(name, value):
    report(name, [1e-9 * float(value)])


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
    x, _, z, _, _, steps = jax.jit(jax.vmap(lambda Q, q, G, h: qpax.solve_qp(Q, q, a, b, G, h)))(*data)
    report_number("qpax residual", residual((q_matrix, q, g, h), np.asarray(x), np.asarray(z)))
    report_number("qpax iterations", np.mean(np.asarray(steps)))
    report("qpax forward", repeat(3, 1, lambda: jax.block_until_ready(forward(*data))))
    report("qpax gradient", repeat(3, 1, lambda: jax.block_until_ready(slope(*data))))


def with_piqp(q_matrix, q, g, h):
    import piqp

    def solved(Q, c, G, b):
        solver = piqp.DenseSolver()
        solver.settings.compute_timings = False
        solver.setup(Q, c, None, None, G, None, b)
        solver.solve()
        return solver

    results = [solved(*one).result for one in zip(q_matrix, q, g, h)]
    x, z = np.array([r.x for r in results]), np.array([r.z_u for r in results])
    report_number("piqp residual", residual((q_matrix, q, g, h), x, z))
    report_number("piqp iterations", np.mean([r.info.iter for r in results]))
    report("piqp forward", repeat(5, 1, lambda: [solved(*one).result.x for one in zip(q_matrix, q, g, h)]))


def with_proxsuite(q_matrix, q, g, h):
    import proxsuite

    n, m = q.shape[1], h.shape[1]

    def solved(Q, c, G, b):
        solver = proxsuite.proxqp.dense.QP(n, 0, m)
        solver.settings.eps_abs = 1e-8
        solver.init(Q, c, None, None, G, None, b)
        solver.solve()
        return solver

    solvers = [solved(*one) for one in zip(q_matrix, q, g, h)]
    x, z = np.array([s.results.x for s in solvers]), np.array([s.results.z for s in solvers])
    report_number("proxsuite residual", residual((q_matrix, q, g, h), x, z))
    report("proxsuite forward", repeat(3, 1, lambda: [solved(*one).results.x for one in zip(q_matrix, q, g, h)]))


def with_qpth(q_matrix, q, g, h):
    import torch
    from qpth.qp import QPFunction

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    data = [torch.tensor(x, requires_grad=True) for x in (q_matrix, q, g, h)]
    none = torch.tensor([], dtype=torch.float64)
    solve = lambda: QPFunction(verbose=-1)(*data, none, none)
    report_number("qpth residual (constraints)", residual((q_matrix, q, g, h), solve().detach().numpy(), None))
    report("qpth forward", repeat(3, 1, lambda: solve().detach()))
    report("qpth gradient", repeat(3, 1, lambda: solve().sum().backward()))


solver, count, n, m = sys.argv[1], *map(int, sys.argv[2:5])
{"qpax": with_qpax, "piqp": with_piqp, "proxsuite": with_proxsuite, "qpth": with_qpth}[solver](*programs(count, n, m))
