"""Writes the contacts that the tests compare with MuJoCo 3.12.0 (float64).

    Tests/RigidBodyTests/Fixtures/contacts/pairs/*.json    two geoms in random and degenerate poses
    Tests/RigidBodyTests/Fixtures/contacts/models/*.json   states of whole models

In `pairs`, one file per pair of types. `sizes` are the sizes of both geoms, `margin` and `gap` sums over both; each case
has `poses` (position and quaternion of both, not normalised), `aligned` (axes parallel or centres shared, so that
the answer may not be unique) and `contacts`: dist, pos, normal and second axis, ten numbers each. Meshes are in the
model's text. In `models` contacts also have their geoms and parameters.

MuJoCo's own tolerance is tightened (ccd_tolerance 1e-10), and its iterations raised.

Usage: python Tools/write_contact_fixtures.py [name ...]
"""

import sys
import zlib

import mujoco
import numpy as np

from fixture_io import ROOT, TESTS, file_name, robot_models, write

FOLDER = TESTS / "RigidBodyTests" / "Fixtures" / "contacts"
TYPES = ["plane", "sphere", "capsule", "ellipsoid", "cylinder", "box", "mesh"]
SIZE_COUNT = 8
POSES = 32
MARGINS = [(0, 0), (0, 0), (0.02, 0.01), (0.06, 0)]

MESHES = {
    "cube": "-1 -1 -1  1 -1 -1  -1 1 -1  1 1 -1  -1 -1 1  1 -1 1  -1 1 1  1 1 1",
    "wedge": "-1 -1 -1  1 -1 -1  -1 1 -1  1 1 -1  -1 -0.2 1  1 -0.3 0.8",
}


def ball_points(rng, count=40):
    points = rng.normal(size=(count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return " ".join(f"{x:.4f}" for x in (points * [1, 0.8, 0.6]).ravel())


def tighten(m):
    m.opt.ccd_tolerance = 1e-10
    m.opt.ccd_iterations = 200


def random_size(kind, rng):
    s = np.round(rng.uniform(0.05, 0.4, 3), 3)
    return {"plane": [0, 0, 1], "sphere": s[:1], "capsule": s[:2], "cylinder": s[:2]}.get(kind, s)


def pair_xml(kinds, sizes, rng, index):
    assets, bodies = [], []
    for i, (kind, size) in enumerate(zip(kinds, sizes)):
        text = " ".join(str(x) for x in size)
        if kind == "mesh":
            name = ["cube", "wedge", "ball"][(index + i) % 3]
            points = MESHES.get(name) or ball_points(rng)
            assets.append(f'<mesh name="m{i}" vertex="{points}" scale="{text}"/>')
            geom = f'<geom name="g{i}" type="mesh" mesh="m{i}"/>'
        else:
            geom = f'<geom name="g{i}" type="{kind}" size="{text}"/>'
        if kind == "plane":
            bodies.append(f'<body name="b{i}" mocap="true">{geom}</body>')
        else:
            bodies.append(f'<body name="b{i}"><freejoint/>{geom}</body>')
    return (f'<mujoco><asset>{"".join(assets)}</asset><worldbody>{"".join(bodies)}</worldbody></mujoco>')


def random_quaternion(rng):
    return np.round(rng.normal(size=4), 4)


AXIS_QUATERNIONS = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1]]


def pose_case(m, kinds, rng):
    """Positions and quaternions of two geoms whose bounding spheres overlap in most cases."""
    reach = [m.geom_rbound[i] for i in range(2)]
    style = rng.choice(["random", "aligned", "parallel", "concentric", "face"], p=[0.6, 0.12, 0.12, 0.06, 0.1])
    q1 = random_quaternion(rng)
    q2 = random_quaternion(rng)
    p1 = np.round(rng.uniform(-1, 1, 3), 3)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    aligned = style != "random"
    if style == "aligned":
        q1 = np.array([1.0, 0, 0, 0])
        q2 = np.array(AXIS_QUATERNIONS[rng.integers(6)], float)
        direction = np.eye(3)[rng.integers(3)] * rng.choice([-1, 1])
    elif style in ("parallel", "face"):
        q2 = q1.copy()
    if style == "face":
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, q1 / np.linalg.norm(q1))
        direction = rotation.reshape(3, 3)[:, rng.integers(3)] * rng.choice([-1, 1])
    if kinds[0] == "plane":
        q = q1 / np.linalg.norm(q1)
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, q)
        normal = rotation.reshape(3, 3)[:, 2]
        p2 = p1 + rng.normal(size=3)
        p2 += normal * (-(p2 - p1) @ normal + rng.uniform(-0.5, 1.1) * reach[1])
    elif style == "concentric":
        p2 = p1.copy()
    else:
        p2 = p1 + direction * rng.uniform(0.1, 1.05) * sum(reach)
    p2 = np.round(p2, 3)
    return [np.concatenate([p1, q1]), np.concatenate([p2, q2])], aligned


