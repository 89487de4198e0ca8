"""Solved problems, evaluations and time of SciPy and optimistix on the problems of Moré, Garbow and Hillstrom (1981), for bench-implicit.

usage: roots_peers.py [scipy|optimistix] [roots|leastSquares]

The problems are those of Sources/bench-implicit/TestProblems.swift, from the published starts. A system of equations counts as solved if no
residual is above 1e-8 where the solver stops; a least-squares problem if the sum of squares is that of a known minimum (five digits, or 1e-10
for zero). One line for each solver and problem; times are the least of several solves, without compilation.
"""

import json
import os
import sys
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def counts(n):
    return jnp.arange(1.0, n + 1)


def abscissas(n):
    return [k / (n + 1) for k in range(1, n + 1)]


def rosenbrock(x):
    return jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def freudenstein_roth(x):
    y = x[1]
    return jnp.stack([-13 + x[0] + ((5 - y) * y - 2) * y, -29 + x[0] + ((y + 1) * y - 14) * y])


def powell_badly_scaled(x):
    return jnp.stack([1e4 * x[0] * x[1] - 1, jnp.exp(-x[0]) + jnp.exp(-x[1]) - 1.0001])


def helical_valley(x):
    turn = jnp.arctan(x[1] / x[0]) / (2 * jnp.pi) + jnp.where(x[0] < 0, 0.5, 0.0)
    return jnp.stack([10 * (x[2] - 10 * turn), 10 * (jnp.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])


def powell_singular(x):
    return jnp.stack([
        x[0] + 10 * x[1], jnp.sqrt(5.0) * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, jnp.sqrt(10.0) * (x[0] - x[3]) ** 2])


def wood(x):
    return jnp.stack([
        10 * (x[1] - x[0] ** 2), 1 - x[0], jnp.sqrt(90.0) * (x[3] - x[2] ** 2), 1 - x[2],
        jnp.sqrt(10.0) * (x[1] + x[3] - 2), (x[1] - x[3]) / jnp.sqrt(10.0)])


def wood_gradient(x):
    return jax.grad(lambda x: jnp.sum(wood(x) ** 2))(x)


def extended_rosenbrock(x):
    a, b = x.reshape(-1, 2).T
    return jnp.concatenate([10 * (b - a * a), 1 - a])


def trigonometric(x):
    return 10 - jnp.cos(x).sum() + counts(10) * (1 - jnp.cos(x)) - jnp.sin(x)


def brown_almost_linear(x):
    return jnp.concatenate([x[:9] + x.sum() - 11, (jnp.prod(x) - 1).reshape(1)])


def boundary_value(x):
    n, h = 10, 1.0 / 11
    sides = jnp.pad(x, 1)
    return 2 * x - sides[:n] - sides[2:] + 0.5 * h * h * (x + jnp.array(abscissas(n)) + 1) ** 3


def integral_equation(x):
    n, h = 10, 1.0 / 11
    t = np.array(abscissas(n))
    kernel = np.where(t[None, :] <= t[:, None], t[None, :] * (1 - t[:, None]), t[:, None] * (1 - t[None, :]))
    return x + 0.5 * h * jnp.array(kernel) @ (x + jnp.array(t) + 1) ** 3


def broyden_tridiagonal(x):
    sides = jnp.pad(x, 1)
    return (3 - 2 * x) * x - sides[:10] - 2 * sides[2:] + 1


def broyden_banded(x):
    n = 10
    band = np.zeros((n, n))
    for i in range(n):
        for j in range(max(0, i - 5), min(n - 1, i + 1) + 1):
            band[i, j] = 0 if i == j else 1
    return x * (2 + 5 * x * x) + 1 - jnp.array(band) @ (x * (1 + x))


def chebyquad(x):
    n = x.shape[0]
    z = 2 * x - 1
    before, now, rows = jnp.ones(n), z, []
    for i in range(1, n + 1):
        rows.append(now.sum() / n - (-1 / (i * i - 1) if i % 2 == 0 else 0))
        before, now = now, 2 * z * now - before
    return jnp.stack(rows)


def variably_dimensioned(x):
    total = (counts(10) * (x - 1)).sum()
    return jnp.concatenate([x - 1, total.reshape(1), (total**2).reshape(1)])


def variably_dimensioned_gradient(x):
    return jax.grad(lambda x: jnp.sum(variably_dimensioned(x) ** 2))(x)


def watson(x):
    n = 6
    t = np.arange(1, 30) / 29
    powers = np.stack([t**j for j in range(n)], axis=1)
    slopes = np.stack([0 * t if j == 0 else j * t ** (j - 1) for j in range(n)], axis=1)
    value, slope = jnp.array(powers) @ x, jnp.array(slopes) @ x
    return jnp.concatenate([slope - value**2 - 1, x[:1], (x[1] - x[0] ** 2 - 1).reshape(1)])


def watson_gradient(x):
    return jax.grad(lambda x: jnp.sum(watson(x) ** 2))(x)


def bard(x):
    u = counts(15)
    v = 16 - u
    y = jnp.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    return y - (x[0] + u / (v * x[1] + jnp.minimum(u, v) * x[2]))


def beale(x):
    y = x[1]
    return jnp.stack([1.5 - x[0] * (1 - y), 2.25 - x[0] * (1 - y * y), 2.625 - x[0] * (1 - y**3)])


def box(x):
    t = 0.1 * counts(10)
    return jnp.exp(-t * x[0]) - jnp.exp(-t * x[1]) - x[2] * (jnp.exp(-t) - jnp.exp(-10 * t))


def kowalik_osborne(x):
    y = jnp.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
    u = jnp.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    return y - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3])


