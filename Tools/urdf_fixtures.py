"""Writes Tests/RobotModelsTests/Fixtures/urdf.json: what Pinocchio and MuJoCo read of URDF files.

Usage: urdf_fixtures.py OUTPUT MODELS
MODELS is a folder with robot files; its urdf/*.urdf are recorded by name. Small robots written here are recorded with
their text. Poses are rows of [x y z, R row by row] in the root link's frame.
"""

import json
import pathlib
import re
import sys

import mujoco
import numpy as np
import pinocchio as pin


def inertial(mass=1.0, xyz="0 0 0", rpy="0 0 0", moments=(0.1, 0.2, 0.25, 0, 0, 0)):
    xx, yy, zz, xy, xz, yz = moments
    return (f'<inertial><origin xyz="{xyz}" rpy="{rpy}"/><mass value="{mass}"/><inertia ixx="{xx}" iyy="{yy}" '
            f'izz="{zz}" ixy="{xy}" ixz="{xz}" iyz="{yz}"/></inertial>')


def link(name, *args, **kwargs):
    return f'<link name="{name}">{inertial(*args, **kwargs)}</link>\n'


def joint(name, kind, parent, child, xyz="0 0 0", rpy="0 0 0", axis=None, more=""):
    axis = f'<axis xyz="{axis}"/>' if axis else ""
    return (f'<joint name="{name}" type="{kind}"><origin xyz="{xyz}" rpy="{rpy}"/><parent link="{parent}"/>'
            f'<child link="{child}"/>{axis}{more}</joint>\n')


LIMIT = '<limit lower="-3" upper="3" effort="10" velocity="5"/>'

ROBOTS = dict(
    # Joints before links and children before parents, every joint with one degree of freedom, a default axis, an
    # axis of other than unit length, rotated inertial frames, full inertias (one no body can have), and a joint
    # with a link's name.
    arm=joint("wrist", "revolute", "fore", "hand", "0.1 0.2 0.3", "0.3 -0.4 2.9", "1 -2 3", LIMIT)
    + link("base", 3, "0.01 0.02 0.03", "0.1 0.2 0.3", (0.3, 0.2, 0.25, 0.01, -0.02, 0.03))
    + joint("fore", "continuous", "upper", "fore", "0 0 0.4", "1.5707963267948966 0 0", "0 0 -1")
    + joint("shoulder", "revolute", "base", "upper", "0.1 0 0.2", "0 0.7 0", None, LIMIT)
    + link("upper", 2, "0 0 0.2", "3 -1 0.5", (0.02, 0.03, 0.025, 0.004, 0.001, -0.002))
    + link("fore", 1.5, "0.1 0 0", "0 0 0", (2e-4, 2.5e-4, 3e-4, 1e-5, 2e-5, -3e-5))
    + link("hand", 0.5, "0 0 0.01", "0 0 1", (0.001, 0.002, 0.0005, 0.003, -0.002, 0.004))
    + joint("rail", "prismatic", "hand", "tip", "0 0 0.05", "0 0 0.2", "0 0.1 0.1", LIMIT)
    + joint("glue", "fixed", "hand", "camera", "0 0.05 0", "0.1 0.2 0.3")
    + link("tip", 0.1) + link("camera", 0.05, "0.001 0 0"),
    planar=link("base") + link("cart", 2, "0.1 0 0") + link("arm", 1, "0 0 0.3")
    + joint("plane", "planar", "base", "cart", "0.1 0.2 0.3", "0.4 0.5 0.6", "0 0 1")
    + joint("hinge", "revolute", "cart", "arm", "0 0 0.1", "0 0 0", "0 1 0", LIMIT),
    mimic=link("base") + link("a") + link("b") + link("c")
    + joint("jb", "revolute", "a", "b", "0.1 0 0.2", "0.1 0 0", "0 1 0",
            LIMIT + '<mimic joint="ja" multiplier="-1.5" offset="0.25"/>')
    + joint("ja", "revolute", "base", "a", "0 0 0.3", "0 0.2 0", "0 0 1", LIMIT)
    + joint("jc", "prismatic", "b", "c", "0 0.1 0", "0 0 0", "1 0 0",
            LIMIT + '<mimic joint="ja" multiplier="0.5"/>'),
)


def shape(inside, origin="", name=""):
    return f'<collision{name}>{origin}<geometry>{inside}</geometry></collision>'


SHAPES = (shape('<box size="0.1 0.2 0.3"/>', '<origin xyz="0.1 0 0" rpy="0.1 0.2 0.3"/>', ' name="brick"')
          + shape('<cylinder radius="0.1" length="0.4"/>', '<origin rpy="1 0 2"/>')
          + shape('<capsule radius="0.05" length="0.2"/>') + shape('<sphere radius="0.07"/>', '<origin xyz="0 0 1"/>'))

