"""Times and memory of SciPy on the Poisson equation of a square grid, for bench-linear: each case in a process of its own.

usage: linear_scipy.py GRID cg|superlu|superlu-symmetric

The loss is the sum of squares of the solution; its gradient with respect to the right-hand side and the matrix' entries takes
one solve with the same factors.
"""

import json
import resource
import sys
import time

import linear_workloads  # sets the threads
import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as linalg


def poisson(grid):
    line = sparse.diags([-np.ones(grid - 1), 2 * np.ones(grid), -np.ones(grid - 1)], [-1, 0, 1])
    identity = sparse.identity(grid)
    return (sparse.kron(identity, line) + sparse.kron(line, identity)).tocsr()


def main(grid, method):
    a = poisson(grid)
    b = np.sin(0.1 * np.arange(grid * grid) + 0.3)
    columns, rows = a.indices, np.repeat(np.arange(a.shape[0]), np.diff(a.indptr))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    iterations = []
    start = time.perf_counter()
    if method == "cg":
        # SciPy has no incomplete Cholesky decomposition; with larger tolerances this one is not symmetric enough to converge.
        factor = linalg.spilu(a.tocsc(), drop_tol=0.01, fill_factor=10, permc_spec="NATURAL",
                              diag_pivot_thresh=0, options={"SymmetricMode": True})
        preconditioner = linalg.LinearOperator(a.shape, factor.solve)

        def solve(right):
            steps = [0]

            def count(_):
                steps[0] += 1

            x, status = linalg.cg(a, right, rtol=1e-8, M=preconditioner, maxiter=20000, callback=count)
            assert status == 0
            iterations.append(steps[0])
            return x
    else:
        options = {} if method == "superlu" else dict(
            permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True})
        factor = linalg.splu(a.tocsc(), **options)
        solve = factor.solve
    made = time.perf_counter()
    x = solve(b)
    solved = time.perf_counter()
    adjoint = solve(2 * x)
    gradient = -adjoint[rows] * x[columns]
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    entries = factor.L.nnz + factor.U.nnz if method == "cg" else factor.nnz
    seconds = solved - start
    print(json.dumps({
        "name": f"scipy {method}", "min": 1e9 * seconds, "median": 1e9 * seconds, "max": 1e9 * seconds,
        "backward": 1e9 * (end - solved), "preparation": 1e9 * (made - start), "iterations": iterations,
        "bytes": 1024 * (peak - before), "entries": int(entries),
        "residual": float(np.linalg.norm(a @ x - b) / np.linalg.norm(b)),
        "sum": float(x @ x), "slope": float(gradient @ np.cos(0.2 * np.arange(gradient.size)))}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
