#!/usr/bin/env python3
"""Writes Tests/DifferentialEquationsTests/Fixtures/equations.json: reference solutions of differential equations.

Equations that are not stiff are solved by extrapolation of the explicit midpoint rule (Gragg, Bulirsch, Stoer) in extended precision,
with a tolerance of 1e-15 a step; stiff ones by scipy's Radau with a tolerance of 1e-12.
"""

import json

import numpy as np
from scipy.integrate import solve_ivp

from fixture_io import TESTS

OUTPUT = TESTS / "DifferentialEquationsTests/Fixtures/equations.json"

L = np.longdouble


def extrapolation(f, y, t0, t1, tol=L("1e-15")):
    """The solution at t1, in extended precision."""
    y = np.array(y, dtype=L)
    t, t1 = L(t0), L(t1)
    h = (t1 - t) / 100
    numbers = [2 * (k + 1) for k in range(11)]
    while t < t1:
        h = min(h, t1 - t)
        table = []
        for k, n in enumerate(numbers):
            s = h / n
            a, b = y, y + s * f(t, y)
            for i in range(1, n):
                a, b = b, a + 2 * s * f(t + i * s, b)
            row = [(a + b + s * f(t + h, b)) / 2]
            for j in range(k):
                q = (L(n) / L(numbers[k - 1 - j])) ** 2
                row.append(row[j] + (row[j] - table[k - 1][j]) / (q - 1))
            table.append(row)
        error = np.max(np.abs(table[-1][-1] - table[-1][-2]) / (np.abs(y) + np.abs(table[-1][-1]) + L("1e-3")))
        if error <= tol:
            t, y = t + h, table[-1][-1]
            h = h * min(L(2), max(L("0.3"), (tol / max(error, L("1e-30"))) ** (L(1) / 21) * L("0.8")))
        else:
            h = h * max(L("0.1"), (tol / error) ** (L(1) / 21) * L("0.8"))
    return [float(v) for v in y]


def chain(n, first, rate):
    def f(t, y):
        d = np.zeros_like(y)
        d[0] = -first * y[0]
        for i in range(1, n - 1):
            d[i] = rate(i) * y[i - 1] - rate(i + 1) * y[i]
        d[n - 1] = rate(n - 1) * y[n - 2]
        return d

    return f


def diffusion(t, y):
    d = -2 * y
    d[1:] += y[:-1]
    d[:-1] += y[1:]
    return d


K2, M0 = L("2.95912208286"), L("1.00000597682")
MASSES = [L(s) for s in "0.000954786104043 0.000285583733151 0.0000437273164546 0.0000517759138449 0.00000277777777778".split()]
PLANETS = [
    3.42947415189, 3.35386959711, 1.35494901715, 6.64145542550, 5.97156957878, 2.18231499728, 11.2630437207, 14.6952576794,
    6.27960525067, -30.1552268759, 1.65699966404, 1.43785752721, -21.1238353380, 28.4465098142, 15.3882659679,
    -0.557160570446, 0.505696783289, 0.230578543901, -0.415570776342, 0.365682722812, 0.169143213293, -0.325325669158,
    0.189706021964, 0.0877265322780, -0.0240476254170, -0.287659532608, -0.117219543175, -0.176860753121, -0.216393453025,
    -0.0148647893090,
]


def planets(t, y):
    q, v = y[:15].reshape(5, 3), y[15:]
    r3 = np.sum(q * q, axis=1) ** L("1.5")
    a = np.zeros((5, 3), dtype=L)
    for j in range(5):
        a[j] = -(M0 + MASSES[j]) * q[j] / r3[j]
        for k in range(5):
            if k != j:
                d = q[k] - q[j]
                a[j] += MASSES[k] * (d / np.sum(d * d) ** L("1.5") - q[k] / r3[k])
    return np.concatenate([v, (K2 * a).ravel()])


def orbit(t, y):
    r3 = (y[0] * y[0] + y[1] * y[1]) ** L("1.5")
    return np.array([y[2], y[3], -y[0] / r3, -y[1] / r3], dtype=L)


def b4(t, y):
    r = np.sqrt(y[0] * y[0] + y[1] * y[1])
    return np.array([-y[1] - y[0] * y[2] / r, y[0] - y[1] * y[2] / r, y[0] / r])


