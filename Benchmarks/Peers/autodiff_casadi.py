"""Writes CasADi's functions for bench-autodiff into a folder: serialised, for its virtual machine, and as C.

usage: autodiff_casadi.py FOLDER
"""

import sys
import types
from pathlib import Path

import casadi as ca

import autodiff_workloads as workloads

BATCH = 4096


def rotation(kind, angle):
    return ca.vertcat(*[ca.horzcat(*row) for row in workloads.rotation_rows(M, kind, angle)])


M = types.SimpleNamespace(
    sin=ca.sin, cos=ca.cos, stack=lambda x: ca.vertcat(*x), vector=lambda x: ca.SX(ca.DM(x)), cross=ca.cross,
    number=lambda x, like: ca.SX(x), rotation=rotation)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    generator = ca.CodeGenerator("functions.c")
    for name, f, count in [("lorenz", workloads.lorenz, 3), ("arm", workloads.arm, 3 * workloads.JOINTS)]:
        x = ca.SX.sym("x", count)
        y = f(M, x)
        weighed = ca.dot(y, ca.DM([1.0 + k for k in range(y.shape[0])]))
        functions = {name: y, f"{name}_gradient": ca.gradient(weighed, x)}
        if name == "lorenz":
            functions["lorenz_Jacobian"] = ca.densify(ca.jacobian(y, x))
        for key, value in functions.items():
            function = ca.Function(key, [x], [value])
            function.save(str(folder / f"{key}.casadi"))
            ca.Function(f"{key}_map", [xs := ca.MX.sym("x", count, BATCH)], [function.map(BATCH)(xs)]).save(
                str(folder / f"{key}_map.casadi"))
            generator.add(function)
            names.append(f"{key} {count} {value.numel()} {function.n_instructions()}")
    generator.generate(str(folder) + "/")
    (folder / "functions.txt").write_text("\n".join(names) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