def apply(m, d, poses):
    for body, pose in zip((1, 2), poses):
        if m.body_mocapid[body] >= 0:
            d.mocap_pos[0], d.mocap_quat[0] = pose[:3], pose[3:]
        else:
            a = m.jnt_qposadr[m.body_jntadr[body]]
            d.qpos[a:a + 7] = pose
    mujoco.mj_kinematics(m, d)
    mujoco.mj_comPos(m, d)
    mujoco.mj_collision(m, d)


def is_on_cylinder(m, d, contact):
    """False where MuJoCo takes rounding for the radial direction (axis and normal parallel but for rounding)."""
    point = contact.pos + 0.5 * contact.dist * contact.frame[:3]
    local = d.geom_xmat[contact.geom[1]].reshape(3, 3).T @ (point - d.geom_xpos[contact.geom[1]])
    radius, height = m.geom_size[contact.geom[1]][:2]
    return np.hypot(local[0], local[1]) < radius + 1e-9 and abs(local[2]) < height + 1e-9


def geometry(contact):
    values = np.concatenate([[contact.dist], contact.pos, contact.frame[:6]])
    return [float(f"{x:.12g}") + 0.0 for x in values]


def write_pair(kinds):
    name = "_".join(kinds)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    groups = []
    for index in range(SIZE_COUNT):
        sizes = [np.asarray(random_size(k, rng)) for k in kinds]
        xml = pair_xml(kinds, sizes, rng, index)
        m = mujoco.MjModel.from_xml_string(xml)
        tighten(m)
        margin, gap = MARGINS[index % len(MARGINS)]
        m.geom_margin[:] = margin / 2
        m.geom_gap[:] = gap / 2
        d = mujoco.MjData(m)
        cases = []
        empty = 0
        while len(cases) < POSES:
            poses, aligned = pose_case(m, kinds, rng)
            apply(m, d, poses)
            if kinds == ("plane", "cylinder") and not all(is_on_cylinder(m, d, c) for c in d.contact):
                continue
            if d.ncon == 0:
                empty += 1
                if empty > POSES // 6:
                    continue
            cases.append({"poses": np.concatenate(poses), "aligned": bool(aligned),
                          "contacts": [x for c in d.contact for x in geometry(c)]})
        groups.append({"xml": xml, "margin": margin, "gap": gap, "cases": cases})
    write(FOLDER / "pairs" / f"{name}.json", {"groups": groups})
    contacts = [len(c["contacts"]) // 10 for g in groups for c in g["cases"]]
    print(f"{name}: {len(contacts)} cases, {sum(contacts)} contacts, most {max(contacts)}")


# ---------------------------------------------------------------------------------------------- models

PARAMETERS = """
<mujoco>
  <default><geom size="0.1"/></default>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 1" margin="0.01" gap="0.005" friction="0.7 0.01 0.002" solmix="2"/>
    <body name="a" pos="0 0 0.09"><freejoint/><geom name="a1" priority="1" condim="4" friction="0.3 0.02 0.003"/>
      <geom name="a2" type="capsule" fromto="0.1 0 0 0.3 0 0.05" size="0.05" condim="1" solref="0.01 0.8"/></body>
    <body name="b" pos="0.15 0 0.1"><freejoint/><geom name="b1" type="box" size="0.1 0.1 0.1" condim="6"
      solref="-100 -5" margin="0.02"/></body>
    <body name="c" pos="0.1 0.15 0.1"><freejoint/><geom name="c1" type="box" size="0.1 0.1 0.1" solmix="0"
      solimp="0.8 0.9 0.01 0.4 3"/>
      <body name="c_child" pos="0.1 0.1 0"><joint axis="0 0 1"/><geom name="c2"/>
        <body name="c_grandchild" pos="0.02 0 0"><joint axis="0 1 0"/><geom name="c3" solmix="0" solref="0.03 1.2"/>
        </body></body></body>
    <body name="d" pos="0 -0.15 0.1"><freejoint/><geom name="d1" contype="2" conaffinity="4"/>
      <geom name="d2" contype="4" conaffinity="2" pos="0.05 0 0"/>
      <body name="d_fixed" pos="0.02 0 0"><geom name="d3"/></body></body>
    <body name="e" pos="0 -0.2 0.1"><freejoint/><geom name="e1" contype="4" conaffinity="2"/></body>
    <body name="fixed" pos="0.2 0.2 0.1"><geom name="f1" type="cylinder" size="0.1 0.1"/>
      <body name="f_child" pos="0.1 0 0.1"><joint axis="1 0 0"/><geom name="f2"/></body></body>
  </worldbody>
  <contact>
    <pair name="first" geom1="b1" geom2="a1" condim="3" friction="0.4 0.5 0.01 0.02 0.03" margin="0.03" gap="0.01"/>
    <pair geom1="a1" geom2="floor" solreffriction="0.05 1.1" friction="0 0 0 0 0"/>
    <exclude body1="b" body2="c"/>
  </contact>
</mujoco>"""


def clutter_xml():
    rng = np.random.default_rng(5)
    bodies = []
    for i in range(24):
        kind = ["sphere", "capsule", "ellipsoid", "cylinder", "box", "mesh"][i % 6]
        size = " ".join(f"{x:.3f}" for x in rng.uniform(0.05, 0.15, 3))
        geom = f'<geom type="{kind}" size="{size}"/>' if kind != "mesh" else (
            f'<geom type="mesh" mesh="{["cube", "wedge"][i // 6 % 2]}"/>')
        extra = f'<geom size="0.04" pos="0.1 0 0.05" type="{["sphere", "box"][i % 2]}"/>'
        extra = extra.replace('size="0.04"', 'size="0.04 0.04 0.04"')
        x, y, z = rng.uniform(-0.3, 0.3, 3)
        bodies.append(f'<body pos="{x:.3f} {y:.3f} {z + 0.6:.3f}"><freejoint/>{geom}{extra if i % 3 == 0 else ""}</body>')
    assets = "".join(f'<mesh name="{k}" vertex="{v}" scale="0.1 0.08 0.12"/>' for k, v in MESHES.items())
    return (f'<mujoco><asset>{assets}</asset><worldbody><geom type="plane" size="5 5 1"/>'
            f'<geom type="box" size="0.5 0.05 0.3" pos="0 0.6 0.3"/>{"".join(bodies)}</worldbody></mujoco>')


def load(key, xml=None):
    if xml:
        return mujoco.MjModel.from_xml_string(xml)
    if key.startswith("Models/"):
        return mujoco.MjModel.from_xml_path(str(ROOT / key))
    return mujoco.MjModel.from_xml_path(str(robot_models() / key))


def random_state(m, d, rng):
    mujoco.mj_resetData(m, d)
    for j in range(m.njnt):
        a, kind = m.jnt_qposadr[j], int(m.jnt_type[j])
        if kind == 0:
            d.qpos[a:a + 3] += rng.uniform(-0.05, 0.05, 3)
            d.qpos[a + 3:a + 7] += rng.normal(size=4) * 0.3
        elif kind == 1:
            d.qpos[a:a + 4] += rng.normal(size=4) * 0.3
        elif m.jnt_limited[j]:
            d.qpos[a] = rng.uniform(*m.jnt_range[j])
        else:
            d.qpos[a] += rng.uniform(-0.5, 0.5)


def write_model(key, xml=None, states=8):
    m = load(key, xml)
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    d = mujoco.MjData(m)
    result = []
    for index in range(states):
        random_state(m, d, rng)
        for _ in range(0 if index == 0 else int(rng.integers(50, 600))):
            if m.nu:
                d.ctrl[:] = rng.uniform(-0.5, 0.5, m.nu)
            mujoco.mj_step(m, d)
        tight = mujoco.MjData(m)
        old = m.opt.ccd_tolerance, m.opt.ccd_iterations
        tighten(m)
        tight.qpos[:] = [float(f"{x:.8g}") for x in d.qpos]
        mujoco.mj_kinematics(m, tight)
        mujoco.mj_comPos(m, tight)
        mujoco.mj_collision(m, tight)
        m.opt.ccd_tolerance, m.opt.ccd_iterations = old
        contacts = [{"geoms": c.geom, "dim": c.dim, "margin": c.includemargin, "exclude": bool(c.exclude),
                     "geometry": geometry(c), "friction": c.friction, "solref": c.solref,
                     "solreffriction": c.solreffriction, "solimp": c.solimp} for c in tight.contact]
        result.append({"qpos": tight.qpos.copy(), "contacts": contacts})
    content = {"source": key, "xml": xml} if xml else {"source": key}
    content["states"] = result
    write(FOLDER / "models" / f"{file_name(key)}.json", content)
    print(f"{key}: contacts {[len(s['contacts']) for s in result]}")


def main():
    wanted = sys.argv[1:]
    for i, first in enumerate(TYPES):
        for second in TYPES[max(i, 1):]:
            if not wanted or f"{first}_{second}" in wanted:
                write_pair((first, second))
    keys = sorted(f"Models/{p.name}" for p in (ROOT / "Models").glob("*.xml"))
    folder = robot_models()
    if folder:
        for group in ("gymnasium", "dm_control", "mujoco"):
            keys += sorted(f"{group}/{p.name}" for p in (folder / group).glob("*.xml"))
    for key in keys:
        if not wanted or file_name(key) in wanted:
            write_model(key, states=4 if "humanoid" in key else 6)
    for name, xml in (("variant_contact_parameters", PARAMETERS), ("variant_clutter", clutter_xml())):
        if not wanted or name in wanted:
            write_model(name, xml, states=4)


if __name__ == "__main__":
    main()
