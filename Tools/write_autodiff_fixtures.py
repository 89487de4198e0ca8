#!/usr/bin/env python3
"""Writes Tests/AutodiffTests/Fixtures: random programs and hard cases, differentiated by JAX in float64.

A program is a list of steps in text, `name operand ... key=number,...`; operands number the values before: inputs
first, then one value per step. A step with `body=k` applies body k, whose values are its parameters, then
the step's captured operands, then its own steps. The output is flat; its cotangent and the direction of the inputs follow
from the formulas `cotangent` and `direction`, and the Hessian-vector product is that of the cotangent's sum.

A program is kept if its value and derivatives are of moderate size and well conditioned (moving an input by an ulp
moves them by less than the tests' tolerance), and if no choice in it (order, sign, selection) is close.

usage: write_autodiff_fixtures.py [count]      (default: 200)
"""

import json
import math
import os
import random
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen=false")

import jax
import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
from jax import lax

from fixture_io import TESTS

OUTPUT = TESTS / "AutodiffTests/Fixtures"


def cotangent(count):
    return np.array([((7 * k) % 11 - 5) / 4 + 0.125 for k in range(count)])


def direction(shapes):
    """Of all inputs, numbered through."""
    result, k = [], 0
    for shape in shapes:
        n = math.prod(shape)
        result.append(np.array([((5 * j) % 13 - 6) / 8 + 0.0625 for j in range(k, k + n)]).reshape(shape))
        k += n
    return result


def weights(count):
    """What `weigh` multiplies with."""
    return np.array([((3 * k) % 7 - 2) / 4 for k in range(count)])


# Steps. Each name maps to a function of the environment, the operands and the attributes (lists of numbers).

UNARY = {
    "neg": lambda x: -x, "abs": jnp.abs, "sign": jnp.sign, "floor": jnp.floor, "ceil": jnp.ceil,
    "round": jnp.round, "trunc": jnp.trunc, "square": jnp.square, "sqrt": jnp.sqrt, "reciprocal": jnp.reciprocal,
    "exp": jnp.exp, "expm1": jnp.expm1, "log": jnp.log, "log1p": jnp.log1p, "sin": jnp.sin, "cos": jnp.cos,
    "tan": jnp.tan, "asin": jnp.arcsin, "acos": jnp.arccos, "atan": jnp.arctan, "sinh": jnp.sinh,
    "cosh": jnp.cosh, "tanh": jnp.tanh, "asinh": jnp.arcsinh, "acosh": jnp.arccosh, "atanh": jnp.arctanh,
    "logistic": jax.nn.sigmoid, "erf": jsp.special.erf, "erfc": jsp.special.erfc, "lgamma": jsp.special.gammaln,
    "digamma": jsp.special.digamma, "sinc": lambda x: jnp.sinc(x / jnp.pi), "relu": jax.nn.relu,
    "softplus": jax.nn.softplus, "silu": jax.nn.silu, "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "stopGradient": lax.stop_gradient,
}
# Where a unary step may be applied; the rest anywhere between -4 and 4.
DOMAIN = {
    "sqrt": lambda x: x > 0.1, "reciprocal": lambda x: abs(x) > 0.2, "log": lambda x: x > 0.1,
    "log1p": lambda x: x > -0.8, "exp": lambda x: x < 2.5, "expm1": lambda x: x < 2.5, "sinh": lambda x: abs(x) < 2.5,
    "cosh": lambda x: abs(x) < 2.5, "tan": lambda x: abs(np.cos(x)) > 0.3, "asin": lambda x: abs(x) < 0.9,
    "acos": lambda x: abs(x) < 0.9, "acosh": lambda x: x > 1.2, "atanh": lambda x: abs(x) < 0.85,
    "lgamma": lambda x: x > 0.3, "digamma": lambda x: x > 0.3, "abs": lambda x: abs(x) > 1e-3,
    "sign": lambda x: abs(x) > 1e-3, "relu": lambda x: abs(x) > 1e-3,
    "floor": lambda x: abs(x - np.round(x)) > 1e-3, "ceil": lambda x: abs(x - np.round(x)) > 1e-3,
    "trunc": lambda x: abs(x - np.round(x)) > 1e-3, "round": lambda x: abs(x - np.floor(x) - 0.5) > 1e-3,
    "sinc": lambda x: abs(x) > 0.05,
}
BINARY = {
    "add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply, "div": jnp.divide, "pow": jnp.power,
    "atan2": jnp.arctan2, "minimum": jnp.minimum, "maximum": jnp.maximum, "remainder": jnp.remainder,
}
SMOOTH_UNARY = ["sin", "cos", "tanh", "logistic", "atan", "softplus", "asinh", "erf", "silu"]
EINSUM = ["ij,jk->ik", "ij,ij->", "ij,kj->ki", "i,ij->j", "ij,j->i", "ii->i", "ijk,kl->ijl", "ij->ji", "bij,bjk->bik"]


def distinct(x, axis=-1):
    """True if no two neighbours in order along the axis are close."""
    return x.shape[axis] < 2 or np.min(np.diff(np.sort(x, axis=axis), axis=axis)) > 1e-3


def axes_of(attributes):
    return tuple(attributes["axes"]) if "axes" in attributes else None


