#!/usr/bin/env python3
"""Writes Tests/LanesTests/Fixtures/*.json: elementary functions at hard points, computed with mpmath.

Each row holds the arguments, the value rounded to double, and what rounding lost (zero in the float32 rows,
whose values need no more than a double), as hexadecimal numbers. Rows with zeros, infinities and NaN, and those
outside a function's domain, follow C99 annex F.
"""

import ctypes
import ctypes.util
import json
import math
import random
from pathlib import Path

import mpmath as mp
import numpy as np

mp.mp.prec = 1400  # huge arguments of sin and cos need the digits of pi that their exponents reach
OUTPUT = Path(__file__).resolve().parent.parent / "Tests/LanesTests/Fixtures"
INF, NAN = math.inf, math.nan


def single(x):
    """x rounded to float32, as a Python float."""
    with np.errstate(over="ignore"):
        return float(np.float32(x))


def neighbours(x, narrow):
    if narrow:
        x = np.float32(x)
        return [float(np.nextafter(x, np.float32(-INF))), float(x), float(np.nextafter(x, np.float32(INF)))]
    return [math.nextafter(x, -INF), x, math.nextafter(x, INF)]


def hexadecimal(x):
    return "nan" if math.isnan(x) else "inf" if x == INF else "-inf" if x == -INF else float(x).hex()


def nearest_double(value):
    """The double nearest to an mpf; beyond the largest finite one by half a unit, infinity."""
    if abs(value) >= mp.mpf(2) ** 1024 - mp.mpf(2) ** 970:
        return math.copysign(INF, value)
    exponent = max(mp.mag(value) if value else -1100, -1021)
    unit = mp.mpf(2) ** (exponent - 53)
    return math.ldexp(int(mp.nint(value / unit)), exponent - 53)


def split(value, narrow):
    if narrow:
        # Beyond float32's range, what the test compares is the value rounded to float32.
        if abs(value) >= mp.mpf(2) ** 128 - mp.mpf(2) ** 103:
            return math.copysign(INF, value), 0.0
        return nearest_double(value), 0.0
    high = nearest_double(value)
    return high, (float(value - mp.mpf(high)) if math.isfinite(high) else 0.0)


def regular(arguments):
    return all(math.isfinite(x) and x != 0 for x in arguments)


def row(exact, special, arguments, narrow):
    if narrow:
        arguments = [single(x) for x in arguments]
    value = None
    if regular(arguments):
        value = exact(*[mp.mpf(x) for x in arguments])
        if isinstance(value, mp.mpc):
            value = None
    if value is None or mp.isnan(value):
        with np.errstate(all="ignore"):
            high, low = float(special(*[np.float64(x) for x in arguments])), 0.0
    else:
        high, low = split(value, narrow)
        if high == 0:
            high = math.copysign(0.0, value)
    return [hexadecimal(x) for x in arguments] + [hexadecimal(high), hexadecimal(low)]


def scattered(generator, narrow, count, low=None, high=None):
    """Numbers with every exponent in [low, high] equally likely, both signs."""
    low = low if low is not None else (-148 if narrow else -1073)
    high = high if high is not None else (127 if narrow else 1023)
    return [
        generator.choice([-1, 1]) * math.ldexp(generator.uniform(1, 2), generator.randint(low, high - 1))
        for _ in range(count)
    ]


def specials(narrow):
    tiny, normal, large = (2**-149, 2**-126, float(np.finfo(np.float32).max)) if narrow else (
        5e-324, 2.0**-1022, 1.7976931348623157e308)
    positive = [0.0, tiny, normal, large, INF]
    return positive + [-x for x in positive] + [NAN]


def near_half_pi_multiples(generator, narrow, count):
    points = []
    exponents = list(range(0, 128 if narrow else 1024, 4 if narrow else 31))
    for exponent in exponents + [generator.randint(0, 30) for _ in range(count)]:
        multiple = int(math.ldexp(generator.uniform(1, 2), exponent)) if exponent < 1023 else 2**1022
        points.append(float(mp.mpf(multiple) * mp.pi / 2))
    # The closest any float and any double come to a multiple of pi/2.
    points.append(16367173.0 * 2.0**72 if narrow else 6381956970095103.0 * 2.0**797)
    return [single(x) if narrow else x for x in points]


def angles(narrow):
    generator = random.Random(1)
    limits = [2.0**9, 2.0**15, 800.0] if narrow else [2.0**12, 2.0**20, 2.0**30, 1e22]
    points = specials(narrow) + near_half_pi_multiples(generator, narrow, 60)
    for limit in limits + [math.pi / 4, math.pi / 2, math.pi]:
        points += neighbours(limit, narrow)
    return [[x] for x in points + scattered(generator, narrow, 60)]


def exponents(narrow):
    generator = random.Random(2)
    edges = [88.72284, 88.9, -87.3, -103.97, -103.28, -110.0] if narrow else [
        709.782712893384, 709.9, -708.3964185322641, -744.4400719213812, -745.1332191019411, -746.5]
    points = specials(narrow) + edges + [k * math.log(2) / 2 for k in range(-21, 22, 2)]
    points += [x for edge in edges for x in neighbours(edge, narrow)]
    points += [generator.uniform(edges[-1], edges[1]) for _ in range(60)]
    return [[x] for x in points + scattered(generator, narrow, 60, high=9 if not narrow else 6)]


