#!/usr/bin/env python3
"""Writes Tests/LinearSolversTests/Fixtures/linear_systems.json: matrices of several families with what numpy and scipy make of
them: solutions with the matrix and its transpose, the gradient of half the squared norm of the solution in the entries and
in the right-hand side, the condition number in the 1-norm, the rank, and least-squares solutions.
"""

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as spl

from fixture_io import TESTS, write

OUTPUT = TESTS / "LinearSolversTests/Fixtures/linear_systems.json"


def laplacian(*extents):
    result = sp.csr_matrix((1, 1))
    for extent in extents:
        line = sp.diags([-np.ones(extent - 1), 2 * np.ones(extent), -np.ones(extent - 1)], [-1, 0, 1])
        result = line if result.shape == (1, 1) else sp.kronsum(line, result)
    return sp.csr_matrix(result)


def convection(n, peclet):
    return sp.csr_matrix(sp.diags([-(1 + peclet) * np.ones(n - 1), (2 + peclet) * np.ones(n), -np.ones(n - 1)], [-1, 0, 1]))


def graph(n, edges, rng):
    matrix = 0.3 * sp.identity(n, format="lil")
    for _ in range(edges):
        i, j = rng.integers(n, size=2)
        if i == j:
            continue
        weight = rng.uniform(0.1, 2)
        matrix[i, i] += weight
        matrix[j, j] += weight
        matrix[i, j] -= weight
        matrix[j, i] -= weight
    return sp.csr_matrix(matrix)


def saddle(n, m, rng):
    h = sp.diags(rng.uniform(1, 3, n))
    g = sp.csr_matrix((rng.uniform(0.5, 1.5, 2 * m), (np.repeat(np.arange(m), 2), np.arange(2 * m) % n)), shape=(m, n))
    return sp.csr_matrix(sp.bmat([[h, g.T], [g, None]]))


def main():
    rng = np.random.default_rng(20)
    square = {
        "laplacian 1-D": (laplacian(15), "definite"),
        "laplacian 2-D": (laplacian(5, 6), "definite"),
        "laplacian 3-D": (laplacian(3, 3, 4), "definite"),
        "convection and diffusion": (convection(25, 1.5), "general"),
        "graph": (graph(20, 40, rng), "definite"),
        "saddle point": (saddle(14, 5, rng), "symmetric"),
        "random": (sp.csr_matrix(sp.random(18, 18, 0.2, random_state=rng) + 3 * sp.identity(18)), "general"),
        "hilbert": (sp.csr_matrix(scipy.linalg.hilbert(5)), "definite"),
    }
    systems = []
    for name, (a, kind) in square.items():
        a.sum_duplicates()
        a.sort_indices()
        coo = a.tocoo()
        b = rng.uniform(-1, 1, a.shape[0])
        x = spl.spsolve(a.tocsc(), b)
        adjoint = spl.spsolve(a.T.tocsc(), x)
        systems.append(
            {
                "name": name,
                "kind": kind,
                "size": a.shape[0],
                "rows": coo.row,
                "columns": coo.col,
                "values": coo.data,
                "rightSide": b,
                "solution": x,
                "adjoint": adjoint,
                "gradient": -adjoint[coo.row] * x[coo.col],
                "condition": np.linalg.cond(a.toarray(), 1),
            }
        )
    problems = []
    for name, (m, n, rank) in {"tall": (9, 5, 5), "wide": (5, 9, 5), "deficient": (8, 6, 4)}.items():
        a = rng.uniform(-1, 1, (m, rank)) @ rng.uniform(-1, 1, (rank, n))
        b = rng.uniform(-1, 1, m)
        x, _, found, singular = np.linalg.lstsq(a, b, rcond=None)
        assert found == rank
        problems.append(
            {"name": name, "size": [m, n], "matrix": a, "rightSide": b, "solution": x, "rank": int(found), "singularValues": singular}
        )
    write(OUTPUT, {"systems": systems, "leastSquares": problems})


if __name__ == "__main__":
    main()
