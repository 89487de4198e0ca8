"""Times of PyTorch on the CPU, eager, for bench-autodiff.

usage: autodiff_torch.py small|chain|product|training
"""

import sys
import types

import torch

import autodiff_workloads as workloads
from autodiff_workloads import repeat, report

M = types.SimpleNamespace(
    sin=torch.sin, cos=torch.cos, stack=torch.stack, vector=lambda x: torch.tensor(x, dtype=torch.float64),
    cross=lambda a, b: torch.linalg.cross(a, b), number=lambda x, like: torch.full_like(like, x),
    rotation=lambda kind, angle: torch.stack(
        [torch.stack(r) for r in workloads.rotation_rows(M, kind, angle)]))
BATCH = 4096


def small():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    x = torch.tensor(0.7, dtype=torch.float64)
    report("torch scalar", repeat(10, 500, lambda: workloads.scalar(M, x)))
    for name, f, count in [("lorenz", workloads.lorenz, 3), ("arm", workloads.arm, 3 * workloads.JOINTS)]:
        x = torch.rand(count, dtype=torch.float64) * 2 - 1
        rows = torch.rand(BATCH, count, dtype=torch.float64) * 2 - 1
        many = torch.func.vmap(lambda x: f(M, x))
        report(f"torch {name}", repeat(5, 10, lambda: f(M, x)))
        report(f"torch {name} batch", [t / BATCH for t in repeat(5, 2, lambda: many(rows))])


def chain():
    x = torch.sin(torch.arange(1e7, dtype=torch.float64))
    report("torch chain", repeat(5, 1, lambda: workloads.chain(M, x)))


def product():
    a = torch.sin(torch.arange(1024.0 * 1024, dtype=torch.float64)).reshape(1024, 1024)
    report("torch product", repeat(8, 2, lambda: a @ a))


def training():
    torch.manual_seed(5)
    network = torch.nn.Sequential(
        torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU(),
        torch.nn.Linear(256, 10))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05)
    x = torch.rand(128, 784)
    labels = torch.arange(128) % 10
    losses = []

    def step():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())

    report("torch training", repeat(10, 20, step))
    assert losses[-1] < losses[0]


if __name__ == "__main__":
    {"small": small, "chain": chain, "product": product, "training": training}[sys.argv[1]]()