def brown_dennis(x):
    t = counts(20) / 5
    return (x[0] + t * x[1] - jnp.exp(t)) ** 2 + (x[2] + x[3] * jnp.sin(t) - jnp.cos(t)) ** 2


def jennrich_sampson(x):
    i = counts(10)
    return 2 + 2 * i - (jnp.exp(i * x[0]) + jnp.exp(i * x[1]))


def biggs(x):
    t = 0.1 * counts(13)
    y = jnp.exp(-t) - 5 * jnp.exp(-10 * t) + 3 * jnp.exp(-4 * t)
    return x[2] * jnp.exp(-t * x[0]) - x[3] * jnp.exp(-t * x[1]) + x[5] * jnp.exp(-t * x[4]) - y


GRID = [t * (t - 1) for t in abscissas(10)]
SYSTEMS = [
    ("Rosenbrock", [-1.2, 1], rosenbrock),
    ("Powell badly scaled", [0, 1], powell_badly_scaled),
    ("Helical valley", [-1, 0, 0], helical_valley),
    ("Powell singular", [3, -1, 0, 1], powell_singular),
    ("Wood, gradient", [-3, -1, -3, -1], wood_gradient),
    ("Watson, gradient", [0] * 6, watson_gradient),
    ("Extended Rosenbrock", [-1.2, 1] * 5, extended_rosenbrock),
    ("Trigonometric", [0.1] * 10, trigonometric),
    ("Brown almost linear", [0.5] * 10, brown_almost_linear),
    ("Discrete boundary value", GRID, boundary_value),
    ("Discrete integral equation", GRID, integral_equation),
    ("Broyden tridiagonal", [-1] * 10, broyden_tridiagonal),
    ("Broyden banded", [-1] * 10, broyden_banded),
    ("Chebyquad 7", abscissas(7), chebyquad),
    ("Variably dimensioned, gradient", [1 - k / 10 for k in range(1, 11)], variably_dimensioned_gradient),
]
FITS = [
    ("Rosenbrock", [-1.2, 1], [0], rosenbrock),
    ("Freudenstein and Roth", [0.5, -2], [0, 48.98425368], freudenstein_roth),
    ("Beale", [1, 1], [0], beale),
    ("Jennrich and Sampson", [0.3, 0.4], [124.3621824], jennrich_sampson),
    ("Helical valley", [-1, 0, 0], [0], helical_valley),
    ("Bard", [1, 1, 1], [8.214877e-3, 17.42869], bard),
    ("Box three-dimensional", [0, 10, 20], [0], box),
    ("Powell singular", [3, -1, 0, 1], [0], powell_singular),
    ("Wood", [-3, -1, -3, -1], [0], wood),
    ("Kowalik and Osborne", [0.25, 0.39, 0.415, 0.39], [3.075056e-4, 1.027345e-3], kowalik_osborne),
    ("Brown and Dennis", [25, 5, -5, -1], [85822.2], brown_dennis),
    ("Biggs EXP6", [1, 2, 1, 1, 1, 1], [0, 5.655650e-3, 0.3063670], biggs),
    ("Watson 6", [0] * 6, [2.287670e-3], watson),
    ("Variably dimensioned", [1 - k / 10 for k in range(1, 11)], [0], variably_dimensioned),
    ("Trigonometric", [0.1] * 10, [0, 2.795062e-5], trigonometric),
    ("Brown almost linear", [0.5] * 10, [0, 1], brown_almost_linear),
    ("Chebyquad 8", abscissas(8), [3.516874e-3], chebyquad),
]


