"""Writes steps under constraints, and their derivatives, that the tests compare with MuJoCo 3.12.0 (float64).

    Tests/RigidBodyTests/Fixtures/constrained_steps/*.json

One file per model: `states` with qpos, qvel, act, ctrl, the state after one step and after `steps` steps with the same
controls (solved to 1e-14), qacc, qfrc_constraint and the contacts that exert force at the state (geom1, geom2, dist, three coordinates of
the point, normal and tangential forces, ten numbers each), and where central differences at two step sizes agree `A`, the derivative of the next velocities by
positions (tangent coordinates) and velocities, nv x 2 nv.

Usage: python Tools/write_constrained_step_fixtures.py [name ...]
"""

import sys
import zlib

import mujoco
import numpy as np

from constraint_variants import STEPPED as STEP_VARIANTS, VARIANTS
from fixture_io import ROOT, TESTS, file_name, robot_models, write
from write_constraint_fixtures import load, rounded

FOLDER = TESTS / "RigidBodyTests" / "Fixtures" / "constrained_steps"
STEPS = 20
# Those that can be left to themselves.
STEPPED = ("variant_contacts_elliptic", "variant_contacts_pyramidal", "variant_fixed_tendon_rows",
           "variant_friction_loss", "variant_joint_limits")


def tighten(m):
    m.opt.tolerance, m.opt.iterations = 1e-14, 200
    m.opt.ls_tolerance, m.opt.ls_iterations = 1e-10, 100
    m.opt.ccd_tolerance, m.opt.ccd_iterations = 1e-10, 200
    m.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
    if m.opt.solver == mujoco.mjtSolver.mjSOL_PGS:
        m.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON


def step(m, state, steps=1):
    d = mujoco.MjData(m)
    d.qpos[:], d.qvel[:], d.act[:], d.ctrl[:] = state
    for _ in range(steps):
        mujoco.mj_step(m, d)
    return d


def evaluation(m, state):
    d = mujoco.MjData(m)
    d.qpos[:], d.qvel[:], d.act[:], d.ctrl[:] = state
    mujoco.mj_forward(m, d)
    contacts = []
    for i in range(d.ncon):
        c = d.contact[i]
        if c.efc_address < 0:
            continue
        force = np.zeros(6)
        mujoco.mj_contactForce(m, d, i, force)
        contacts += [c.geom[0], c.geom[1], c.dist, *c.pos, *force[:4]]
    return {"rows": int(d.nefc), "qacc": rounded(d.qacc, 12), "qfrc_constraint": rounded(d.qfrc_constraint, 12),
            "contacts": rounded(contacts, 12)}


def differences(m, state, h):
    """Derivative of the next velocities, column by column."""
    columns = []
    for k in range(2 * m.nv):
        ends = []
        for sign in (1, -1):
            qpos, qvel = state[0].copy(), state[1].copy()
            if k < m.nv:
                direction = np.zeros(m.nv)
                direction[k] = sign * h
                mujoco.mj_integratePos(m, qpos, direction, 1)
            else:
                qvel[k - m.nv] += sign * h
            ends.append(step(m, (qpos, qvel, state[2], state[3])).qvel.copy())
        columns.append((ends[0] - ends[1]) / (2 * h))
    return np.array(columns).T


def states(m, rng, count):
    """Rolled out with random controls and pushes until something touches."""
    d = mujoco.MjData(m)
    for index in range(count):
        mujoco.mj_resetData(m, d)
        d.qvel[:] = rng.normal(size=m.nv) * 0.1
        for _ in range(int(rng.integers(60, 120)) * (index + 1)):
            if m.nu:
                d.ctrl[:] = rng.uniform(-0.4, 0.4, m.nu)
            mujoco.mj_step(m, d)
        d.qvel[:] += rng.normal(size=m.nv) * 0.1
        yield tuple(np.array(rounded(x, 12)) for x in (d.qpos, d.qvel, d.act, d.ctrl))


def write_model(key, count, xml=None):
    m = load(key, xml)
    rng = np.random.default_rng(zlib.crc32(key.encode()) + 1)
    drawn = list(states(m, rng, count))
    tighten(m)
    result = []
    for state in drawn:
        one, many = step(m, state), step(m, state, STEPS)
        entry = {"qpos": state[0], "qvel": state[1], "act": state[2], "ctrl": state[3],
                 "next": {"qpos": one.qpos, "qvel": one.qvel}, "steps": STEPS,
                 "last": {"qpos": many.qpos, "qvel": many.qvel}, **evaluation(m, state)}
        fine, coarse = differences(m, state, 1e-6), differences(m, state, 2e-6)
        error = np.abs(fine - coarse).max() / np.abs(fine).max()
        if error < 1e-5:
            entry["A"] = rounded((4 * fine - coarse) / 3, 9)
        result.append(entry)
        print(f"{key}: rows {entry['rows']}, differences agree to {error:.1e}")
    content = {"source": key, "xml": xml} if xml else {"source": key}
    content["states"] = result
    write(FOLDER / f"{file_name(key)}.json", content)


def main():
    wanted = sys.argv[1:]
    keys = sorted(f"Models/{p.name}" for p in (ROOT / "Models").glob("*.xml"))
    folder = robot_models()
    if folder:
        keys += [f"{p.parent.name}/{p.name}" for g in ("gymnasium", "dm_control", "mujoco")
                 for p in sorted((folder / g).glob("*.xml"))]
    for key in keys:
        if not wanted or file_name(key) in wanted:
            write_model(key, 2 if "humanoid" in key else 3)
    for name, xml in (VARIANTS | STEP_VARIANTS).items():
        if name in STEPPED + tuple(STEP_VARIANTS) and (not wanted or name in wanted):
            write_model(name, 3, xml)


if __name__ == "__main__":
    main()