def logarithm_arguments(narrow):
    generator = random.Random(3)
    points = specials(narrow) + [1.0, -1.0]
    points += [1 + s * 2.0**-k for k in range(1, 24 if narrow else 53, 2) for s in (-1, 1)]
    points += [x for edge in (math.sqrt(0.5), 1.0, math.sqrt(2), 2.0) for x in neighbours(edge, narrow)]
    return [[x] for x in points + [abs(x) for x in scattered(generator, narrow, 120)]]


def hyperbolic_arguments(narrow):
    generator = random.Random(4)
    points = specials(narrow) + [x for edge in (0.55, 9.0, 10.0, 19.0, 22.0) for x in neighbours(edge, narrow)]
    points += [generator.uniform(-1, 1) for _ in range(60)] + [generator.uniform(0.5, 0.6) for _ in range(30)]
    return [[x] for x in points + scattered(generator, narrow, 60, high=6)]


def cosines(narrow):
    generator = random.Random(5)
    points = specials(narrow) + [1.5, -1.5] + [s * (1 - 2.0**-k) for k in range(1, 24, 2) for s in (-1, 1)]
    points += [x for edge in (-1.0, -0.5, 0.5, 1.0) for x in neighbours(edge, narrow)]
    points += [generator.uniform(-1, 1) for _ in range(100)]
    return [[x] for x in points + scattered(generator, narrow, 30, high=0)]


def directions(narrow):
    generator = random.Random(6)
    ends = specials(narrow) + [1.0, -1.0]
    pairs = [[y, x] for y in ends for x in ends]
    for _ in range(60):
        pairs.append([generator.uniform(-1, 1), generator.uniform(-1, 1)])
    for ratio in (0.5, 1.0, 2.0):
        for factor in neighbours(ratio, narrow):
            x = generator.uniform(-3, 3)
            pairs += [[x * factor, x], [x, -x * factor]]
    pairs += [list(p) for p in zip(scattered(generator, narrow, 80), scattered(generator, narrow, 80))]
    return pairs


def powers(narrow):
    generator = random.Random(7)
    bases = specials(narrow) + [1.0, -1.0, 0.5, -0.5, 2.0, -2.0]
    whole = [3.0, -3.0, 2.0, -2.0, 0.5, -0.5, 1.0, -1.0, 16777215.0, 9007199254740991.0]
    pairs = [[x, y] for x in bases for y in specials(narrow) + whole]
    span = 127 if narrow else 1022
    for _ in range(80):
        pairs.append([generator.uniform(0, 4), generator.uniform(-9, 9)])
        # Results near the ends of the range: the logarithm needs all its digits there.
        base = abs(scattered(generator, narrow, 1)[0])
        exponent = generator.uniform(-1.08, 1) * span / float(mp.log(base, 2))
        pairs.append([base, exponent])
        close = 1 + generator.uniform(-1, 1) * 2.0 ** -generator.randint(1, 20)
        if close != 1:
            pairs.append([close, generator.uniform(-1, 1) * span / abs(float(mp.log(close, 2)))])
        pairs.append([-generator.uniform(0, 3), float(generator.randint(-30, 30))])
    return pairs


def exact_power(x, y):
    if x < 0 and y != mp.floor(y):
        return mp.nan
    if abs(y * mp.log(abs(x), 2)) > 20000:
        return None  # overflow or underflow: the special rules give the sign
    return mp.power(x, y)


# numpy's power takes shortcuts that differ for infinities and negative zeros.
c_power = ctypes.CDLL(ctypes.util.find_library("m")).pow
c_power.argtypes, c_power.restype = [ctypes.c_double] * 2, ctypes.c_double


FUNCTIONS = {
    "sine": (mp.sin, np.sin, angles),
    "cosine": (mp.cos, np.cos, angles),
    "exponential": (lambda x: mp.exp(x) if abs(x) < 2000 else None, np.exp, exponents),
    "naturalLogarithm": (lambda x: mp.log(x) if x > 0 else mp.nan, np.log, logarithm_arguments),
    "hyperbolicTangent": (lambda x: mp.tanh(x) if abs(x) < 100 else None, np.tanh, hyperbolic_arguments),
    "arcCosine": (lambda x: mp.acos(x) if abs(x) <= 1 else mp.nan, np.arccos, cosines),
    "arcTangent": (mp.atan2, np.arctan2, directions),
    "power": (exact_power, c_power, powers),
}


def main():
    for name, (exact, special, arguments) in FUNCTIONS.items():
        content = {
            "float64": [row(exact, special, a, False) for a in arguments(False)],
            "float32": [row(exact, special, a, True) for a in arguments(True)],
        }
        lines = [
            f'"{width}": [\n' + ",\n".join("  " + json.dumps(r) for r in rows) + "\n]"
            for width, rows in content.items()
        ]
        (OUTPUT / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(name, {k: len(v) for k, v in content.items()})


if __name__ == "__main__":
    main()
