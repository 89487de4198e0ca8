"""Times of JAX on the CPU, one thread, with jit, for bench-linear.

usage: linear_jax.py dense|batch
"""

import sys

import linear_workloads as workloads
from autodiff_workloads import repeat, report

import jax
import jax.numpy as jnp


def loss(a, b):
    x = jnp.linalg.solve(a, b)
    return jnp.sum(x * x)


def dense():
    for size in workloads.SIZES:
        a, b = workloads.dense(size)
        calls = workloads.CALLS[size]
        for kind, type in [("float64", jnp.float64), ("float32", jnp.float32)]:
            left, right = jnp.asarray(a, dtype=type), jnp.asarray(b, dtype=type)
            value, both = jax.jit(loss), jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
            report(f"jax value {size} {kind}", repeat(5, calls, lambda: value(left, right).block_until_ready()))
            report(f"jax gradient {size} {kind}",
                   repeat(5, calls, lambda: jax.block_until_ready(both(left, right))))


def batch():
    for size in workloads.BATCH_SIZES:
        a, b = (jnp.asarray(x) for x in workloads.batch(size))
        value = jax.jit(jax.vmap(jnp.linalg.solve))
        both = jax.jit(jax.value_and_grad(lambda a, b: jnp.sum(jax.vmap(loss)(a, b)), argnums=(0, 1)))
        report(f"jax batch value {size}", repeat(2, 1, lambda: value(a, b).block_until_ready()))
        report(f"jax batch gradient {size}", repeat(2, 1, lambda: jax.block_until_ready(both(a, b))))


if __name__ == "__main__":
    {"dense": dense, "batch": batch}[sys.argv[1]]()