A = lambda *v: np.array(v, dtype=L)
# T. E. Hull, W. H. Enright, B. M. Fellen, A. E. Sedgwick, Comparing numerical methods for ordinary differential equations, SIAM J.
# Numer. Anal. 9 (1972).
DETEST = {
    "A1": (lambda t, y: -y, [1]),
    "A2": (lambda t, y: -y * y * y / 2, [1]),
    "A3": (lambda t, y: y * np.cos(t), [1]),
    "A4": (lambda t, y: y / 4 * (1 - y / 20), [1]),
    "A5": (lambda t, y: (y - t) / (y + t), [4]),
    "B1": (lambda t, y: A(2 * (y[0] - y[0] * y[1]), -(y[1] - y[0] * y[1])), [1, 3]),
    "B2": (lambda t, y: A(-y[0] + y[1], y[0] - 2 * y[1] + y[2], y[1] - y[2]), [2, 0, 1]),
    "B3": (lambda t, y: A(-y[0], y[0] - y[1] * y[1], y[1] * y[1]), [1, 0, 0]),
    "B4": (b4, [3, 0, 0]),
    "B5": (lambda t, y: A(y[1] * y[2], -y[0] * y[2], -L("0.51") * y[0] * y[1]), [0, 1, 1]),
    "C1": (chain(10, 1, lambda i: 1), [1] + [0] * 9),
    "C2": (chain(10, 1, lambda i: i), [1] + [0] * 9),
    "C3": (diffusion, [1] + [0] * 9),
    "C4": (diffusion, [1] + [0] * 50),
    "C5": (planets, PLANETS),
    "E1": (
        lambda t, y: A(y[1], -(y[1] / (t + 1) + (1 - L("0.25") / (t + 1) ** 2) * y[0])),
        [0.6713967071418030, 0.09540051444747446],
    ),
    "E2": (lambda t, y: A(y[1], (1 - y[0] * y[0]) * y[1] - y[0]), [2, 0]),
    "E3": (lambda t, y: A(y[1], y[0] ** 3 / 6 - y[0] + 2 * np.sin(L("2.78535") * t)), [0, 0]),
    "E4": (lambda t, y: A(y[1], L("0.032") - L("0.4") * y[1] * y[1]), [30, 0]),
    "E5": (lambda t, y: A(y[1], np.sqrt(1 + y[1] * y[1]) / (25 - t)), [0, 0]),
}
for number, e in enumerate([0.1, 0.3, 0.5, 0.7, 0.9]):
    DETEST[f"D{number + 1}"] = (orbit, [1 - L(str(e)), 0, 0, np.sqrt((1 + L(str(e))) / (1 - L(str(e))))])


def lorenz_with_sensitivities(t, z):
    """The state, then its derivatives by the initial state and the parameters, column by column."""
    s, r, b = L(10), L(28), L(8) / L(3)
    y = z[:3]
    J = np.array([[-s, s, 0], [r - y[2], -1, -y[0]], [y[1], y[0], -b]], dtype=L)
    P = np.array([[y[1] - y[0], 0, 0], [0, y[0], 0], [0, 0, -y[2]]], dtype=L)
    f = A(s * (y[1] - y[0]), y[0] * (r - y[2]) - y[1], y[0] * y[1] - b * y[2])
    S = z[3:].reshape(6, 3)
    D = (J @ S.T).T
    D[3:] += P.T
    return np.concatenate([f, D.ravel()])


def pleiades(t, y):
    x, v = y[:14].reshape(2, 7), y[14:]
    a = np.zeros((2, 7), dtype=L)
    for i in range(7):
        for j in range(7):
            if i != j:
                d = x[:, j] - x[:, i]
                a[:, i] += (j + 1) * d / (d @ d) ** L("1.5")
    return np.concatenate([v, a.ravel()])


PLEIADES = [3, 3, -1, -3, 2, -2, 2, 3, -3, 2, 0, 0, -4, 4] + [0, 0, 0, 0, 0, 1.75, -1.5] + [0, 0, 0, -1.25, 1, 0, 0]


def robertson(t, y):
    a, b, c = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]
    return np.array([-a + b, a - b - c, c])


def van_der_pol(t, y):
    return np.array([y[1], ((1 - y[0] ** 2) * y[1] - y[0]) * 1e6])


def hires(t, y):
    return np.array([
        -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007,
        1.71 * y[0] - 8.75 * y[1],
        -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4],
        8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3],
        -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6],
        -280 * y[5] * y[7] + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6],
        280 * y[5] * y[7] - 1.81 * y[6],
        -280 * y[5] * y[7] + 1.81 * y[6],
    ])


def orego(t, y):
    return np.array([
        77.27 * (y[1] + y[0] * (1 - 8.375e-6 * y[0] - y[1])), (y[2] - (1 + y[0]) * y[1]) / 77.27, 0.161 * (y[0] - y[2])
    ])


