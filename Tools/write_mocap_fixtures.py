"""Writes steps of models with mocap bodies, and their gradients by the bodies' poses, that the tests compare with MuJoCo
3.12.0 (float64).

    Tests/RigidBodyTests/Fixtures/mocap/*.json

One file per model: `states` with qpos, qvel, ctrl and the poses (seven numbers each, quaternions not normalised), the state
after one step and after `steps` steps (solved to 1e-14), qacc, body positions; and for a random `cotangent` of the next state
in tangent coordinates (positions, velocities) the gradient by the poses from extrapolated central differences, with its
estimated relative error.

Usage: python Tools/write_mocap_fixtures.py
"""

import zlib

import mujoco
import numpy as np

from fixture_io import TESTS, write
from write_constraint_fixtures import rounded
from write_constrained_step_fixtures import tighten
from write_mujoco_fixtures import extrapolated, relative, significant

FOLDER = TESTS / "RigidBodyTests" / "Fixtures" / "mocap"
STEPS = 20

HANGING = """
    <body name="hand" mocap="true" pos="0.2 0.1 0.9" euler="5 10 20"><geom type="box" size="0.2 0.2 0.03"{hand}/>
      <site name="hand" pos="0.05 0.02 0.04" euler="0 20 30"/>
      <body name="pendulum" pos="0.1 0 -0.1"><joint name="p" axis="0 1 0.2" damping="0.1" range="-170 170"/>
        <geom type="capsule" fromto="0 0 0 0.1 0.05 -0.3" size="0.03" contype="0" conaffinity="0"/>
        <body name="bob" pos="0.1 0.05 -0.3"><joint type="ball" damping="0.05"/>
          <geom type="box" size="0.05 0.1 0.03" pos="0.05 0 0" contype="0" conaffinity="0"/></body></body>
      <body name="handle" pos="0.2 0 0.1"><geom size="0.04"{hand}/></body></body>
    <body name="anchor" mocap="true" pos="-0.5 0.2 1.1" euler="30 0 10"><geom size="0.02" contype="0" conaffinity="0"/></body>
    <body name="arm" pos="0.8 0 0.8"><joint axis="0 0 1" damping="0.3"/><joint axis="0 1 0" damping="0.3"/>
      <geom type="capsule" fromto="0 0 0 -0.3 0 0.1" size="0.03" contype="0" conaffinity="0"/>
      <site name="tip" pos="-0.3 0 0.1" euler="10 0 0"/></body>"""
OBJECTS = """
    <body name="welded" pos="-0.48 0.21 1.08" euler="25 5 10"><freejoint/><geom type="box" size="0.1 0.06 0.04" contype="0" conaffinity="0"/></body>
    <body name="ball" pos="0.18 0.05 0.99"><freejoint/><geom size="0.06" condim="4"/></body>
    <body name="rod" pos="0.15 0.2 0.955" euler="0 100 20"><freejoint/><geom type="capsule" size="0.03 0.08"/></body>"""
ACTUATORS = """<actuator>
    <position site="tip" refsite="hand" kp="6" kv="0.4" gear="0.5 0.3 -0.4 0.2 0.1 0.3"/><motor joint="p" gear="0.2"/></actuator>"""


def model(option, objects, rest=""):
    hand = "" if objects else ' contype="0" conaffinity="0"'
    return (f'<mujoco><option timestep="0.004"{option}/><worldbody>{HANGING.format(hand=hand)}{objects}</worldbody>'
            f'{ACTUATORS}{rest}</mujoco>')


EQUALITIES = """<equality><weld body1="welded" body2="anchor" torquescale="0.7" solref="0.03 1"/>
    <connect body1="arm" body2="anchor" anchor="-0.2 0 0.05" solref="0.1 1"/></equality>"""