def is_root(f, x):
    value = np.asarray(f(np.asarray(x, dtype=float)))
    return bool(np.all(np.isfinite(value)) and np.max(np.abs(value)) <= 1e-8)


def is_minimum(f, x, minima):
    total = float(np.sum(np.asarray(f(np.asarray(x, dtype=float))) ** 2))
    return any(total <= 1e-10 if m == 0 else abs(total - m) <= 1e-5 * m for m in minima)


def report(group, solver, problem, solve, is_solved):
    """solve() -> (unknowns, evaluations, Jacobians)."""
    best, spent, rounds = np.inf, 0.0, 0
    x, evaluations, jacobians = None, 0, 0
    while rounds < 3 or (rounds < 20 and spent < 0.05):
        begin = time.perf_counter()
        try:
            x, evaluations, jacobians = solve()
        except Exception:
            x = None
        seconds = time.perf_counter() - begin
        best, spent, rounds = min(best, seconds), spent + seconds, rounds + 1
    print(json.dumps({
        "group": group, "solver": solver, "problem": problem, "solved": x is not None and is_solved(x),
        "evaluations": int(evaluations), "jacobians": int(jacobians), "min": 1e9 * best}), flush=True)


def jitted(residual, start):
    f, jacobian = jax.jit(residual), jax.jit(jax.jacfwd(residual))
    f(start), jacobian(start)
    return f, lambda x: np.asarray(f(x)), lambda x: np.asarray(jacobian(x))


def scipy_methods(groups):
    from scipy.optimize import least_squares, root

    if "roots" in groups:
        for name, start, residual in SYSTEMS:
            start = np.array(start, dtype=float)
            f, value, jacobian = jitted(residual, start)

            def minpack(method, options):
                result = root(value, start, jac=jacobian, method=method, options=options)
                return result.x, result.nfev, result.get("njev", 0)

            def broyden():
                result = root(value, start, method="broyden1", options={"maxiter": 1000, "fatol": 1e-10})
                return result.x, result.nit, 0

            report("roots", "scipy hybr", name, lambda: minpack("hybr", {"xtol": 1e-12, "maxfev": 5000}),
                   lambda x: is_root(f, x))
            report("roots", "scipy lm", name, lambda: minpack(
                "lm", {"xtol": 1e-12, "ftol": 1e-15, "gtol": 0.0, "maxiter": 5000}), lambda x: is_root(f, x))
            report("roots", "scipy broyden1", name, broyden, lambda x: is_root(f, x))
    if "leastSquares" in groups:
        for name, start, minima, residual in FITS:
            start = np.array(start, dtype=float)
            f, value, jacobian = jitted(residual, start)
            for method in ("trf", "lm"):
                def solve(method=method):
                    result = least_squares(
                        value, start, jacobian, method=method, x_scale="jac", ftol=1e-15, xtol=1e-12, gtol=1e-12,
                        max_nfev=5000)
                    return result.x, result.nfev, result.njev or 0

                report("leastSquares", f"scipy {method}", name, solve, lambda x: is_minimum(f, x, minima))


def optimistix_methods(groups):
    import optimistix

    def compiled(find, residual, method, start):
        @jax.jit
        def solve(start):
            solution = find(lambda x, _: residual(x), method, start, max_steps=1000, throw=False)
            return solution.value, solution.stats["num_steps"]

        start = jnp.array(start, dtype=float)
        jax.block_until_ready(solve(start))

        def run():
            value, steps = jax.block_until_ready(solve(start))
            return np.asarray(value), steps, 0

        return run

    if "roots" in groups:
        for solver in ("Newton", "Chord", "Dogleg", "LevenbergMarquardt"):
            for name, start, residual in SYSTEMS:
                method = getattr(optimistix, solver)(rtol=1e-10, atol=1e-10)
                solve = compiled(optimistix.root_find, residual, method, start)
                report("roots", f"optimistix {solver}", name, solve, lambda x: is_root(residual, x))
    if "leastSquares" in groups:
        for solver in ("LevenbergMarquardt", "Dogleg", "GaussNewton"):
            for name, start, minima, residual in FITS:
                method = getattr(optimistix, solver)(rtol=1e-10, atol=1e-10)
                solve = compiled(optimistix.least_squares, residual, method, start)
                report("leastSquares", f"optimistix {solver}", name, solve, lambda x: is_minimum(residual, x, minima))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    engines = [a for a in sys.argv[1:] if a in ("scipy", "optimistix")] or ["scipy", "optimistix"]
    groups = [a for a in sys.argv[1:] if a in ("roots", "leastSquares")] or ["roots", "leastSquares"]
    if "scipy" in engines:
        scipy_methods(groups)
    if "optimistix" in engines:
        optimistix_methods(groups)
