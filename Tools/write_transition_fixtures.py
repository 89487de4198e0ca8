"""Writes the derivatives A and B of one step that the tests compare with MuJoCo 3.12.0 (float64).

    Tests/RigidBodyTests/Fixtures/transitions/*.json

One file per model and integrator: `states` with qpos, qvel, act, ctrl, and `A` and `B` of mjd_transitionFD (central differences at
two step sizes, extrapolated; where they do not agree the state is left out). mjd_transitionFD does not know RK4: there mj_step
is differenced in the same way.

The step is 1e-6 for A and 1e-3 for B. Controls act nearly linearly, so that B's error is rounding alone, which falls with the
step: with 1e-6, 1e-5, 1e-4, 1e-3 it is at most 6e-5, 9e-6, 1e-6, 3e-7 of B (all_equalities, the stiffest), and B at 1e-3, 2e-3
and 1e-2 agree to that.

Usage: python Tools/write_transition_fixtures.py [name ...]
"""

import sys
import zlib

import mujoco
import numpy as np

from constraint_variants import EQUALITIES, chain
from fixture_io import TESTS, write
from write_constrained_step_fixtures import tighten
from write_constraint_fixtures import rounded

FOLDER = TESTS / "RigidBodyTests" / "Fixtures" / "transitions"
INTEGRATORS = {"euler": "Euler", "implicitfast": "implicitfast", "rk4": "RK4"}
MOTORS = """<actuator><motor joint="j1" gear="3"/><position joint="j2" kp="2" kv="0.3"/><velocity joint="j5" kv="0.4"/>
    <general joint="j6" dyntype="filter" dynprm="0.05" gainprm="2"/></actuator>"""
PRISM = '<mesh name="prism" vertex="0.1 0 -.08 .05 .08 -.08 -.05 .08 -.08 -.1 0 -.08 -.05 -.08 -.08 .05 -.08 -.08 .1 0 .08 .05 .08 .08 ' \
    '-.05 .08 .08 -.1 0 .08 -.05 -.08 .08 .05 -.08 .08"/>'


def joined(text):
    return chain(f"<equality>{text}</equality>{MOTORS}")


def stack(*geoms, option=""):
    """Bodies on top of each other, each a little off centre."""
    bodies = "".join(
        f'<body pos="{0.013 * k} {0.008 * k} {0.1 + 0.16 * k}" euler="{0.4 * k} {0.3 - 0.5 * k} {17 * k}"><freejoint/>'
        f'<geom {geom}/></body>' for k, geom in enumerate(geoms))
    return (f'<mujoco><option timestep="0.002"{option}/><asset>{PRISM}</asset><worldbody><geom type="plane" size="3 3 1"/>{bodies}'
            '</worldbody></mujoco>')


BOX = 'type="box" size="0.1 0.09 0.08"'
MESH = 'type="mesh" mesh="prism"'
MODELS = {
    "connects": joined('<connect name="c1" body1="b" body2="d" anchor="0.1 0.02 0.03" solref="0.03 0.9" solimp="0.7 0.95 2 0.4 2"/>'
                       '<connect body1="c" anchor="0.1 0 0"/>'),
    "welds": joined('<weld body1="e" body2="c" torquescale="0.7" solref="0.05 1" solimp="0.6 0.95 3 0.5 2"/>'
                    '<weld body1="d" body2="welded" relpose="0.1 0.2 0.3 0.9 0.1 0.2 -0.3" anchor="0.02 0.01 0.03"/>'),
    "all_equalities": chain(EQUALITIES + MOTORS),
    "boxes": stack(BOX, BOX, BOX),
    "boxes_elliptic": stack(BOX, BOX, BOX, option=' cone="elliptic" impratio="3"'),
    "meshes": stack(MESH, MESH),
    "mesh_on_box": stack(BOX, MESH),
}