RATES = [
    0.35, 26.6, 12300, 0.00086, 0.00082, 15000, 0.00013, 24000, 16500, 9000, 0.022, 12000, 1.88, 16300, 4.8e6, 0.00035, 0.0175,
    1e8, 4.44e11, 1240, 2.1, 5.78, 0.0474, 1780, 3.12,
]
# Reactions of the pollution problem: which species make the rate, what each reaction takes and gives (numbered from one).
REACTIONS = [
    ([1], {1: -1, 2: 1, 3: 1}), ([2, 4], {2: -1, 4: -1, 1: 1}), ([5, 2], {5: -1, 2: -1, 6: 1, 1: 1}),
    ([7], {7: -1, 5: 2, 8: 1}), ([7], {7: -1, 8: 1}), ([7, 6], {7: -1, 6: -1, 5: 1, 8: 1}),
    ([9], {9: -1, 10: 1, 5: 1, 8: 1}), ([9, 6], {9: -1, 6: -1, 11: 1}), ([11, 2], {11: -1, 2: -1, 1: 1, 10: 1, 12: 1}),
    ([11, 1], {11: -1, 1: -1, 13: 1}), ([13], {13: -1, 11: 1, 1: 1}), ([10, 2], {10: -1, 2: -1, 14: 1, 1: 1}),
    ([14], {14: -1, 7: 1, 5: 1}), ([1, 6], {1: -1, 6: -1, 15: 1}), ([3], {3: -1, 4: 1}), ([4], {4: -1, 16: 1}),
    ([4], {4: -1, 3: 1}), ([16], {16: -1, 6: 2}), ([16], {16: -1, 3: 1}), ([17, 6], {17: -1, 6: -1, 18: 1, 5: 1}),
    ([19], {19: -1, 2: 1}), ([19], {19: -1, 1: 1, 3: 1}), ([1, 4], {1: -1, 4: -1, 19: 1}), ([19, 1], {19: -1, 1: -1, 20: 1}),
    ([20], {20: -1, 19: 1, 1: 1}),
]


def pollution(t, y):
    d = np.zeros(20)
    for k, (species, changes) in zip(RATES, REACTIONS):
        rate = k * np.prod([y[s - 1] for s in species])
        for s, change in changes.items():
            d[s - 1] += change * rate
    return d


POLLUTION = [0] * 20
for place, value in {2: 0.2, 4: 0.04, 7: 0.1, 8: 0.3, 9: 0.01, 17: 0.007}.items():
    POLLUTION[place - 1] = value

CELLS = 20


def brusselator(t, y):
    u, v = y[:CELLS], y[CELLS:]
    k = (CELLS + 1) ** 2 / 50
    left = lambda w, edge: np.concatenate([[edge], w[:-1]])
    right = lambda w, edge: np.concatenate([w[1:], [edge]])
    return np.concatenate([
        1 + u * u * v - 4 * u + k * (left(u, 1) - 2 * u + right(u, 1)),
        3 * u - u * u * v + k * (left(v, 3) - 2 * v + right(v, 3)),
    ])


GRID = np.arange(1, CELLS + 1) / (CELLS + 1)
STIFF = {
    "Robertson": (robertson, [1, 0, 0], 40.0),
    "Van der Pol": (van_der_pol, [2, 0], 2.0),
    "HIRES": (hires, [1, 0, 0, 0, 0, 0, 0, 0.0057], 321.8122),
    "Orego": (orego, [1, 2, 3], 360.0),
    "Pollution": (pollution, POLLUTION, 60.0),
    "Brusselator": (brusselator, np.concatenate([1 + np.sin(2 * np.pi * GRID), 3 + 0 * GRID]).tolist(), 10.0),
}


def main():
    result = {"detest": {}, "stiff": {}}
    for name, (f, y0) in sorted(DETEST.items()):
        result["detest"][name] = {"initial": [float(v) for v in y0], "final": extrapolation(f, y0, 0, 20)}
        print(name)
    start = [1, 1, 1] + np.eye(6, 3).ravel().tolist()
    result["lorenz"] = {"end": 2.0, "final": extrapolation(lorenz_with_sensitivities, start, 0, 2)}
    result["pleiades"] = {"initial": PLEIADES, "end": 3.0, "final": extrapolation(pleiades, PLEIADES, 0, 3)}
    for name, (f, y0, end) in STIFF.items():
        solution = solve_ivp(f, (0, end), y0, method="Radau", rtol=1e-12, atol=1e-18)
        result["stiff"][name] = {"initial": list(map(float, y0)), "end": end, "final": solution.y[:, -1].tolist()}
        print(name, solution.status, solution.y[:, -1])
    OUTPUT.write_text(json.dumps(result, indent=1) + "\n")


main()
