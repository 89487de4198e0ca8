"""Times of diffrax on the CPU, float64 and jit, for bench-equations.

usage: equations_diffrax.py lorenz|batch|pleiades|robertson|brusselator
       equations_diffrax.py precision lorenz|pleiades|robertson|van-der-pol

Gradients are those of the final state's components, weighed 1, 2, 3 and so on, by the initial state and the parameters, by
diffrax's default adjoint.
Each solution's final state is printed for comparison.

With "precision" the times of solutions at tolerances from 1e-3 to 1e-11, with the final states.
"""

import os
import sys
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from autodiff_workloads import repeat, report

BATCH = 1024


def solution(f, solver, end, rtol, atol, max_steps=4096):
    def solve(y, p):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, p: f(y, p)), solver, 0.0, end, None, y, p,
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
            saveat=diffrax.SaveAt(t1=True), max_steps=max_steps)

    return solve


def measure(name, solve, y, p, rounds=5, inner=5, divide=1):
    final = jax.jit(lambda y, p: solve(y, p).ys[-1])
    weights = jnp.arange(1.0, y.shape[-1] + 1)
    slope = jax.jit(jax.grad(lambda y, p: jnp.sum(weights * solve(y, p).ys[-1]), argnums=(0, 1)))
    steps = int(np.max(jax.jit(lambda y, p: solve(y, p).stats["num_steps"])(y, p)))
    print(f"# {name}: {steps} steps, final state {np.asarray(final(y, p)).ravel()[:4]}", file=sys.stderr)
    report(f"diffrax {name}", [t / divide for t in repeat(rounds, inner, lambda: jax.block_until_ready(final(y, p)))])
    report(f"diffrax {name} gradient",
           [t / divide for t in repeat(rounds, inner, lambda: jax.block_until_ready(slope(y, p)))])


def lorenz_rates(y, p):
    s, r, b = p
    return jnp.stack([s * (y[1] - y[0]), y[0] * (r - y[2]) - y[1], y[0] * y[1] - b * y[2]])


LORENZ = jnp.array([10.0, 28.0, 8.0 / 3.0])


def lorenz():
    solve = solution(lorenz_rates, diffrax.Tsit5(), 2.0, 1e-8, 1e-8)
    measure("lorenz", solve, jnp.ones(3), LORENZ, inner=50)


def batch():
    one = solution(lorenz_rates, diffrax.Tsit5(), 2.0, 1e-8, 1e-8)
    random = np.random.default_rng(7)
    y = jnp.asarray(1 + random.uniform(-0.5, 0.5, (BATCH, 3)))
    solve = jax.vmap(one, in_axes=(0, None))

    class Result:
        pass

    def many(y, p):
        result = solve(y, p)
        out = Result()
        out.ys, out.stats = result.ys[None, :, -1], result.stats
        return out

    measure("lorenz batch", many, y, LORENZ, inner=1, divide=BATCH)


def pleiades_problem():
    # Hairer, Norsett, Wanner (1993), II.10: seven stars in the plane, masses 1 to 7.
    x = np.array([3, 3, -1, -3, 2, -2, 2.0])
    y = np.array([3, -3, 2, 0, 0, -4, 4.0])
    dx = np.array([0, 0, 0, 0, 0, 1.75, -1.5])
    dy = np.array([0, 0, 0, -1.25, 1, 0, 0])

    def rates(s, m):
        x, y, dx, dy = s[:7], s[7:14], s[14:21], s[21:]
        u, v = x[None] - x[:, None], y[None] - y[:, None]
        cube = (u * u + v * v + jnp.eye(7)) ** 1.5
        return jnp.concatenate([dx, dy, jnp.sum(m * u / cube, axis=1), jnp.sum(m * v / cube, axis=1)])

    return rates, jnp.asarray(np.concatenate([x, y, dx, dy])), jnp.arange(1.0, 8.0), 3.0


