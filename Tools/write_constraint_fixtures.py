"""Writes the constraint rows that the tests compare with MuJoCo 3.12.0 (float64).

    Tests/RigidBodyTests/Fixtures/constraints/*.json

One file per model: `states` with qpos, qvel and `rows`: type, pos, margin, aref, D and frictionloss of each row, six numbers
each, and `jacobian`, row by row. Contacts are MuJoCo's with its collision tolerance tightened.

Usage: python Tools/write_constraint_fixtures.py [name ...]
"""

import sys
import zlib

import mujoco
import numpy as np

from constraint_variants import VARIANTS
from fixture_io import ROOT, TESTS, file_name, robot_models, write

FOLDER = TESTS / "RigidBodyTests" / "Fixtures" / "constraints"


def load(key, xml=None):
    if xml:
        return mujoco.MjModel.from_xml_string(xml)
    if key.startswith("Models/"):
        return mujoco.MjModel.from_xml_path(str(ROOT / key))
    return mujoco.MjModel.from_xml_path(str(robot_models() / key))


def rounded(values, digits=10):
    return [float(f"{x:.{digits}g}") + 0.0 for x in np.asarray(values).ravel()]


def disturb(m, d, rng):
    """Positions in and beyond limits, free bodies turned and lowered."""
    mujoco.mj_resetData(m, d)
    for j in range(m.njnt):
        a, kind = m.jnt_qposadr[j], int(m.jnt_type[j])
        if kind == 0:
            d.qpos[a:a + 3] += rng.uniform(-0.05, 0.05, 3)
            d.qpos[a + 3:a + 7] += rng.normal(size=4) * 0.3
        elif kind == 1:
            d.qpos[a:a + 4] += rng.normal(size=4) * 0.6
        elif m.jnt_limited[j]:
            low, high = m.jnt_range[j]
            d.qpos[a] = rng.uniform(low - 0.05 * (high - low), high + 0.05 * (high - low))
        else:
            d.qpos[a] += rng.uniform(-0.5, 0.5)
    d.qvel[:] = rng.normal(size=m.nv)


def states(m, rng, count, simulates):
    """Disturbed states, half of them followed by a simulation."""
    d = mujoco.MjData(m)
    for index in range(count):
        disturb(m, d, rng)
        for _ in range(int(rng.integers(20, 400)) if simulates and index >= count // 2 else 0):
            if m.nu:
                d.ctrl[:] = rng.uniform(-0.5, 0.5, m.nu)
            mujoco.mj_step(m, d)
        yield rounded(d.qpos), rounded(d.qvel)


def write_model(key, xml=None, count=6):
    m = load(key, xml)
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    result = []
    # Chains that are disturbed far from their equalities do not come to rest.
    drawn = list(states(m, rng, count, simulates=m.neq == 0))
    m.opt.ccd_tolerance = 1e-10
    m.opt.ccd_iterations = 200
    d = mujoco.MjData(m)
    for qpos, qvel in drawn:
        d.qpos[:], d.qvel[:] = qpos, qvel
        mujoco.mj_fwdPosition(m, d)
        mujoco.mj_fwdVelocity(m, d)
        jacobian = np.zeros((d.nefc, m.nv))
        if mujoco.mj_isSparse(m):
            for r in range(d.nefc):
                a, n = d.efc_J_rowadr[r], d.efc_J_rownnz[r]
                jacobian[r, d.efc_J_colind[a:a + n]] = d.efc_J[a:a + n]
        else:
            jacobian = d.efc_J.reshape(d.nefc, m.nv)
        rows = np.stack([d.efc_type, d.efc_pos, d.efc_margin, d.efc_aref, d.efc_D, d.efc_frictionloss], axis=1)
        result.append({"qpos": qpos, "qvel": qvel, "rows": rounded(rows, 13), "jacobian": rounded(jacobian, 12)})
    content = {"source": key, "xml": xml} if xml else {"source": key}
    content["states"] = result
    write(FOLDER / f"{file_name(key)}.json", content)
    print(f"{key}: rows {[len(s['rows']) // 6 for s in result]}")


def main():
    wanted = sys.argv[1:]
    keys = sorted(f"Models/{p.name}" for p in (ROOT / "Models").glob("*.xml"))
    folder = robot_models()
    if folder:
        for group in ("gymnasium", "dm_control", "mujoco"):
            keys += sorted(f"{group}/{p.name}" for p in (folder / group).glob("*.xml"))
    for key in keys:
        if not wanted or file_name(key) in wanted:
            write_model(key, count=3 if "humanoid" in key else 4)
    for name, xml in VARIANTS.items():
        if not wanted or name in wanted:
            write_model(name, xml, count=2 if name == "variant_pile" else 6)


if __name__ == "__main__":
    main()
