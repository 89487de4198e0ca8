"""Writes steps of models with actuators on bodies (adhesion) that the tests compare with MuJoCo 3.12.0 (float64).

    Tests/RigidBodyTests/Fixtures/body_transmissions/*.json

One file per model and integrator: `states` with qpos, qvel, act, ctrl; of the forward pass qacc, qfrc_actuator, the numbers of
contacts, of contacts in the gap (which exert no force of their own) and of constraint rows; the state after one step and after
`steps` steps, solved to 1e-14; and the derivative B of the next state by the controls, by central differences.

Usage: python Tools/write_body_transmission_fixtures.py
"""

import zlib

import mujoco
import numpy as np

from fixture_io import TESTS, write
from write_constrained_step_fixtures import tighten
from write_constraint_fixtures import rounded
from write_transition_fixtures import differences

FOLDER = TESTS / "RigidBodyTests" / "Fixtures" / "body_transmissions"
STEPS = 20
INTEGRATORS = {"euler": "Euler", "implicitfast": "implicitfast", "rk4": "RK4"}

# A pad on an arm holds a box, some of whose points are in the gap; the floor is below.
PAD = """<option timestep="0.002" cone="elliptic"/><worldbody><geom type="plane" size="3 3 1" pos="0 0 -0.3"/>
  <body name="arm" pos="0 0 0.5"><joint name="lift" type="slide" axis="0 0 1" damping="2" armature="0.1"/>
    <geom type="capsule" fromto="0 0 0 0.2 0 0" size="0.02"/>
    <body name="pad" pos="0.25 0 0"><joint name="turn" axis="0 1 0.2" damping="0.3" armature="0.01"/>
      <geom type="box" size="0.06 0.05 0.01" margin="0.001" gap="0.02" friction="0.8"/></body></body>
  <body pos="0.25 0.01 0.439" euler="1 2 5"><freejoint/><geom type="box" size="0.05 0.04 0.05" mass="0.4"/></body></worldbody>
  <actuator><adhesion body="pad" gain="30" ctrlrange="0 2"/><position joint="lift" kp="8" kv="4"/><motor joint="turn" gear="0.1"/></actuator>"""
# A ball and a capsule climb a wall; torsion and rolling, pyramids.
CLIMBER = """<option timestep="0.002"/><worldbody><geom type="plane" size="3 3 1" euler="0 90 0" friction="1" margin="0.002" gap="0.01"/>
  <geom type="plane" size="3 3 1" pos="0 0 -0.08"/>
  <body name="ball" pos="0.1 0 0.2"><freejoint/><geom size="0.1" mass="0.5" condim="4" friction="0.9 0.02 0.001"/></body>
  <body name="rod" pos="0.052 0.3 0.2"><freejoint/><geom type="capsule" size="0.05 0.1" mass="0.6" condim="6" friction="0.7 0.02 0.01"/>
    <body name="tail" pos="0 0 0.15"><joint axis="0 1 0" damping="0.05"/><geom type="capsule" fromto="0 0 0 0.02 0 0.15" size="0.02" mass="0.1"/></body></body>
  </worldbody><actuator><adhesion body="ball" gain="9" ctrlrange="0 3"/><adhesion body="rod" gain="7" ctrlrange="0 2"/>
  <adhesion body="tail" gain="3" ctrlrange="0 2"/></actuator>"""