def weigh(x):
    return jnp.sum(jnp.ravel(x) * weights(x.size))


def regular(x):
    """A square matrix made safely regular."""
    return x + (3 + 0.5 * jnp.arange(x.shape[-1])) * jnp.eye(x.shape[-1])


def positive(x):
    return x @ jnp.swapaxes(x, -1, -2) + jnp.eye(x.shape[-2])


def symmetric(x):
    return x + jnp.swapaxes(x, -1, -2) + jnp.diag(3.0 * jnp.arange(x.shape[-1]))


def lower(x):
    return jnp.tril(regular(x))


def root_of(a):
    """x + 0.3 sin x = a, by Newton's method, differentiated implicitly."""
    def equation(x):
        return x + 0.3 * jnp.sin(x) - a

    def solve(f, guess):
        return lax.fori_loop(0, 40, lambda _, x: x - (x + 0.3 * jnp.sin(x) - a) / (1 + 0.3 * jnp.cos(x)), guess)

    def tangent(g, y):
        # The Jacobian is diagonal.
        return y / g(jnp.ones_like(y))

    return lax.custom_root(equation, a, solve, tangent)


def apply(program, name, x, a):
    """One step: name, operands, attributes."""
    x = [jnp.asarray(v) for v in x]
    if name in UNARY:
        return UNARY[name](x[0])
    if name in BINARY:
        return BINARY[name](x[0], x[1])
    match name:
        case "constant": return jnp.array(a["values"], dtype=float).reshape(a.get("shape", []))
        case "scale": return x[0] * a["by"][0]
        case "shift": return x[0] + a["by"][0]
        case "rescale": return a["by"][0] / x[0]
        case "power": return x[0] ** a["by"][0]
        case "select": return jnp.where(x[0] > x[1], x[2], x[3])
        case "clamp": return jnp.clip(x[0], a["by"][0], a["by"][1])
        case "sum": return jnp.sum(x[0], axes_of(a), keepdims="keep" in a)
        case "mean": return jnp.mean(x[0], axes_of(a), keepdims="keep" in a)
        case "variance": return jnp.var(x[0], axes_of(a), keepdims="keep" in a)
        case "max": return jnp.max(x[0], axes_of(a), keepdims="keep" in a)
        case "min": return jnp.min(x[0], axes_of(a), keepdims="keep" in a)
        case "product": return jnp.prod(x[0], a["axis"][0])
        case "logSumExp": return jsp.special.logsumexp(x[0], axes_of(a), keepdims="keep" in a)
        case "norm": return jnp.sqrt(jnp.sum(jnp.square(x[0]), axes_of(a), keepdims="keep" in a))
        case "softmax": return jax.nn.softmax(x[0], a["axis"][0])
        case "logSoftmax": return jax.nn.log_softmax(x[0], a["axis"][0])
        case "weigh": return weigh(x[0])
        case "broadcast": return jnp.broadcast_to(x[0], a["shape"])
        case "reshape": return x[0].reshape(a["shape"])
        case "transpose": return jnp.transpose(x[0], a["order"])
        case "moveAxis": return jnp.moveaxis(x[0], a["order"][0], a["order"][1])
        case "expand": return jnp.expand_dims(x[0], a["axis"][0])
        case "slice":
            start, count, step = a["range"]
            return lax.slice_in_dim(x[0], start, start + (count - 1) * step + 1, step, a["axis"][0])
        case "at": return jnp.take(x[0], a["place"][0], a["axis"][0])
        case "set": return x[0].at[a["place"][0]].set(x[1])
        case "reversed": return jnp.flip(x[0], a["axis"][0])
        case "pad": return jnp.pad(x[0], list(zip(a["before"], a["after"])), constant_values=a["by"][0])
        case "concatenate": return jnp.concatenate(x, a["axis"][0])
        case "stack": return jnp.stack(x, a["axis"][0])
        case "diagonal": return jnp.diagonal(x[0], axis1=-2, axis2=-1)
        case "asDiagonal": return jnp.diag(x[0])
        case "lowerTriangle": return jnp.tril(x[0], a["offset"][0])
        case "upperTriangle": return jnp.triu(x[0], a["offset"][0])
        case "cumulativeSum":
            y = jnp.flip(x[0], a["axis"][0]) if "reverse" in a else x[0]
            y = jnp.cumsum(y, a["axis"][0])
            return jnp.flip(y, a["axis"][0]) if "reverse" in a else y
        case "cumulativeProduct": return jnp.cumprod(x[0], a["axis"][0])
        case "differences": return jnp.diff(x[0], axis=a["axis"][0])
        case "sorted": return jnp.sort(x[0], axis=a["axis"][0])
        case "taking": return jnp.take(x[0], jnp.array(a["indices"]), a["axis"][0])
        case "takingOrder":
            order = jnp.argsort(x[1], axis=a["axis"][0])
            return jnp.take_along_axis(x[0], order, a["axis"][0])
        case "takingLargest": return jnp.take(x[0], jnp.argmax(x[1]), 0)
        case "addingRows": return x[0].at[jnp.array(a["indices"])].add(x[1])
        case "matmul": return jnp.matmul(x[0], x[1])
        case "dot": return jnp.sum(x[0] * x[1], -1)
        case "outer": return jnp.outer(x[0], x[1])
        case "einsum": return jnp.einsum(EINSUM[a["formula"][0]], *x)
        case "cross": return jnp.cross(x[0], x[1])
        case "solve": return jnp.linalg.solve(regular(x[0]), x[1])
        case "inverse": return jnp.linalg.inv(regular(x[0]))
        case "determinant": return jnp.linalg.det(regular(x[0])) / 10
        case "logDeterminant": return jnp.linalg.slogdet(regular(x[0]))[1]
        case "cholesky": return jnp.linalg.cholesky(positive(x[0]))
        case "choleskySolve": return jsp.linalg.cho_solve((jnp.linalg.cholesky(positive(x[0])), True), x[1])
        case "triangularSolve":
            return jsp.linalg.solve_triangular(lower(x[0]), x[1], lower=True, trans=a["transposed"][0])
        case "leastSquares": return jnp.linalg.solve(x[0].T @ x[0], x[0].T @ x[1])
        case "qr":
            q, r = jnp.linalg.qr(regular(x[0]))
            # The diagonal of R is positive by convention.
            signs = jnp.sign(jnp.diagonal(r))
            return jnp.stack([q * signs, signs[:, None] * r])
        case "lu":
            _, l, u = jsp.linalg.lu(regular(x[0]))
            return jnp.stack([l, u])
        case "eigenvalues": return jnp.linalg.eigh(x[0] if "raw" in a else symmetric(x[0]))[0]
        case "eigenFunction":
            values, vectors = jnp.linalg.eigh(x[0] if "raw" in a else symmetric(x[0]))
            return (vectors * jnp.tanh(values)) @ vectors.T
        case "eigenProjector":
            vectors = jnp.linalg.eigh(x[0])[1][:, :a["count"][0]]
            return vectors @ vectors.T
        case "singularValues": return jnp.linalg.svd(x[0] if "raw" in a else regular(x[0]), full_matrices=False)[1]
        case "singularFunction":
            u, s, vt = jnp.linalg.svd(x[0] if "raw" in a else regular(x[0]), full_matrices=False)
            return (u * jnp.log(s)) @ vt
        case "root": return root_of(x[0])
    body = program["bodies"][a["body"][0]]

    def call(*values):
        results = run(program, body["steps"], list(values))
        return [results[k] for k in body["outputs"]]

    match name:
        case "scan":
            def step(state, row):
                state, result = call(state, row, *x[2:])
                return state, result
            state, rows = lax.scan(step, x[0], x[1], reverse="reverse" in a)
            return jnp.concatenate([jnp.ravel(state), jnp.ravel(rows)])
        case "forLoop":
            return lax.scan(lambda s, _: (call(s, *x[1:])[0], None), x[0], None, length=a["count"][0])[0]
        case "whileLoop":
            # As long as the count, the first part of the state, has not run out.
            return lax.while_loop(
                lambda s: s[0] < a["count"][0], lambda s: (s[0] + 1.0, call(s[1], *x[1:])[0]), (0.0, x[0]))[1]
        case "cond":
            other = program["bodies"][a["body"][1]]
            return lax.cond(
                x[0] > 0.1, lambda: call(*x[1:])[0],
                lambda: run(program, other["steps"], list(x[1:]))[other["outputs"][0]])
        case "checkpoint": return jax.checkpoint(lambda *v: call(*v)[0])(*x)
        case "vmap": return jax.vmap(lambda row: call(row, *x[1:])[0])(x[0])
        case "grad": return jax.grad(lambda y: weigh(call(y, *x[1:])[0]))(x[0])
        case "jvp": return jax.jvp(lambda y: call(y, *x[1:])[0], (x[0],), (jnp.cos(x[0]),))[1]
        case "vmapGrad": return jax.vmap(jax.grad(lambda row: weigh(call(row, *x[1:])[0])))(x[0])
    raise ValueError(name)


