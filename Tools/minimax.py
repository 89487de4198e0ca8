#!/usr/bin/env python3
"""Writes Sources/CLanes/include/CLanesCoefficients.h: minimax polynomials for the elementary functions.

Each polynomial minimises the weighted maximum error over its interval (Remez exchange in 60 digits); its
coefficients are then rounded to the working precision. Needs mpmath.

    python3 Tools/minimax.py > Sources/CLanes/include/CLanesCoefficients.h
"""

import mpmath as mp
from mpmath import mpf

mp.mp.dps = 60


def remez(function, weight, end, start, count, iterations=12):
    """Coefficients (lowest order first) of the polynomial with `count` terms on [start, end], and its error."""
    middle, half = (end + start) / 2, (end - start) / 2
    nodes = [middle - half * mp.cos(mp.pi * k / count) for k in range(count + 1)]
    for _ in range(iterations):
        rows = mp.matrix(count + 1, count + 1)
        right = mp.matrix(count + 1, 1)
        for i, x in enumerate(nodes):
            for j in range(count):
                rows[i, j] = x**j
            rows[i, count] = (-1) ** i / weight(x)
            right[i] = function(x)
        solution = mp.lu_solve(rows, right)
        coefficients = [solution[j] for j in range(count)]

        def error(x):
            return weight(x) * (function(x) - mp.polyval(coefficients[::-1], x))

        grid = [middle - half * mp.cos(mp.pi * k / (40 * count)) for k in range(40 * count + 1)]
        values = [error(x) for x in grid]
        extrema, k = [], 0
        while k < len(grid):
            best, sign = k, values[k] >= 0
            while k < len(grid) and (values[k] >= 0) == sign:
                if abs(values[k]) > abs(values[best]):
                    best = k
                k += 1
            extrema.append(best)
        if len(extrema) < count + 1:
            break
        while len(extrema) > count + 1:
            extrema.pop(0 if abs(values[extrema[0]]) < abs(values[extrema[-1]]) else -1)
        nodes = [grid[k] for k in extrema]
    return coefficients, max(abs(v) for v in values)


def rounded(x, bits):
    """x to the nearest number with `bits` significant bits, as a C hexadecimal literal."""
    with mp.workprec(bits):
        return float(+x).hex()


TINY = mpf(10) ** -20  # stands for zero: the closed forms below divide by their argument
QUARTER = (mp.pi / 4 * mpf("1.002")) ** 2


def root(f):
    return lambda z: f(mp.sqrt(z))


# name: what is approximated, function, weight, end of the interval (and start), terms in float64 and float32
APPROXIMATIONS = [
    ("SINE", "sin x = x + x z P(z), z = x^2, |x| <= pi/4",
     root(lambda x: (mp.sin(x) / x - 1) / x**2), lambda z: z, QUARTER, TINY, 6, 3),
    ("COSINE", "cos x = 1 - z/2 + z^2 P(z), z = x^2, |x| <= pi/4",
     root(lambda x: (mp.cos(x) - 1 + x**2 / 2) / x**4), lambda z: z**2, QUARTER, TINY, 6, 3),
    ("EXPONENTIAL", "exp x = 1 + x + x^2 P(x), |x| <= ln 2 / 2",
     lambda x: (mp.expm1(x) - x) / x**2 if abs(x) > TINY else mpf(1) / 2, lambda x: x**2 + TINY,
     mp.log(2) * mpf("0.5001"), -mp.log(2) * mpf("0.5001"), 10, 5),
    ("LOGARITHM", "log (1+s)/(1-s) = 2 s + s z P(z), z = s^2, sqrt(1/2) <= (1+s)/(1-s) <= sqrt 2",
     root(lambda s: (2 * mp.atanh(s) / s - 2) / s**2), lambda z: z / 2,
     mpf("0.17158") ** 2, TINY, 7, 3),
    ("HYPERBOLIC_TANGENT", "tanh x = x + x z P(z), z = x^2, |x| <= 0.55",
     root(lambda x: (mp.tanh(x) / x - 1) / x**2), lambda z: z, mpf("0.551") ** 2, TINY, 11, 5),
    ("ARC_SINE", "asin x = x + x z P(z), z = x^2, |x| <= 1/2",
     root(lambda x: (mp.asin(x) / x - 1) / x**2), lambda z: z, mpf("0.2501"), TINY, 12, 5),
    ("ARC_TANGENT", "atan x = x + x z P(z), z = x^2, |x| <= 1/2",
     root(lambda x: (mp.atan(x) / x - 1) / x**2), lambda z: z, mpf("0.2501"), TINY, 12, 5),
]