# Two bodies that pull each other, with activations and limits of the force; pairs of boxes and of a mesh, which are computed lane
# by lane.
PAIR = """<option timestep="0.002" cone="elliptic"/><asset><mesh name="prism" vertex=".1 0 -.05 .05 .08 -.05
  -.05 .08 -.05 -.1 0 -.05 -.05 -.08 -.05 .05 -.08 -.05 .1 0 .05 .05 .08 .05 -.05 .08 .05 -.1 0 .05 -.05 -.08 .05 .05 -.08 .05"/></asset>
  <worldbody><geom name="floor" type="plane" size="3 3 1" gap="0.01"/>
  <body name="block" pos="0 0 0.099" euler="1 1 4"><freejoint/><geom type="box" size="0.1 0.12 0.1" mass="2"/></body>
  <body name="can" pos="0.02 0.01 0.2485" euler="2 1 0"><freejoint/><geom type="box" size="0.06 0.055 0.05" mass="0.7" margin="0.004" gap="0.02"/>
    <geom type="sphere" size="0.03" pos="0 0 0.07" mass="0.1"/></body>
  <body name="egg" pos="0.3 0 0.049"><freejoint/><geom type="ellipsoid" size="0.07 0.06 0.05" mass="0.4" condim="1" margin="0.01"/></body>
  <body name="nut" pos="0.6 0 0.0495" euler="0.5 0.3 0"><freejoint/><geom type="mesh" mesh="prism" mass="0.8"/></body></worldbody>
  <actuator><general body="can" dyntype="filter" dynprm="0.05" actearly="true" gainprm="20" biastype="affine" biasprm="2 0 0" forcelimited="true"
    forcerange="-3 9"/><general body="block" dyntype="filterexact" dynprm="0.03" gainprm="5"/>
  <adhesion body="egg" gain="6" ctrlrange="0 2"/><adhesion body="can" gain="2" ctrlrange="0 1"/>
  <adhesion body="nut" gain="5" ctrlrange="0 1"/></actuator>"""
MODELS = {"pad": PAD, "climber": CLIMBER, "pair": PAIR}


def data(m, state):
    d = mujoco.MjData(m)
    d.qpos[:], d.qvel[:], d.act[:], d.ctrl[:] = state
    return d


def main():
    for name, text in MODELS.items():
        for suffix, integrator in INTEGRATORS.items():
            key = f"variant_{name}_{suffix}"
            xml = "<mujoco>" + text.replace("<option ", f'<option integrator="{integrator}" ') + "</mujoco>"
            m = mujoco.MjModel.from_xml_string(xml)
            rng = np.random.default_rng(zlib.crc32(key.encode()))
            tighten(m)
            result = []
            for index in range(4):
                d = mujoco.MjData(m)
                d.qvel[:] = 0.02 * rng.normal(size=m.nv)
                for _ in range(3 + 12 * index):
                    d.ctrl[:] = rng.uniform(0.3, 1.5, m.nu)
                    mujoco.mj_step(m, d)
                d.qvel[:] += 0.05 * rng.normal(size=m.nv)
                ctrl = rng.uniform(0.2, 0.9, m.nu)
                state = tuple(np.array(rounded(x, 12)) for x in (d.qpos, d.qvel, d.act, ctrl))
                forward = data(m, state)
                mujoco.mj_forward(m, forward)
                ends = []
                for steps in (1, STEPS):
                    d = data(m, state)
                    for _ in range(steps):
                        mujoco.mj_step(m, d)
                    ends.append({"qpos": d.qpos, "qvel": d.qvel, "act": d.act})
                b, coarse = (differences(m, data(m, state), h)[1] for h in (1e-4, 2e-4))
                gaps = sum(int(c.exclude == 1) for c in forward.contact)
                result.append({
                    "qpos": state[0], "qvel": state[1], "act": state[2], "ctrl": state[3], "qacc": forward.qacc,
                    "qfrc_actuator": forward.qfrc_actuator, "contacts": int(forward.ncon), "gaps": gaps, "rows": int(forward.nefc),
                    "next": ends[0], "steps": STEPS, "last": ends[1], "B": rounded(b, 10)})
                error = np.abs(b - coarse).max() / np.abs(b).max()
                print(f"{key}: {forward.ncon} contacts, {gaps} in the gap, {forward.nefc} rows, B agrees to {error:.1e}, "
                      f"forces {forward.actuator_force}")
            write(FOLDER / f"{key}.json", {"source": key, "xml": xml, "states": result})


if __name__ == "__main__":
    main()
