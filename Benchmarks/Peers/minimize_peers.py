"""Success, evaluations and time of SciPy and optimistix on NIST's problems of nonlinear regression, for bench-implicit.

usage: minimize_peers.py [scipy|optimistix]

From both published starts of each of the 27 problems (Tests/ImplicitLayersTests/Fixtures/nist_regression.json). A fit counts as solved if all
parameters agree with the certified ones to six digits; tolerances are the tightest that a method accepts. Time is that of all 54 fits, solved
or not, without compilation.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
PROBLEMS = json.loads(
    (Path(__file__).resolve().parents[2] / "Tests/ImplicitLayersTests/Fixtures/nist_regression.json").read_text())


def model(name, b, x):
    exp = jnp.exp
    first, last = x[0], x[-1]

    def wave(a, c, period):
        return a * jnp.cos(2 * jnp.pi * first / period) + c * jnp.sin(2 * jnp.pi * first / period)

    def bell(height, center, width):
        return height * exp(-(((first - center) / width) ** 2))

    if name == "Bennett5":
        return b[0] * (b[1] + first) ** (-1 / b[2])
    if name in ("BoxBOD", "Misra1a"):
        return b[0] * (1 - exp(-b[1] * first))
    if name.startswith("Chwirut"):
        return exp(-b[0] * first) / (b[1] + b[2] * first)
    if name == "DanWood":
        return b[0] * first ** b[1]
    if name == "Eckerle4":
        return b[0] / b[1] * exp(-0.5 * ((first - b[2]) / b[1]) ** 2)
    if name == "ENSO":
        return b[0] + wave(b[1], b[2], 12.0) + wave(b[4], b[5], b[3]) + wave(b[7], b[8], b[6])
    if name.startswith("Gauss"):
        return b[0] * exp(-b[1] * first) + bell(b[2], b[3], b[4]) + bell(b[5], b[6], b[7])
    if name in ("Hahn1", "Thurber"):
        square, cube = first**2, first**3
        return (b[0] + b[1] * first + b[2] * square + b[3] * cube) / (1 + b[4] * first + b[5] * square + b[6] * cube)
    if name == "Kirby2":
        return (b[0] + b[1] * first + b[2] * first**2) / (1 + b[3] * first + b[4] * first**2)
    if name.startswith("Lanczos"):
        return b[0] * exp(-b[1] * first) + b[2] * exp(-b[3] * first) + b[4] * exp(-b[5] * first)
    if name == "MGH09":
        return b[0] * (first**2 + first * b[1]) / (first**2 + first * b[2] + b[3])
    if name == "MGH10":
        return b[0] * exp(b[1] / (first + b[2]))
    if name == "MGH17":
        return b[0] + b[1] * exp(-first * b[3]) + b[2] * exp(-first * b[4])
    if name == "Misra1b":
        return b[0] * (1 - (1 + b[1] * first / 2) ** -2)
    if name == "Misra1c":
        return b[0] * (1 - (1 + 2 * b[1] * first) ** -0.5)
    if name == "Misra1d":
        return b[0] * b[1] * first / (1 + b[1] * first)
    if name == "Nelson":
        return b[0] - b[1] * first * exp(-b[2] * last)
    if name == "Rat42":
        return b[0] / (1 + exp(b[1] - b[2] * first))
    if name == "Rat43":
        return b[0] / (1 + exp(b[1] - b[2] * first)) ** (1 / b[3])
    if name == "Roszman1":
        return b[0] - b[1] * first - jnp.arctan(b[2] / (first - b[3])) / jnp.pi
    raise ValueError(name)


def residual_of(problem):
    x = [jnp.array(c, dtype=float) for c in problem["x"]]
    y = jnp.array(problem["y"], dtype=float)
    observed = jnp.log(y) if problem["name"] == "Nelson" else y
    return lambda b: model(problem["name"], b, x) - observed


def is_solved(problem, b):
    b, certified = np.asarray(b), np.array(problem["parameters"])
    return bool(np.all(np.isfinite(b)) and np.all(np.abs(b - certified) <= 1e-6 * np.abs(certified)))


def measure(name, solver_of):
    """solver_of(problem) -> start -> (parameters, evaluations)."""
    solved, evaluations, seconds, failed = [0, 0], 0, 0.0, []
    for problem in PROBLEMS:
        solve = solver_of(problem)
        for k, start in enumerate(problem["starts"]):
            start = np.array(start, dtype=float)
            best = np.inf
            for _ in range(3):
                begin = time.perf_counter()
                try:
                    b, count = solve(start)
                except Exception:
                    b, count = np.full(start.shape, np.nan), 0
                best = min(best, time.perf_counter() - begin)
            seconds += best
            evaluations += int(count)
            if is_solved(problem, b):
                solved[k] += 1
            else:
                failed.append(f"{problem['name']} {k + 1}")
    print(json.dumps({
        "name": name, "min": 1e9 * seconds, "median": 1e9 * seconds, "max": 1e9 * seconds, "solvedFar": solved[0],
        "solvedNear": solved[1], "evaluations": evaluations, "failed": failed}), flush=True)


def scipy_methods():
    from scipy.optimize import least_squares

    for method in ("lm", "trf", "dogbox"):
        def solver_of(problem, method=method):
            residual = residual_of(problem)
            f, jacobian = jax.jit(residual), jax.jit(jax.jacfwd(residual))
            f(np.array(problem["starts"][0], dtype=float)), jacobian(np.array(problem["starts"][0], dtype=float))

            def solve(start):
                result = least_squares(
                    lambda b: np.asarray(f(b)), start, lambda b: np.asarray(jacobian(b)), method=method,
                    x_scale="jac", ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=5000)
                return result.x, result.nfev

            return solve

        measure(f"scipy least_squares {method}", solver_of)


def optimistix_methods():
    import optimistix

    for solver in ("LevenbergMarquardt", "Dogleg", "GaussNewton"):
        def solver_of(problem, solver=solver):
            residual = residual_of(problem)
            method = getattr(optimistix, solver)(rtol=1e-12, atol=1e-12)

            @jax.jit
            def fit(start):
                solution = optimistix.least_squares(
                    lambda b, _: residual(b), method, start, max_steps=5000, throw=False)
                return solution.value, solution.stats["num_steps"]

            jax.block_until_ready(fit(jnp.array(problem["starts"][0], dtype=float)))

            def solve(start):
                value, steps = jax.block_until_ready(fit(jnp.array(start)))
                return np.asarray(value), steps

            return solve

        measure(f"optimistix {solver}", solver_of)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    which = sys.argv[1:] or ["scipy", "optimistix"]
    if "scipy" in which:
        scipy_methods()
    if "optimistix" in which:
        optimistix_methods()