def parts(name, value, bits):
    """Splits a constant into parts of the given numbers of bits."""
    for index, count in enumerate(bits):
        with mp.workprec(count):
            part = +value
        value -= part
        suffix = f"_{index + 1}" if len(bits) > 1 else ""
        print(f"#define COSTATE_{name}{suffix} {float(part).hex()}")


def report(name, comment, function, weight, end, start, count, bits):
    coefficients, error = remez(function, weight, end, start, count)
    literals = [rounded(c, bits) for c in coefficients]
    print(f"// {comment}; error 2^{float(mp.log(error, 2)):.1f}.")
    print(f"#define COSTATE_{name}_EVEN {', '.join(literals[0::2])}")
    print(f"#define COSTATE_{name}_ODD {', '.join(literals[1::2])}")


def main():
    print("// Written by Tools/minimax.py: polynomial coefficients, lowest order first, those of even and of odd")
    print("// powers apart.")
    print("#ifndef COSTATE_CLANES_COEFFICIENTS_H")
    print("#define COSTATE_CLANES_COEFFICIENTS_H")
    for name, comment, function, weight, end, start, count64, count32 in APPROXIMATIONS:
        print()
        report(name + "_64", comment, function, weight, end, start, count64, 53)
        report(name + "_32", comment, function, weight, end, start, count32, 24)

    print()
    # The double-double logarithm of a power: everything after the second term.
    report("POWER_LOGARITHM_64", "atanh s = s + s z/3 + s z^2 P(z), z = s^2, s as in the logarithm",
           root(lambda s: (mp.atanh(s) / s - 1 - s**2 / 3) / s**4), lambda z: z**2,
           mpf("0.17158") ** 2, TINY, 7, 53)
    # Powers of floats are computed in double.
    report("POWER_LOGARITHM_32", "log2 (1+s)/(1-s) = s P(z), z = s^2, s as in the logarithm",
           root(lambda s: 2 * mp.atanh(s) / s / mp.log(2)), lambda z: mpf(1) / 2,
           mpf("0.17158") ** 2, TINY, 5, 53)
    report("POWER_EXPONENTIAL_32", "2^x = P(x), |x| <= 1/2",
           lambda x: mp.mpf(2) ** x, lambda x: mpf(1), mpf("0.5001"), mpf("-0.5001"), 7, 53)

    print()
    print("// Constants in parts that add up to them; short parts have exact products with small integers.")
    parts("HALF_PI_FUSED_64", mp.pi / 2, [53, 53, 53])
    parts("HALF_PI_FUSED_32", mp.pi / 2, [24, 24, 24])
    parts("HALF_PI_SHORT_64", mp.pi / 2, [40, 40, 53])
    parts("HALF_PI_SHORT_32", mp.pi / 2, [15, 15, 15, 24])
    parts("QUARTER_PI_64", mp.pi / 4, [50, 53])
    parts("QUARTER_PI_32", mp.pi / 4, [21, 24])
    parts("LN2_SHORT_64", mp.log(2), [42, 53])
    parts("LN2_SHORT_32", mp.log(2), [15, 24])
    parts("LN2_64", mp.log(2), [53, 53])
    parts("LOG2_E_64", 1 / mp.log(2), [53])
    parts("LOG2_E_32", 1 / mp.log(2), [24])
    parts("TWO_LOG2_E_64", 2 / mp.log(2), [53, 53])
    parts("THIRD_64", mpf(1) / 3, [53, 53])
    parts("TWO_OVER_PI_64", 2 / mp.pi, [53])
    parts("TWO_OVER_PI_32", 2 / mp.pi, [24])
    print()
    print("// The binary digits of 2 / pi behind 64 zeros, 64 at a time.")
    with mp.workdps(500):
        digits = int(mp.floor(2 / mp.pi * mp.mpf(2) ** 1216))
    words = [0] + [(digits >> 64 * k) & (2**64 - 1) for k in range(18, -1, -1)]
    print("#define COSTATE_TWO_OVER_PI_WORDS \\")
    lines = [", ".join(f"0x{w:016x}ull" for w in words[k : k + 4]) for k in range(0, 20, 4)]
    print("  " + ", \\\n  ".join(lines))
    print("#endif")


if __name__ == "__main__":
    main()