TRAY = """<mujoco><option timestep="0.004" cone="elliptic"/><worldbody>
    <body name="tray" mocap="true" pos="0 0 0.5" euler="4 6 0"><geom type="plane" size="1 1 0.1" friction="0.6"/></body>
    <body name="wall" mocap="true" pos="0.4 0 0.6" euler="0 0 20"><geom type="box" size="0.05 0.5 0.2"/></body>
    <body name="box" pos="0.1 0 0.56" euler="4 6 10"><freejoint/><geom type="box" size="0.06 0.05 0.04"/></body>
    <body name="ball" pos="0.27 0.05 0.54"><freejoint/><geom size="0.06" condim="6"/></body></worldbody></mujoco>"""
MODELS = {
    "tray": TRAY,
    "hanging_Euler": model("", ""),
    "hanging_RK4": model(' integrator="RK4" wind="0.4 -0.2 0.1" density="3"', ""),
    "hanging_implicitfast": model(' integrator="implicitfast" wind="0.4 -0.2 0.1" density="3" viscosity="0.02"', ""),
    "held_Euler": model(' cone="elliptic" impratio="5"', OBJECTS, EQUALITIES),
    "held_implicitfast": model(' integrator="implicitfast"', OBJECTS, EQUALITIES),
}


def poses(m, d):
    return np.hstack([d.mocap_pos, d.mocap_quat]).ravel()


def step(m, state, steps=1):
    d = mujoco.MjData(m)
    d.qpos[:], d.qvel[:], d.ctrl[:] = state[:3]
    rows = state[3].reshape(-1, 7)
    d.mocap_pos[:], d.mocap_quat[:] = rows[:, :3], rows[:, 3:]
    for _ in range(steps):
        mujoco.mj_step(m, d)
    return d


def gradient(m, state, cotangent):
    nv = m.nv

    def along(index):
        def difference(h):
            ends = []
            for sign in (1, -1):
                moved = state[3].copy()
                moved[index] += sign * h
                ends.append(step(m, state[:3] + (moved,)))
            dq = np.zeros(nv)
            mujoco.mj_differentiatePos(m, dq, 2 * h, ends[1].qpos, ends[0].qpos)
            return cotangent @ np.concatenate([dq, (ends[0].qvel - ends[1].qvel) / (2 * h)])
        # Steps that do not end contacts.
        return extrapolated(difference, 2.0 ** -13)

    values, errors = zip(*(along(k) for k in range(state[3].size)))
    return np.array(values), np.array(errors)


def main():
    for name, xml in MODELS.items():
        m = mujoco.MjModel.from_xml_string(xml)
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        tighten(m)
        result = []
        for index in range(3):
            d = mujoco.MjData(m)
            start = poses(m, d)
            d.qvel[:] = 0.1 * rng.normal(size=m.nv)
            for _ in range(20 + 15 * index):
                d.ctrl[:] = rng.uniform(-0.5, 0.5, m.nu)
                mujoco.mj_step(m, d)
            moved = start.reshape(-1, 7) + 0.003 * rng.normal(size=(m.nmocap, 7))
            moved[:, 3:] *= rng.uniform(0.5, 2)
            state = tuple(np.array(rounded(x, 12)) for x in (d.qpos, d.qvel, d.ctrl, moved.ravel()))
            one, many = step(m, state), step(m, state, STEPS)
            forward = step(m, state, 0)
            mujoco.mj_forward(m, forward)
            cotangent = np.round(rng.normal(size=2 * m.nv), 3)
            values, errors = gradient(m, state, cotangent)
            entry = {"qpos": state[0], "qvel": state[1], "ctrl": state[2], "mocap": state[3],
                     "next": {"qpos": one.qpos, "qvel": one.qvel}, "steps": STEPS,
                     "last": {"qpos": many.qpos, "qvel": many.qvel}, "rows": int(forward.nefc),
                     "qacc": forward.qacc, "xpos": forward.xpos, "cotangent": cotangent,
                     "gradient": significant(values, 10), "gradient_error": relative(errors, values)}
            result.append(entry)
            print(f"{name}: rows {entry['rows']}, gradient to {entry['gradient_error']}, size {np.linalg.norm(values):.3g}")
        write(FOLDER / f"variant_mocap_{name}.json", {"source": f"variant_mocap_{name}", "xml": xml, "states": result})


if __name__ == "__main__":
    main()