def differences(m, d, h):
    """A and B by central differences with mj_step, in tangent coordinates."""
    nv, na, nu = m.nv, m.na, m.nu
    start = [x.copy() for x in (d.qpos, d.qvel, d.act, d.ctrl)]

    def end(index, change):
        qpos, qvel, act, ctrl = [x.copy() for x in start]
        if index < nv:
            direction = np.zeros(nv)
            direction[index] = change
            mujoco.mj_integratePos(m, qpos, direction, 1)
        elif index < 2 * nv:
            qvel[index - nv] += change
        elif index < 2 * nv + na:
            act[index - 2 * nv] += change
        else:
            ctrl[index - 2 * nv - na] += change
        e = mujoco.MjData(m)
        e.qpos[:], e.qvel[:], e.act[:], e.ctrl[:] = qpos, qvel, act, ctrl
        mujoco.mj_step(m, e)
        return e

    columns = []
    for k in range(2 * nv + na + nu):
        plus, minus = end(k, h), end(k, -h)
        dq = np.zeros(nv)
        mujoco.mj_differentiatePos(m, dq, 1, minus.qpos, plus.qpos)
        columns.append(np.concatenate([dq, plus.qvel - minus.qvel, plus.act - minus.act]) / (2 * h))
    both = np.array(columns).T
    return both[:, :2 * nv + na], both[:, 2 * nv + na:]


def transition(m, d, h):
    if m.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4:
        return differences(m, d, h)
    n = 2 * m.nv + m.na
    a, b = np.zeros((n, n)), np.zeros((n, m.nu))
    mujoco.mjd_transitionFD(m, d, h, 1, a, b if m.nu else None, None, None)
    return a, b


def states(m, rng, count, settles):
    d = mujoco.MjData(m)
    for _ in range(count):
        mujoco.mj_resetData(m, d)
        if settles:
            d.qvel[:] = rng.normal(size=m.nv) * 0.05
            for _ in range(int(rng.integers(20, 60))):
                mujoco.mj_step(m, d)
            d.qvel[:] += rng.normal(size=m.nv) * 0.02
        else:
            mujoco.mj_integratePos(m, d.qpos, rng.normal(size=m.nv) * 0.1, 1)
            d.qvel[:] = rng.normal(size=m.nv) * 0.5
        d.act[:] = rng.uniform(-0.4, 0.4, m.na)
        d.ctrl[:] = rng.uniform(-0.4, 0.4, m.nu)
        yield tuple(np.array(rounded(x, 12)) for x in (d.qpos, d.qvel, d.act, d.ctrl))


def main():
    wanted = sys.argv[1:]
    for name, xml in MODELS.items():
        for suffix, integrator in INTEGRATORS.items():
            key = f"{name}_{suffix}"
            if wanted and key not in wanted:
                continue
            own = xml.replace("<option ", f'<option integrator="{integrator}" ')
            m = mujoco.MjModel.from_xml_string(own)
            rng = np.random.default_rng(zlib.crc32(key.encode()))
            drawn = list(states(m, rng, 3, m.neq == 0))
            tighten(m)
            result = []
            for state in drawn:
                d = mujoco.MjData(m)
                d.qpos[:], d.qvel[:], d.act[:], d.ctrl[:] = state
                (fine, _), (coarse, _) = transition(m, d, 1e-6), transition(m, d, 2e-6)
                (_, b), (_, coarse_b) = transition(m, d, 1e-3), transition(m, d, 2e-3)
                mujoco.mj_forward(m, d)
                error = np.abs(fine - coarse).max() / np.abs(fine).max()
                error_b = np.abs(b - coarse_b).max() / np.abs(b).max() if m.nu else 0
                print(f"{key}: {d.nefc} rows, {d.ncon} contacts, differences agree to {error:.1e}, {error_b:.1e}")
                if error < 1e-5 and error_b < 1e-6:
                    result.append({
                        "qpos": state[0], "qvel": state[1], "act": state[2], "ctrl": state[3],
                        "rows": int(d.nefc),
                        "A": rounded((4 * fine - coarse) / 3, 9), "B": rounded(b, 9)})
            if result:
                write(FOLDER / f"{key}.json", {"source": key, "xml": own, "states": result})


if __name__ == "__main__":
    main()
