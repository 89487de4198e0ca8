#!/usr/bin/env python3
"""Writes Tests/ImplicitLayersTests/Fixtures/nist_regression.json: the 27 problems of nonlinear regression of NIST's Statistical Reference
Datasets (in the public domain): data, two starting points, certified parameters and residual sum of squares.

The datasets are read from the source distribution of lmfit, which carries them as published:
    pip download lmfit==1.3.4 --no-binary lmfit --no-deps
    ./write_regression_fixtures.py lmfit-1.3.4.tar.gz
"""

import re
import sys
import tarfile

from fixture_io import TESTS, write

OUTPUT = TESTS / "ImplicitLayersTests/Fixtures/nist_regression.json"


def parse(text):
    lines = text.splitlines()
    name = re.search(r"Dataset Name:\s+(\S+)", text).group(1)
    level = re.search(r"(Lower|Average|Higher) Level of Difficulty", text).group(1).lower()
    first, last = map(int, re.search(r"Data\s+\(lines\s+(\d+)\s+to\s+(\d+)\)", text).groups())
    parameters = re.findall(r"^\s*b\d+\s*=\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$", text, re.M)
    columns = list(zip(*[[float(v) for v in line.split()] for line in lines[first - 1 : last]]))
    return {
        "name": name,
        "level": level,
        "starts": [[float(p[k]) for p in parameters] for k in (0, 1)],
        "parameters": [float(p[2]) for p in parameters],
        "deviations": [float(p[3]) for p in parameters],
        "sumOfSquares": float(re.search(r"Residual Sum of Squares:\s+(\S+)", text).group(1)),
        "y": list(columns[0]),
        "x": [list(c) for c in columns[1:]],
    }


def main():
    problems = []
    with tarfile.open(sys.argv[1]) as archive:
        for member in archive.getmembers():
            if "/NIST_STRD/" in member.name and member.name.endswith(".dat"):
                problems.append(parse(archive.extractfile(member).read().decode("ascii")))
    problems.sort(key=lambda p: p["name"].lower())
    assert len(problems) == 27
    for p in problems:
        assert all(len(c) == len(p["y"]) for c in p["x"]) and len(p["parameters"]) >= 2
    write(OUTPUT, problems)


if __name__ == "__main__":
    main()