def parse(step):
    words = step.split()
    operands = [int(w) for w in words[1:] if "=" not in w]
    attributes = {}
    for word in words[1:]:
        if "=" in word:
            key, text = word.split("=")
            attributes[key] = [float(t) if "." in t or "e" in t else int(t) for t in text.split(",") if t]
    return words[0], operands, attributes


def run(program, steps, values):
    for step in steps:
        name, operands, attributes = parse(step)
        values.append(apply(program, name, [values[k] for k in operands], attributes))
    return values


def outputs(program, inputs):
    values = run(program, program["steps"], list(inputs))
    return jnp.concatenate([jnp.ravel(values[k]) for k in program["outputs"]])


# Generation.

class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.program = {"steps": [], "bodies": [], "outputs": []}
        self.values = []
        self.used = set()
        self.is_forward_only = False

    def number(self, low, high):
        return round(self.random.uniform(low, high), 3)

    def pick(self, condition=lambda x: True):
        """The number of a value that fulfils a condition, rather a late or unused one; None if there is none."""
        found = [k for k, x in enumerate(self.values) if condition(x)]
        if not found:
            return None
        fresh = [k for k in found if k not in self.used]
        return self.random.choice(fresh if fresh and self.random.random() < 0.6 else found)

    def add(self, name, operands=(), **attributes):
        """Appends a step if its value is fit to go on with. True if so."""
        if any(k is None for k in operands):
            return False
        words = [name] + [str(k) for k in operands]
        for key, numbers in attributes.items():
            if not isinstance(numbers, (list, tuple)):
                numbers = [numbers]
            words.append(key + "=" + ",".join(str(n) for n in numbers))
        step = " ".join(words)
        value = np.asarray(apply(self.program, *[
            part if k != 1 else [self.values[i] for i in part] for k, part in enumerate(parse(step))]))
        if value.size > 36 or value.size == 0 or value.ndim > 3:
            return False
        if not np.all(np.isfinite(value)) or np.max(np.abs(value)) > 12:
            return False
        self.program["steps"].append(step)
        self.values.append(value)
        self.used.update(operands)
        return True

    # Proposals: each tries to add one step.

    def unary(self):
        name = self.random.choice(list(UNARY))
        inside = DOMAIN.get(name, lambda x: abs(x) < 4)
        return self.add(name, [self.pick(lambda x: bool(np.all(inside(x))))])

    def binary(self):
        name = self.random.choice(list(BINARY))
        a = self.pick()
        x = self.values[a]

        def fits(y):
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                return False
            if name == "div":
                return np.min(abs(y)) > 0.2
            if name == "pow":
                return np.min(x) > 0.2 and np.max(abs(y)) < 4
            if name == "atan2":
                return np.min(x * x + y * y) > 0.1 and np.min(np.abs(x + 0 * y)) > 1e-3
            if name in ("minimum", "maximum"):
                return np.min(abs(x - y)) > 1e-3
            if name == "remainder":
                return np.min(abs(y)) > 0.2 and np.min(np.abs(x / y - np.round(x / y))) > 1e-2
            return True
        return self.add(name, [a, self.pick(fits)])

    def literal(self):
        name = self.random.choice(["scale", "shift", "rescale", "power", "clamp"])
        if name == "rescale":
            return self.add(name, [self.pick(lambda x: np.min(abs(x)) > 0.2)], by=self.number(-2, 2))
        if name == "power":
            by = self.random.choice([2, 3, 4, -1, -2, 0.5, 1.5, -0.5, 2.25])
            return self.add(name, [self.pick(lambda x: np.min(x) > 0.2)], by=float(by))
        if name == "clamp":
            low, high = self.number(-1, -0.2), self.number(0.2, 1)
            clear = lambda x: np.min(abs(x - low)) > 1e-3 and np.min(abs(x - high)) > 1e-3
            return self.add(name, [self.pick(clear)], by=[low, high])
        return self.add(name, [self.pick()], by=self.number(-1.5, 1.5))

    def choice(self):
        a = self.pick(lambda x: x.ndim > 0)
        if a is None:
            return False
        same = lambda x: x.shape == self.values[a].shape
        b = self.pick(lambda x: same(x) and np.min(abs(x - self.values[a])) > 1e-3)
        return self.add("select", [a, b, self.pick(same), self.pick(same)])

    def reduction(self):
        name = self.random.choice(
            ["sum", "mean", "variance", "max", "min", "logSumExp", "norm", "product", "softmax", "logSoftmax"])
        k = self.pick(lambda x: x.ndim > 0 and x.size > 1)
        if k is None:
            return False
        x = self.values[k]
        if name in ("product", "softmax", "logSoftmax"):
            return self.add(name, [k], axis=self.random.randrange(-x.ndim, x.ndim))
        if name in ("max", "min") and not distinct(x.ravel()):
            return False
        attributes = {"keep": 1} if self.random.random() < 0.3 else {}
        if self.random.random() < 0.7:
            attributes["axes"] = sorted(self.random.sample(range(x.ndim), self.random.randint(1, x.ndim)))
        if name == "norm" and np.min(np.sqrt(np.sum(x * x, axis=axes_of(attributes)))) < 0.1:
            return False
        return self.add(name, [k], **attributes)

    def shaping(self):
        k = self.pick(lambda x: x.ndim > 0)
        if k is None:
            return False
        x = self.values[k]
        axis = self.random.randrange(x.ndim)
        match self.random.randrange(16):
            case 0: return self.add("broadcast", [k], shape=[self.random.randint(2, 3), *x.shape])
            case 1:
                factors = [f for f in range(1, x.size + 1) if x.size % f == 0]
                f = self.random.choice(factors)
                return self.add("reshape", [k], shape=[f, x.size // f])
            case 2:
                return self.add("transpose", [k], order=self.random.sample(range(x.ndim), x.ndim))
            case 3: return self.add("expand", [k], axis=self.random.randint(0, x.ndim))
            case 4:
                start = self.random.randrange(x.shape[axis])
                step = self.random.randint(1, 2)
                count = self.random.randint(1, (x.shape[axis] - start - 1) // step + 1)
                return self.add("slice", [k], axis=axis, range=[start, count, step])
            case 5: return self.add("at", [k], axis=axis, place=self.random.randrange(x.shape[axis]))
            case 6:
                part = self.pick(lambda y: y.shape == x.shape[1:])
                return self.add("set", [k, part], place=self.random.randrange(x.shape[0]))
            case 7: return self.add("reversed", [k], axis=axis)
            case 8:
                before, after = ([self.random.randint(0, 1) for _ in x.shape] for _ in range(2))
                return self.add("pad", [k], before=before, after=after, by=self.number(-1, 1))
            case 9:
                other = self.pick(lambda y: y.ndim == x.ndim and all(
                    a == b for n, (a, b) in enumerate(zip(y.shape, x.shape)) if n != axis))
                return self.add("concatenate", [k, other], axis=axis)
            case 10:
                return self.add(
                    "stack", [k, self.pick(lambda y: y.shape == x.shape)], axis=self.random.randint(0, x.ndim))
            case 11:
                return self.add("diagonal", [self.pick(lambda y: y.ndim >= 2 and y.shape[-1] == y.shape[-2])])
            case 12: return self.add("asDiagonal", [self.pick(lambda y: y.ndim == 1)])
            case 13:
                name = self.random.choice(["lowerTriangle", "upperTriangle"])
                return self.add(name, [self.pick(lambda y: y.ndim >= 2)], offset=self.random.randint(-1, 1))
            case 14:
                return self.add("moveAxis", [k], order=[axis, self.random.randrange(x.ndim)])
            case _: return self.add("weigh", [k])

    def indexing(self):
        k = self.pick(lambda x: x.ndim > 0)
        if k is None:
            return False
        x = self.values[k]
        axis = self.random.randrange(x.ndim)
        places = [self.random.randrange(x.shape[axis]) for _ in range(self.random.randint(2, 3))]
        match self.random.randrange(8):
            case 0: return self.add("taking", [k], axis=axis, indices=places)
            case 1:
                other = self.pick(lambda y: y.shape == x.shape and distinct(y, axis))
                return self.add("takingOrder", [k, other], axis=axis)
            case 2:
                rows = self.pick(lambda y: y.ndim == x.ndim and y.shape[1:] == x.shape[1:])
                if rows is None:
                    return False
                indices = [self.random.randrange(x.shape[0]) for _ in range(self.values[rows].shape[0])]
                return self.add("addingRows", [k, rows], indices=indices)
            case 3:
                other = self.pick(lambda y: y.ndim == 1 and y.size <= x.shape[0] and distinct(y))
                return self.add("takingLargest", [k, other])
            case 4: return distinct(x, axis) and self.add("sorted", [k], axis=axis)
            case 5:
                extra = {"reverse": 1} if self.random.random() < 0.5 else {}
                return self.add("cumulativeSum", [k], axis=axis, **extra)
            case 6: return self.add("cumulativeProduct", [k], axis=axis)
            case _: return x.shape[axis] > 1 and self.add("differences", [k], axis=axis)

    def products(self):
        match self.random.randrange(5):
            case 0 | 1:
                a = self.pick(lambda x: x.ndim > 0)
                if a is None:
                    return False
                x = self.values[a]

                def fits(y):
                    if y.ndim == 0 or y.shape[-2 if y.ndim > 1 else 0] != x.shape[-1]:
                        return False
                    return x.ndim < 3 or y.ndim < 3 or x.shape[0] == y.shape[0]
                return self.add("matmul", [a, self.pick(fits)])
            case 2:
                a = self.pick(lambda x: x.ndim == 1)
                return self.add("outer", [a, self.pick(lambda x: x.ndim == 1)])
            case 3:
                a = self.pick(lambda x: x.ndim > 0 and x.shape[-1] == 3)
                return a is not None and self.add(
                    "cross", [a, self.pick(lambda x: x.ndim > 0 and x.shape[-1] == 3 and x.ndim <= 1)])
            case _:
                formula = self.random.randrange(len(EINSUM))
                terms = EINSUM[formula].split("->")[0].split(",")
                extent, operands = {}, []
                for term in terms:
                    def fits(x, term=term):
                        sizes = dict(extent)
                        return x.ndim == len(term) and all(
                            sizes.setdefault(letter, n) == n for letter, n in zip(term, x.shape))
                    k = self.pick(fits)
                    if k is None:
                        return False
                    extent.update(zip(term, self.values[k].shape))
                    operands.append(k)
                return self.add("einsum", operands, formula=formula)

    def linear_algebra(self):
        a = self.pick(lambda x: x.ndim == 2 and x.shape[0] == x.shape[1] and 2 <= x.shape[0] and np.max(abs(x)) < 2)
        if a is None:
            return False
        n = self.values[a].shape[0]
        right = self.pick(lambda x: x.shape == (n,) or (x.ndim == 2 and x.shape[0] == n))
        match self.random.randrange(15):
            case 0 | 1: return self.add("solve", [a, right])
            case 2: return self.add("inverse", [a])
            case 3: return self.add("determinant", [a])
            case 4: return self.add("logDeterminant", [a])
            case 5: return self.add("cholesky", [a])
            case 6: return self.add("choleskySolve", [a, right])
            case 7: return self.add("triangularSolve", [a, right], transposed=self.random.randint(0, 1))
            case 8: return self.add("qr", [a])
            case 9: return self.add("lu", [a])
            case 10: return self.add("eigenvalues", [a])
            case 11: return self.add("eigenFunction", [a])
            case 12: return self.add("singularValues", [a])
            case 13: return self.add("singularFunction", [a])
            case _:
                tall = self.pick(lambda x: x.ndim == 2 and x.shape[0] > x.shape[1] and x.shape[1] < 3
                                 and np.linalg.cond(x) < 5)
                if tall is None:
                    return False
                m = self.values[tall].shape[0]
                return self.add("leastSquares", [tall, self.pick(lambda x: x.shape == (m,))])

    def body(self, parameters, wanted):
        """A smooth computation: parameters are sample values, of which the last ones are captured.

        wanted: for each output the number of the parameter whose shape it has, or None for any."""
        inner = Generator(self.random.random())
        inner.values = list(parameters)
        for _ in range(self.random.randint(2, 5)):
            a = inner.pick()
            x = inner.values[a]
            fits = lambda y: y.ndim == 0 or y.shape == x.shape
            match self.random.randrange(5):
                case 0 | 1: inner.add(self.random.choice(SMOOTH_UNARY), [a])
                case 2: inner.add(self.random.choice(["add", "sub", "mul"]), [a, inner.pick(fits)])
                case 3: inner.add("scale", [a], by=self.number(-1.2, 1.2))
                case _:
                    if x.ndim > 0:
                        inner.add("sum", [a], axes=x.ndim - 1, keep=1)
        results = []
        for want in wanted:
            last = len(inner.values) - 1
            if want is not None:
                # Of the wanted shape, bounded, and dependent on what was computed last.
                shape = inner.values[want].shape
                if inner.values[last].shape != shape:
                    inner.add("weigh", [last])
                    inner.add("add", [want, len(inner.values) - 1])
                else:
                    inner.add("add", [want, last])
                inner.add("tanh", [len(inner.values) - 1])
                last = len(inner.values) - 1
                if inner.values[last].shape != shape:
                    return None
            results.append(last)
        self.program["bodies"].append({"steps": inner.program["steps"], "outputs": results})
        return len(self.program["bodies"]) - 1

    def control(self):
        captured = [self.pick() for _ in range(self.random.randint(0, 2))]
        held = [self.values[k] for k in captured]
        a = self.pick(lambda x: x.size <= 12)
        x = self.values[a]
        bodies = len(self.program["bodies"])
        name = self.random.choice(
            ["scan", "scan", "forLoop", "cond", "checkpoint", "vmap", "grad", "jvp", "vmapGrad", "root"]
            + (["whileLoop"] if self.is_forward_only else []))
        added = False
        match name:
            case "scan":
                rows = self.pick(lambda y: y.ndim > 0)
                if rows is not None:
                    body = self.body([x, self.values[rows][0], *held], [0, None])
                    extra = {"reverse": 1} if self.random.random() < 0.3 else {}
                    added = body is not None and self.add("scan", [a, rows, *captured], body=body, **extra)
            case "forLoop" | "whileLoop":
                body = self.body([x, *held], [0])
                added = body is not None and self.add(
                    name, [a, *captured], body=body, count=self.random.randint(2, 5))
            case "cond":
                p = self.pick(lambda y: y.ndim == 0 and abs(y - 0.1) > 1e-2)
                if p is not None:
                    first, second = self.body([x, *held], [0]), self.body([x, *held], [0])
                    added = first is not None and second is not None and self.add(
                        "cond", [p, a, *captured], body=[first, second])
            case "checkpoint" | "grad" | "jvp":
                body = self.body([x, *held], [None])
                added = self.add(name, [a, *captured], body=body)
            case "vmap" | "vmapGrad":
                if x.ndim > 0:
                    body = self.body([x[0], *held], [None])
                    added = self.add(name, [a, *captured], body=body)
            case "root": added = np.max(abs(x)) < 4 and self.add("root", [a])
        if not added:
            del self.program["bodies"][bodies:]
        return added

    def generate(self):
        shapes = [self.random.choice([(), (3,), (4,), (2, 3), (3, 3), (2, 2), (2, 2, 3), (1, 3), (5,), (3, 1)])
                  for _ in range(self.random.randint(1, 3))]
        if self.random.random() < 0.5:
            shapes.append((3, 3))
        for shape in shapes:
            self.values.append(np.array(
                [self.number(-1.5, 1.5) for _ in range(math.prod(shape))]).reshape(shape))
        inputs = list(self.values)
        proposals = [self.unary, self.unary, self.binary, self.binary, self.literal, self.choice, self.reduction,
                     self.shaping, self.shaping, self.indexing, self.products, self.linear_algebra, self.control]
        length = self.random.randint(6, 16)
        for _ in range(20 * length):
            if len(self.program["steps"]) >= length:
                break
            self.random.choice(proposals)()
        loose = [k for k in range(len(self.values)) if k not in self.used]
        for k in loose:
            if k < len(inputs):
                self.program["outputs"].append(k)
            elif self.values[k].size <= 6:
                self.program["outputs"].append(k)
            else:
                if self.add("weigh", [k]):
                    self.program["outputs"].append(len(self.values) - 1)
                else:
                    self.program["outputs"].append(k)
        return inputs


def derivatives(program, inputs):
    """Value, jvp, vjp and hvp as flat arrays."""
    f = lambda x: outputs(program, x)
    along = [jnp.asarray(x) for x in direction([x.shape for x in inputs])]
    value, tangent = jax.jvp(f, (inputs,), (along,))
    if program["forwardOnly"]:
        return [value, tangent]
    w = cotangent(value.size)
    flat = lambda tree: jnp.concatenate([jnp.ravel(x) for x in tree])
    pulled, second = jax.jvp(jax.grad(lambda x: jnp.sum(w * f(x))), (inputs,), (along,))
    return [value, tangent, flat(pulled), flat(second)]


def program_number(seed):
    """A program with its reference values, or None if it is not fit."""
    generator = Generator(seed)
    generator.is_forward_only = seed % 12 == 0
    inputs = [np.asarray(x) for x in generator.generate()]
    program = generator.program
    program["forwardOnly"] = any(step.startswith("whileLoop") for step in program["steps"])
    compute = jax.jit(lambda x: derivatives(program, x))
    found = [np.asarray(x) for x in compute(inputs)]
    if any(not np.all(np.isfinite(x)) or np.max(abs(x), initial=0) > 1e4 for x in found):
        return None
    moved = [np.asarray(x) for x in compute([np.nextafter(x, 9) for x in inputs])]
    tolerances = [2e-13, 5e-12, 5e-12, 5e-10]
    for a, b, tolerance in zip(found, moved, tolerances):
        if np.max(abs(a - b)) > tolerance * max(1, np.max(abs(a))):
            return None
    if not program["forwardOnly"]:
        along = np.concatenate([np.ravel(x) for x in direction([x.shape for x in inputs])])
        w = cotangent(found[0].size)
        left, right = w @ found[1], along @ found[2]
        if np.max(abs(found[2])) < 1e-3:
            return None
        assert abs(left - right) <= 1e-10 * max(1, np.sum(abs(w * found[1])), abs(right)), (seed, left, right)
    result = {"name": f"program {seed}", "inputs": [
        {"shape": list(x.shape), "values": x.ravel().tolist()} for x in inputs]}
    result.update({key: value for key, value in program.items() if value})
    for key, value in zip(["value", "jvp", "vjp", "hvp"], found):
        result[key] = value.tolist()
    return result


# Hard cases: name, steps, inputs, and what the mathematics says where JAX says something else (value, gradient,
# and why). The gradient is that of the last step's sum.

INF, NAN = math.inf, math.nan
TURN = [[0.0, 2.0], [-2.0, 0.0]]
HARD = [
    ("norm at zero", ["norm 0"], [[0.0, 0.0, 0.0]],
     {"vjp": [0, 0, 0], "why": "the subgradient of least norm"}),
    ("norm of huge numbers", ["norm 0"], [[3e200, 4e200]],
     {"value": [5e200], "vjp": [0.6, 0.8], "why": "squares overflow, the norm does not"}),
    ("norm of tiny numbers", ["norm 0"], [[3e-200, 4e-200]],
     {"value": [5e-200], "vjp": [0.6, 0.8], "why": "squares underflow, the norm does not"}),
    ("square root at zero", ["sqrt 0"], [0.0], {}),
    ("select: square root not taken", ["constant values=0.0,0.0 shape=2", "sqrt 0", "scale 0 by=3.0", "select 0 1 2 3"],
     [[-1.0, 4.0]], {"vjp": [3, 0.25], "why": "a branch that is not taken does not matter"}),
    ("select: logarithm not taken", ["constant values=0.0,0.0 shape=2", "log 0", "scale 0 by=3.0", "select 0 1 2 3"],
     [[0.0, 4.0]], {"vjp": [3, 0.25], "why": "a branch that is not taken does not matter"}),
    ("atan2 on the axes", ["atan2 0 1"], [[0.0, 0.0, 2.0, -2.0], [1.0, -1.0, 0.0, 0.0]], {}),
    ("atan2 at the origin", ["atan2 0 1"], [0.0, 0.0], {}),
    ("sum of equal eigenvalues", ["eigenvalues 0 raw=1"], [[[2.0, 0.0], [0.0, 2.0]]], {}),
    ("eigenspace of a double eigenvalue", ["eigenProjector 0 count=2", "weigh 1"],
     [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]]],
     {"vjp": "projector", "why": "the space is differentiable, its basis is not"}),
    ("log determinant by equal singular values", ["singularValues 0 raw=1", "log 1"], [TURN],
     {}),
    ("logSumExp with -infinity", ["logSumExp 0"], [[0.0, -INF, 0.0]], {}),
    ("logSumExp of -infinity", ["logSumExp 0"], [[-INF, -INF]],
     {"vjp": [0, 0], "why": "the derivative of a constant"}),
    ("logSumExp of large numbers", ["logSumExp 0"], [[1000.0, 1000.0]], {}),
    ("softmax with -infinity", ["softmax 0 axis=0", "weigh 1"], [[0.0, -INF, 0.0]], {}),
    ("sinc at zero", ["sinc 0"], [0.0], {}),
    ("sinc near zero", ["sinc 0"], [[1e-9, 1e-5, -1e-3]],
     {"vjp": [-x / 3 + x**3 / 30 - x**5 / 840 for x in (1e-9, 1e-5, -1e-3)], "why": "the series; JAX loses digits"}),
    ("square by power at zero", ["power 0 by=2.0"], [0.0], {}),
    ("first power at zero", ["power 0 by=1.0"], [0.0], {}),
    ("power of tensors at zero", ["pow 0 1"], [[0.0, 0.0, 0.0], [2.0, 1.0, 3.0]], {}),
    ("zero to the zero", ["pow 0 1"], [0.0, 0.0],
     {"vjp": [0, 0], "why": "x to the constant zero is one; zero to positive numbers is zero"}),
    ("maximum with ties", ["max 0"], [[1.0, 3.0, 3.0]], {}),
    ("minimum with ties", ["min 0"], [[1.0, 1.0, 3.0, 1.0]], {}),
    ("maximum of two that are equal", ["maximum 0 1"], [[1.0, 2.0], [1.0, 0.0]], {}),
    ("sort with ties", ["sorted 0 axis=0", "weigh 1"], [[2.0, 1.0, 1.0, 2.0, 1.0]], {}),
    ("clamp at the bounds", ["clamp 0 by=-1.0,1.0"], [[-1.0, 0.0, 1.0, 2.0]], {}),
    ("absolute value at zero", ["abs 0"], [[0.0, -0.0]],
     {"vjp": [0, 0], "why": "the subgradient of least norm"}),
    ("relu at zero", ["relu 0"], [0.0], {}),
    ("product with a zero", ["product 0 axis=0"], [[2.0, 0.0, 3.0]], {}),
    ("product with two zeros", ["product 0 axis=0"], [[0.0, 0.0, 3.0]], {}),
    ("cumulative product with a zero", ["cumulativeProduct 0 axis=0"], [[0.0, 2.0, 3.0]], {}),
    ("softplus far out", ["softplus 0"], [[-800.0, 0.0, 800.0]], {}),
    ("logistic far out", ["logistic 0"], [[-800.0, 0.0, 800.0]], {}),
    ("hyperbolic tangent far out", ["tanh 0"], [[-800.0, 0.0, 800.0]], {}),
    ("arc sine at one", ["asin 0"], [1.0], {}),
    ("inverse hyperbolic cosine at one", ["acosh 0"], [1.0], {}),
    ("error function far out", ["erf 0"], [[-40.0, 40.0]], {}),
    ("remainder at a multiple", ["remainder 0 1"], [[2.0, 4.0], [2.0, 2.0]], {}),
    ("rounding halves", ["round 0"], [[0.5, 1.5, 2.5]], {}),
    ("variance of equal numbers", ["variance 0"], [[2.0, 2.0, 2.0]], {}),
    ("sum of nothing", ["sum 0"], [np.zeros((0,))], {}),
    ("matrix product over nothing", ["matmul 0 1"], [np.zeros((2, 0)), np.zeros((0, 3))], {}),
]


def projector_gradient(matrix, count):
    """Of the weighed sum of the projector on the first eigenvectors, by perturbation theory across the gap."""
    values, vectors = np.linalg.eigh(matrix)
    w = weights(matrix.size).reshape(matrix.shape)
    inside = vectors.T @ (w + w.T) @ vectors
    result = np.zeros_like(matrix)
    for i in range(count):
        for j in range(count, len(values)):
            result[i, j] = inside[i, j] / (values[i] - values[j])
    result = vectors @ result @ vectors.T
    return ((result + result.T) / 2).ravel().tolist()


def text(x):
    """Numbers for JSON, which knows no infinities."""
    return [v if math.isfinite(v) else "nan" if math.isnan(v) else "inf" if v > 0 else "-inf"
            for v in np.ravel(np.asarray(x, dtype=float)).tolist()]


def hard_case(name, steps, inputs, mathematics):
    inputs = [np.asarray(x, dtype=float) for x in inputs]
    program = {"steps": steps, "bodies": [], "outputs": [len(inputs) + len(steps) - 1]}
    f = lambda x: outputs(program, x)
    found = {
        "value": text(f(inputs)),
        "vjp": text(np.concatenate([np.ravel(x) for x in jax.grad(lambda x: jnp.sum(f(x)))(inputs)])),
    }
    result = {"name": name, "inputs": [{"shape": list(x.shape), "values": text(x)} for x in inputs],
              "steps": steps, "outputs": program["outputs"], **found}
    said = dict(mathematics)
    if said.get("vjp") == "projector":
        said["vjp"] = projector_gradient(inputs[0], 2)
    why = said.pop("why", None)
    for key, numbers in said.items():
        result[f"{key}OfJAX"] = found[key]
        result[key] = text(numbers)
    if why:
        result["why"] = why
    return result


def write_lines(path, items):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(item, separators=(",", ":")) for item in items]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def main(count):
    write_lines(OUTPUT / "hard_cases.json", [hard_case(*case) for case in HARD])
    programs, seed = [], 0
    while len(programs) < count:
        made = program_number(seed)
        if made is not None:
            programs.append(made)
        print(f"{seed}: {'kept' if made else 'refused'}, {len(programs)} programs", file=sys.stderr)
        seed += 1
        if seed % 20 == 0:
            jax.clear_caches()
    write_lines(OUTPUT / "programs.json", programs)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
