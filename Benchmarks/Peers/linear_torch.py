"""Times of PyTorch on the CPU, one thread, eager, for bench-linear.

usage: linear_torch.py dense|batch
"""

import sys

import linear_workloads as workloads
from autodiff_workloads import repeat, report

import torch


def measure(name, suffix, a, b, samples, calls):
    """Values, and values with gradients of a and b."""
    column = b.unsqueeze(-1)

    def value():
        with torch.no_grad():
            x = torch.linalg.solve(a, column)
            return (x * x).sum()

    left, right = a.clone().requires_grad_(), column.clone().requires_grad_()

    def both():
        left.grad = right.grad = None
        x = torch.linalg.solve(left, right)
        (x * x).sum().backward()

    report(f"{name} value {suffix}", repeat(samples, calls, value))
    report(f"{name} gradient {suffix}", repeat(samples, calls, both))


def dense():
    for size in workloads.SIZES:
        a, b = workloads.dense(size)
        for kind, type in [("float64", torch.float64), ("float32", torch.float32)]:
            left, right = torch.tensor(a, dtype=type), torch.tensor(b, dtype=type)
            measure("torch", f"{size} {kind}", left, right, 5, workloads.CALLS[size])


def batch():
    for size in workloads.BATCH_SIZES:
        a, b = (torch.tensor(x) for x in workloads.batch(size))
        measure("torch batch", f"{size}", a, b, 2, 1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"dense": dense, "batch": batch}[sys.argv[1]]()