def pleiades():
    rates, y, masses, end = pleiades_problem()
    measure("pleiades", solution(rates, diffrax.Dopri8(), end, 1e-8, 1e-8), y, masses, inner=3)


def robertson_problem():
    def rates(y, k):
        a, b, c = k[0] * y[0], k[1] * y[1] * y[1], k[2] * y[1] * y[2]
        return jnp.stack([c - a, a - b - c, b])

    return rates, jnp.array([1.0, 0.0, 0.0]), jnp.array([0.04, 3e7, 1e4]), 100.0


def robertson():
    rates, y, k, end = robertson_problem()
    measure("robertson", solution(rates, diffrax.Kvaerno5(), end, 1e-8, 1e-8, max_steps=16384), y, k, inner=2)


def precision(problem):
    rates, y, p, end, solvers, absolute = {
        "lorenz": lambda: (lorenz_rates, jnp.ones(3), LORENZ, 2.0, ["Tsit5", "Dopri8"], 1),
        "pleiades": lambda: (*pleiades_problem(), ["Tsit5", "Dopri8"], 1),
        "robertson": lambda: (*robertson_problem(), ["Kvaerno5"], 1e-4),
        "van-der-pol": lambda: (
            lambda y, p: jnp.stack([y[1], p[0] * (1 - y[0] ** 2) * y[1] - y[0]]), jnp.array([2.0, 0.0]),
            jnp.array([1000.0]), 1000.0, ["Kvaerno5"], 1),
    }[problem]()
    for name in solvers:
        final = jax.jit(lambda y, p, tolerance: solution(
            rates, getattr(diffrax, name)(), end, tolerance, tolerance * absolute, max_steps=65536)(y, p).ys[-1])
        for exponent in range(3, 12):
            tolerance = 10.0 ** -exponent
            state = np.asarray(final(y, p, tolerance))
            report(f"diffrax {name}", repeat(3, 2, lambda: jax.block_until_ready(final(y, p, tolerance))),
                   tolerance=tolerance, state=list(map(float, state)))


def brusselator():
    # u' = b + u² v − (a + 1) u + d Δu, v' = a u − u² v + d Δv on the unit square, periodic, 32 x 32 points.
    n = 32
    grid = (np.arange(n) + 0.5) / n
    x, y = np.meshgrid(grid, grid, indexing="ij")
    start = jnp.asarray(np.stack([22 * (y * (1 - y)) ** 1.5, 27 * (x * (1 - x)) ** 1.5]).ravel())

    def rates(s, p):
        u, v = s.reshape(2, n, n)
        a, b, d = p
        laplacian = lambda z: (
            jnp.roll(z, 1, 0) + jnp.roll(z, -1, 0) + jnp.roll(z, 1, 1) + jnp.roll(z, -1, 1) - 4 * z) * n * n
        w = u * u * v
        return jnp.concatenate([(b + w - (a + 1) * u + d * laplacian(u)).ravel(), (a * u - w + d * laplacian(v)).ravel()])

    solve = solution(rates, diffrax.Kvaerno5(), 1.0, 1e-6, 1e-6, max_steps=1024)
    # Dense matrices of 2048 rows: one solution takes about a minute, so that it is timed once, compiled ahead. The gradient did not
    # end in five minutes and is left out.
    p = jnp.array([3.4, 1.0, 0.01])
    final = jax.jit(lambda y, p: solve(y, p).ys[-1]).lower(start, p).compile()
    begin = time.perf_counter()
    state = jax.block_until_ready(final(start, p))
    report("diffrax brusselator", [time.perf_counter() - begin])
    print(f"# brusselator: final state {np.asarray(state)[:4]}", file=sys.stderr)


if sys.argv[1] == "precision":
    precision(sys.argv[2])
else:
    {"lorenz": lorenz, "batch": batch, "pleiades": pleiades, "robertson": robertson, "brusselator": brusselator}[sys.argv[1]]()
