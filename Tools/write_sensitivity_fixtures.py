#!/usr/bin/env python3
"""Writes Tests/DifferentialEquationsTests/Fixtures/sensitivities.json: derivatives of solutions of differential equations by their
initial states and parameters, from CasADi's interface to CVODES (pip install casadi).

CVODES solves state and sensitivities together with backward differentiation, with the errors of both under control at tolerances near
rounding. Each problem is solved with two tolerances; how far these are apart is written down as its uncertainty.
"""

import casadi as ca
import numpy as np

from fixture_io import TESTS, write

OUTPUT = TESTS / "DifferentialEquationsTests/Fixtures/sensitivities.json"


def lorenz(y, p):
    return [p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]]


def robertson(y, k):
    a, b, c = k[0] * y[0], k[1] * y[1] * y[1], k[2] * y[1] * y[2]
    return [c - a, a - b - c, b]


def van_der_pol(y, p):
    return [y[1], p[0] * (1 - y[0] ** 2) * y[1] - y[0]]


def hires(y, k):
    """With three of its rate constants as parameters."""
    return [
        -k[0] * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007,
        k[0] * y[0] - 8.75 * y[1],
        -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4],
        8.32 * y[1] + k[0] * y[2] - 1.12 * y[3],
        -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6],
        -k[1] * y[5] * y[7] + 0.69 * y[3] + k[0] * y[4] - 0.43 * y[5] + 0.69 * y[6],
        k[1] * y[5] * y[7] - k[2] * y[6],
        -k[1] * y[5] * y[7] + k[2] * y[6],
    ]


def heat(y, p):
    """Diffusion and growth on a line of ten points with fixed ends."""
    n = 10
    left = lambda i: y[i - 1] if i > 0 else p[2]
    right = lambda i: y[i + 1] if i < n - 1 else 0
    return [p[0] * (n + 1) ** 2 * (left(i) - 2 * y[i] + right(i)) + p[1] * y[i] * (1 - y[i]) for i in range(n)]


# Right-hand side, initial state, parameters, end, absolute tolerances relative to the relative one.
PROBLEMS = {
    "Lorenz": (lorenz, [1, 1, 1], [10, 28, 8 / 3], 1.0, 1),
    "Robertson": (robertson, [1, 0, 0], [0.04, 3e7, 1e4], 40.0, 1e-6),
    "Van der Pol": (van_der_pol, [2, 0], [5.0], 10.0, 1),
    "HIRES": (hires, [1, 0, 0, 0, 0, 0, 0, 0.0057], [1.71, 280, 1.81], 100.0, 1e-4),
    "Heat": (heat, [0.1 * i * (11 - i) / 11 for i in range(1, 11)], [0.05, 2.0, 0.3], 1.0, 1),
}


def solve(rate, initial, parameters, end, scale, tolerance):
    n, count = len(initial), len(parameters)
    y, p = ca.SX.sym("y", n), ca.SX.sym("p", count)
    options = {
        "reltol": tolerance, "abstol": tolerance * scale, "max_num_steps": 10_000_000, "fsens_err_con": True,
        "sensitivity_method": "simultaneous",
    }
    solver = ca.integrator("solver", "cvodes", {"x": y, "p": p, "ode": ca.vertcat(*rate(y, p))}, 0, end, options)
    a, b = ca.MX.sym("a", n), ca.MX.sym("b", count)
    final = solver(x0=a, p=b)["xf"]
    function = ca.Function("function", [a, b], [final, ca.jacobian(final, a), ca.jacobian(final, b)])
    return [np.array(v) for v in function(initial, parameters)]


def main():
    result = {}
    for name, (rate, initial, parameters, end, scale) in PROBLEMS.items():
        coarse = solve(rate, initial, parameters, end, scale, 1e-11)
        fine = solve(rate, initial, parameters, end, scale, 1e-13)
        largest = [np.max(np.abs(v), axis=0, keepdims=True) for v in fine]
        uncertainty = max(float(np.max(np.abs(a - b) / m)) for a, b, m in zip(fine, coarse, largest))
        result[name] = {
            "initial": [float(v) for v in initial], "parameters": [float(v) for v in parameters], "end": end,
            "final": fine[0].ravel().tolist(), "byInitialState": fine[1].tolist(), "byParameters": fine[2].tolist(),
            "uncertainty": uncertainty,
        }
        print(name, uncertainty)
    write(OUTPUT, result)


main()
