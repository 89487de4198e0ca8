"""Times of JAX on the CPU, float64 and jit, for bench-autodiff.

usage: autodiff_jax.py small|chain|product|training
"""

import os
import sys
import types

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import jax
import jax.numpy as jnp
import numpy as np

import autodiff_workloads as workloads
from autodiff_workloads import repeat, report

M = types.SimpleNamespace(
    sin=jnp.sin, cos=jnp.cos, stack=jnp.stack, vector=lambda x: jnp.array(x, dtype=float), cross=jnp.cross,
    number=lambda x, like: jnp.asarray(x),
    rotation=lambda kind, angle: jnp.stack([jnp.stack(r) for r in workloads.rotation_rows(M, kind, angle)]))
BATCH = 4096


def small():
    random = np.random.default_rng(3)
    f = jax.jit(lambda x: workloads.scalar(M, x))
    x = jnp.asarray(0.7)
    report("jax scalar", repeat(10, 2000, lambda: f(x).block_until_ready()))
    lorenz = lambda x: workloads.lorenz(M, x)
    arm = lambda x: workloads.arm(M, x)
    for name, f, count in [("lorenz", lorenz, 3), ("lorenz Jacobian", jax.jacfwd(lorenz), 3),
                           ("arm", arm, 3 * workloads.JOINTS)]:
        x = jnp.asarray(random.uniform(-1, 1, count))
        rows = jnp.asarray(random.uniform(-1, 1, (BATCH, count)))
        single, many = jax.jit(f), jax.jit(jax.vmap(f))
        report(f"jax {name}", repeat(10, 200, lambda: single(x).block_until_ready()))
        report(f"jax {name} batch", [t / BATCH for t in repeat(10, 10, lambda: many(rows).block_until_ready())])


def chain():
    x = jnp.sin(jnp.arange(1e7))
    f = jax.jit(lambda x: workloads.chain(M, x))
    report("jax chain", repeat(8, 2, lambda: f(x).block_until_ready()))


def product():
    a = jnp.sin(jnp.arange(1024.0 * 1024)).reshape(1024, 1024)
    f = jax.jit(jnp.matmul)
    report("jax product", repeat(8, 2, lambda: f(a, a).block_until_ready()))


def training():
    random = np.random.default_rng(5)
    sizes = [784, 256, 256, 10]
    parameters = [(jnp.asarray(random.uniform(-1.7, 1.7, (m, n)) * np.sqrt(2 / m), dtype=jnp.float32),
                   jnp.zeros(n, dtype=jnp.float32)) for m, n in zip(sizes, sizes[1:])]
    x = jnp.asarray(random.uniform(0, 1, (128, 784)), dtype=jnp.float32)
    labels = jax.nn.one_hot(jnp.arange(128) % 10, 10, dtype=jnp.float32)

    def loss(parameters, x, labels):
        for w, b in parameters[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = parameters[-1]
        return -jnp.sum(jax.nn.log_softmax(x @ w + b) * labels) / x.shape[0]

    @jax.jit
    def step(parameters, x, labels):
        slope = jax.grad(loss)(parameters, x, labels)
        return jax.tree.map(lambda p, g: p - jnp.float32(0.05) * g, parameters, slope)

    state = [parameters]

    def body():
        state[0] = jax.block_until_ready(step(state[0], x, labels))

    before = loss(parameters, x, labels)
    report("jax training", repeat(10, 20, body))
    assert loss(state[0], x, labels) < before


if __name__ == "__main__":
    {"small": small, "chain": chain, "product": product, "training": training}[sys.argv[1]]()