# Robots that MuJoCo reads alike. It does not turn the inertia by the inertial frame's rpy (3.12.0 forgets it), knows no
# mimic, refuses an inertia that no body can have, and takes missing bounds for no limit.
MUJOCO = dict(
    fused='<mujoco><compiler fusestatic="true"/><option timestep="0.005"/></mujoco>' + ROBOTS["arm"].replace(
        'ixy="0.003" ixz="-0.002" iyz="0.004"', 'ixy="0.0003" ixz="-0.0002" iyz="0.0001"').replace(
        'iyy="0.002" izz="0.0005"', 'iyy="0.002" izz="0.0015"').replace(
        "</link>", SHAPES + "</link>", 1).replace(LIMIT, LIMIT + '<dynamics damping="0.5" friction="0.3"/>', 1),
    planar='<mujoco><compiler fusestatic="false"/></mujoco>' + link("base") + link("cart", 2, "0.1 0 0")
    + link("ball", 1, "0 0 0.3")
    + joint("plane", "planar", "base", "cart", "0.1 0.2 0.3", "0.4 0.5 0.6", "0.6 0 -0.8", '<dynamics damping="2"/>')
    + joint("socket", "spherical", "cart", "ball", "0 0 0.1"),
    geoms='<mujoco><compiler inertiafromgeom="true" balanceinertia="true" fusestatic="true"/></mujoco>'
    + f'<link name="base">{SHAPES}</link><link name="a">{SHAPES.replace("brick", "brick2")}</link>'
    + joint("j", "continuous", "base", "a", "0 0 1", "0 1 0", "0 0 1"),
)
FIELDS = """body_parentid body_mass body_inertia body_ipos body_iquat body_pos body_quat body_subtreemass body_invweight0
jnt_type jnt_bodyid jnt_qposadr jnt_dofadr jnt_pos jnt_axis jnt_limited jnt_range jnt_actfrclimited jnt_actfrcrange
dof_damping dof_frictionloss dof_invweight0 dof_M0 geom_type geom_bodyid geom_pos geom_quat geom_size geom_contype
geom_conaffinity geom_group qpos0""".split()


def compiled(text):
    text = re.sub(r'(<inertial><origin xyz="[^"]*") rpy="[^"]*"', r"\1", text)
    model = mujoco.MjModel.from_xml_string(text)
    names = {kind: [getattr(model, kind)(i).name for i in range(count)]
             for kind, count in (("body", model.nbody), ("jnt", model.njnt), ("geom", model.ngeom))}
    return dict(text=text, names=names,
                fields={f: np.asarray(getattr(model, f), float).ravel().tolist() for f in FIELDS})


def row(placement):
    return [*placement.translation.tolist(), *placement.rotation.ravel().tolist()]


def record(build, rng):
    model = build(True)
    data = model.createData()
    names = list(model.names)[1:]
    # A value for each coordinate of the tangent space; `integrate` finds the configuration.
    values = np.round(rng.uniform(-1, 1, model.nv), 3)
    joints = {}
    for i, name in enumerate(names, 1):
        joint = model.joints[i]
        if joint.nv and joint.idx_v >= 0 and "Mimic" not in joint.shortname():
            joints[name] = values[joint.idx_v:joint.idx_v + joint.nv].tolist()
    bodies = [i for i, f in enumerate(model.frames) if f.type == pin.FrameType.BODY]
    root = min(bodies, key=lambda i: model.frames[i].parentJoint * 1e6 + i)
    out = dict(joints=joints, links={})
    q = pin.neutral(model)
    for key, tangent in (("zero", 0 * values), ("moved", values)):
        # The planar joint's exponential is not its coordinates: set those.
        at = pin.integrate(model, q, tangent)
        for i, name in enumerate(names, 1):
            if "Planar" in model.joints[i].shortname():
                k, v = model.joints[i].idx_q, tangent[model.joints[i].idx_v:][:3]
                at[k:k + 4] = [v[0], v[1], np.cos(v[2]), np.sin(v[2])]
        pin.framesForwardKinematics(model, data, at)
        base = data.oMf[root]
        for i in bodies:
            out["links"].setdefault(model.frames[i].name, {})[key] = row(base.actInv(data.oMf[i]))
    # What a joint moves: its link and all that is fixed to it, in the link's frame ("universe": fixed to the world).
    out["inertias"] = {}
    for name, inertia in zip(model.names, model.inertias):
        out["inertias"][name] = dict(
            mass=inertia.mass, center=inertia.lever.tolist(), inertia=inertia.inertia.ravel().tolist())
    return out


def main():
    rng = np.random.default_rng(1)
    out = dict(pinocchio=pin.__version__, files=[], robots=[])
    for path in sorted((pathlib.Path(sys.argv[2]) / "urdf").glob("*.urdf")):
        out["files"].append(dict(file=f"urdf/{path.name}",
                                 **record(lambda mimic: pin.buildModelFromUrdf(str(path), mimic=mimic), rng)))
    for name, body in ROBOTS.items():
        text = f'<robot name="{name}">\n{body}</robot>\n'
        out["robots"].append(dict(text=text, **record(lambda mimic: pin.buildModelFromXML(text, mimic=mimic), rng)))
    out["mujoco"] = [compiled(f'<robot name="{n}">\n{body}</robot>\n') for n, body in MUJOCO.items()]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(out, separators=(",", ":")) + "\n")


main()
