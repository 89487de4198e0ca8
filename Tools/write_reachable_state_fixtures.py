"""Writes evaluations under constraints at reachable states that the tests compare with MuJoCo 3.12.0 (float64).

    Tests/RigidBodyTests/Fixtures/reachable_states/*.json

One file per model of this repository that can touch something: `states` with qpos, qvel, act, ctrl, and qacc, qfrc_constraint, the
number of rows and the contacts as in `write_constrained_step_fixtures.py`. A third of the states is settled (rolled out from the
initial state), a third tangled (from configurations at random within the joints' ranges), a third at joint limits.
`Benchmarks/Peers/mujoco_states.c` does the same for any model.

Usage: python Tools/write_reachable_state_fixtures.py
"""

import zlib

import mujoco
import numpy as np

from fixture_io import ROOT, TESTS, file_name, write
from write_constrained_step_fixtures import evaluation, tighten
from write_constraint_fixtures import load, rounded

FOLDER = TESTS / "RigidBodyTests" / "Fixtures" / "reachable_states"
COUNT = 30
SECONDS = [(0.2, 2), (0.1, 1), (0.002, 0.05)]


def configure(m, d, rng, at_limits):
    """A random configuration, with limited joints at or slightly beyond their limits if asked for."""
    for j in range(m.njnt):
        q = d.qpos[m.jnt_qposadr[j]:]
        low, high = m.jnt_range[j]
        if m.jnt_type[j] == mujoco.mjtJoint.mjJNT_FREE:
            if not at_limits:
                rotation = rng.normal(size=4)
                q[3:7] = rotation / np.linalg.norm(rotation)
            q[2] += rng.uniform(-0.2, 0.1)
        elif not m.jnt_limited[j]:
            q[0] += rng.uniform(-1, 1)
        elif at_limits:
            q[0] = rng.choice([low, high]) + rng.uniform(-0.02, 0.02) * (high - low)
        else:
            q[0] = rng.uniform(low, high)


def states(m, rng):
    d = mujoco.MjData(m)
    for index in range(COUNT):
        kind = index % 3
        mujoco.mj_resetData(m, d)
        if kind:
            configure(m, d, rng, kind == 2)
        d.qvel[:] = rng.uniform(-0.2, 0.2, m.nv)
        low = np.where(m.actuator_ctrllimited, m.actuator_ctrlrange[:, 0], -1)
        high = np.where(m.actuator_ctrllimited, m.actuator_ctrlrange[:, 1], 1)
        for _ in range(1 + int(rng.uniform(*SECONDS[kind]) / m.opt.timestep)):
            d.ctrl[:] = low + (high - low) * rng.uniform(0.2, 0.8, m.nu)
            mujoco.mj_step(m, d)
        d.qvel[:] += rng.uniform(-0.1, 0.1, m.nv)
        yield tuple(np.array(rounded(x, 12)) for x in (d.qpos, d.qvel, d.act, d.ctrl))


def main():
    for path in sorted((ROOT / "Models").glob("*.xml")):
        key = f"Models/{path.name}"
        m = load(key, None)
        rng = np.random.default_rng(zlib.crc32(key.encode()) + 2)
        drawn = list(states(m, rng))
        tighten(m)
        results = [{"qpos": s[0], "qvel": s[1], "act": s[2], "ctrl": s[3], **evaluation(m, s)} for s in drawn]
        touching = sum(len(r["contacts"]) > 0 for r in results)
        if touching:
            print(f"{key}: {touching} of {COUNT} touch, up to {max(r['rows'] for r in results)} rows")
            write(FOLDER / f"{file_name(key)}.json", {"source": key, "states": results})


if __name__ == "__main__":
    main()
