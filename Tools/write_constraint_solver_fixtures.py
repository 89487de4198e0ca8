"""Writes constrained accelerations that the tests of the constraint solver compare with MuJoCo 3.12.0 (float64).

    Tests/RigidBodyTests/Fixtures/constraint_solver/*.json

Each file has states of one model: the mass matrix (rows along `parents`, last row first), the smooth acceleration and force,
the warm start, and the rows in the solver's form:

- `unit`: rows on one degree of freedom; `sparse`: rows on several, with their Jacobians (flat, `counts` entries a row);
  kinds are 0 (equality), 1 (friction), 2 (limit);
- `contacts`: Jacobian, references and forces in the directions of the contact frame. An edge of a pyramid is
  J_0 ± friction_i J_i, so J_0 is the mean of two opposite edges and J_i half their difference over friction_i. `friction`
  starts with the cone's mu.

MuJoCo runs without islands and to a tolerance of 1e-15; `residual` is what is left of the equation of motion, relative.

Usage: python Tools/write_constraint_solver_fixtures.py [name ...]
"""

import sys
import zlib

import mujoco
import numpy as np

from fixture_io import ROOT, TESTS, file_name, robot_models, write

FOLDER = TESTS / "RigidBodyTests" / "Fixtures" / "constraint_solver"
STATES = 3

PILE = """<mujoco><option timestep="0.004" cone="{cone}" impratio="{impratio}"/>
<default><geom condim="{condim}" friction="0.7 0.02 0.01" solref="0.015 1.2"/></default>
<worldbody><geom type="plane" size="5 5 1"/>
{bodies}</worldbody></mujoco>"""

LINKAGE = """<mujoco><option timestep="0.004" cone="elliptic" impratio="3"/>
<worldbody><geom type="plane" size="5 5 1" pos="0 0 -0.9"/>
<body name="a" pos="0 0 0"><joint name="a1" axis="0 1 0" frictionloss="0.4" range="-40 40" limited="true"/>
 <joint name="a2" axis="1 0 0" frictionloss="0.1" armature="0.01"/>
 <geom type="capsule" size="0.04" fromto="0 0 0 0.3 0 -0.4"/>
 <body name="b" pos="0.3 0 -0.4"><joint name="b1" type="ball" range="0 30" limited="true" frictionloss="0.05"/>
  <geom type="capsule" size="0.04" fromto="0 0 0 0.1 0 -0.4"/></body></body>
<body name="c" pos="0.8 0 0"><joint name="c1" type="slide" axis="0 0 1" frictionloss="1.5" range="-0.1 0.2" limited="true"/>
 <joint name="c2" axis="0 1 0"/><geom type="box" size="0.1 0.2 0.05"/>
 <body name="d" pos="0 0 -0.3"><joint name="d1" axis="0 1 0"/><geom type="capsule" size="0.05" fromto="0 0 0 0 0 -0.45"/>
 </body></body>
</worldbody>
<tendon><fixed name="t1" frictionloss="0.3" range="-0.2 0.15" limited="true"><joint joint="a1" coef="1"/>
 <joint joint="c2" coef="-0.7"/><joint joint="d1" coef="0.4"/></fixed></tendon>
<equality><connect body1="b" body2="d" anchor="0.1 0 -0.4"/><joint joint1="c2" joint2="d1" polycoef="0.1 0.6 0.2 0 0"/>
 <tendon tendon1="t1" polycoef="0.05 0 0 0 0" active="true"/></equality></mujoco>"""


def pile(cone, condim, impratio=1):
    bodies = "".join(
        f'<body pos="{0.05 * i:.2f} {0.03 * i:.2f} {0.12 + 0.19 * i:.2f}"><freejoint/>'
        f'<geom type="{"box" if i % 2 == 0 else "capsule"}" size="{"0.12 0.1 0.1" if i % 2 == 0 else "0.09 0.12"}"'
        f' euler="{0 if i % 2 == 0 else 90} {7 * i} 0"/></body>' for i in range(4))
    return PILE.format(cone=cone, condim=condim, impratio=impratio, bodies=bodies)


def sources():
    """Key, text or path, and settings (cone, condim)."""
    for cone in ("pyramidal", "elliptic"):
        for condim in (1, 3, 4, 6):
            yield f"pile_{cone}_{condim}", pile(cone, condim, 1 if condim != 3 else 5), None, None
    yield "linkage", LINKAGE, None, None
    yield "quadruped", ROOT / "Models" / "quadruped.xml", None, None
    shared = robot_models()
    if shared:
        for key in ("mujoco/humanoid.xml", "gymnasium/ant.xml", "gymnasium/hopper.xml", "gymnasium/half_cheetah.xml",
                    "gymnasium/humanoid.xml", "dm_control/humanoid.xml"):
            yield file_name(key), shared / key, None, None
        yield "mujoco_humanoid_elliptic", shared / "mujoco/humanoid.xml", "elliptic", 3
        yield "gymnasium_ant_elliptic", shared / "gymnasium/ant.xml", "elliptic", 4
        yield "dm_control_humanoid_pyramidal_6", shared / "dm_control/humanoid.xml", "pyramidal", 6


def states(m, rng):
    """States on the way of a fall with random controls, from a lifted start."""
    d = mujoco.MjData(m)
    result = []
    for attempt in range(40):
        mujoco.mj_resetData(m, d)
        d.qvel[:] = rng.normal(size=m.nv) * 0.5
        count = int(rng.integers(5, 150)) if attempt < 20 else int(rng.integers(100, 600))
        for _ in range(count):
            d.ctrl[:] = 0.4 * rng.uniform(-1, 1, m.nu)
            mujoco.mj_step(m, d)
        if not np.isfinite(d.qacc).all():
            continue
        mujoco.mj_forward(m, d)
        if d.ncon >= 1 and d.nefc >= 4:
            result.append((d.qpos.copy(), d.qvel.copy(), d.ctrl.copy(), d.act.copy(), d.qacc_warmstart.copy()))
        if len(result) == STATES:
            break
    return result


def rows_of(m, d):
    nv = m.nv
    J = np.zeros((d.nefc, nv))
    if mujoco.mj_isSparse(m):
        for i in range(d.nefc):
            a, n = d.efc_J_rowadr[i], d.efc_J_rownnz[i]
            J[i, d.efc_J_colind[a:a + n]] = d.efc_J[a:a + n]
    else:
        J[:] = d.efc_J.reshape(d.nefc, nv)
    return J


def case(m, state):
    d = mujoco.MjData(m)
    d.qpos[:], d.qvel[:], d.ctrl[:], d.act[:], d.qacc_warmstart[:] = state
    warm = state[4]
    default = mujoco.MjModel.__copy__(m)
    mujoco.mj_forward(default, d)
    iterations = int(d.solver_niter[0])
    m.opt.tolerance, m.opt.ls_tolerance, m.opt.iterations, m.opt.ls_iterations = 1e-15, 1e-3, 500, 200
    for _ in range(4):
        mujoco.mj_forward(m, d)
        d.qacc_warmstart[:] = d.qacc
    J = rows_of(m, d)
    M = np.zeros((m.nv, m.nv))
    mujoco.mj_fullM(m, d, M)
    balance = [M @ d.qacc, d.qfrc_smooth, J.T @ d.efc_force]
    residual = np.linalg.norm(balance[0] - balance[1] - balance[2]) / max(np.linalg.norm(x) for x in balance)
    unit = {k: [] for k in ("dof", "sign", "kind", "reference", "weight", "limit", "force")}
    sparse = {k: [] for k in ("counts", "support", "jacobian", "kind", "reference", "weight", "limit", "force")}
    contacts = []
    i = 0
    while i < d.nefc:
        kind = {0: 0, 1: 1, 2: 1, 3: 2, 4: 2}.get(int(d.efc_type[i]))
        if kind is not None:
            support = np.nonzero(J[i])[0]
            values = [kind, d.efc_aref[i], d.efc_D[i], d.efc_frictionloss[i], d.efc_force[i]]
            if len(support) == 1 and abs(J[i, support[0]]) == 1:
                target = unit
                unit["dof"].append(int(support[0]))
                unit["sign"].append(int(J[i, support[0]]))
            else:
                target = sparse
                sparse["counts"].append(len(support))
                sparse["support"] += support.tolist()
                sparse["jacobian"] += J[i, support].tolist()
            for key, value in zip(("kind", "reference", "weight", "limit", "force"), values):
                target[key].append(value)
            i += 1
            continue
        contact = d.contact[d.efc_id[i]]
        dim, friction = int(contact.dim), contact.friction.copy()
        force = np.zeros(6)
        mujoco.mj_contactForce(m, d, int(d.efc_id[i]), force)
        if int(d.efc_type[i]) == 6:
            count = 2 * (dim - 1)
            rows, aref = J[i:i + count], d.efc_aref[i:i + count]
            mu = friction[:dim - 1]
            jacobian = np.vstack([rows.mean(axis=0), (rows[0::2] - rows[1::2]) / (2 * mu[:, None])])
            reference = np.concatenate([[aref.mean()], (aref[0::2] - aref[1::2]) / (2 * mu)])
            weight = [d.efc_D[i]] + [0] * (dim - 1)
            assert np.ptp(d.efc_D[i:i + count]) < 1e-9 * d.efc_D[i]
            assert np.allclose(jacobian[0] + mu[:, None] * jacobian[1:], rows[0::2], atol=1e-12)
        else:
            count = dim
            jacobian, reference, weight = J[i:i + dim], d.efc_aref[i:i + dim], d.efc_D[i:i + dim]
        support = np.nonzero(np.abs(jacobian).max(axis=0))[0]
        contacts.append({
            "dimension": dim, "support": support.tolist(), "jacobian": jacobian[:, support], "reference": reference,
            "weight": weight, "friction": [contact.mu] + friction.tolist(), "force": force[:dim]})
        i += count
    mass, parents = [], m.dof_parentid.tolist()
    for row in reversed(range(m.nv)):
        column = row
        while column >= 0:
            mass.append(M[row, column])
            column = parents[column]
    return {
        "elliptic": m.opt.cone == mujoco.mjtCone.mjCONE_ELLIPTIC, "scale": m.stat.meaninertia * max(1, m.nv),
        "parents": parents, "mass": mass, "smooth_acceleration": d.qacc_smooth, "smooth_force": d.qfrc_smooth,
        "warm_start": warm, "unit": unit, "sparse": sparse, "contacts": contacts, "acceleration": d.qacc,
        "constraint_force": d.qfrc_constraint, "residual": residual, "mujoco_iterations": iterations}


def main(names):
    for key, source, cone, condim in sources():
        if names and key not in names:
            continue
        if isinstance(source, str):
            m = mujoco.MjModel.from_xml_string(source)
        else:
            m = mujoco.MjModel.from_xml_path(str(source))
        m.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
        m.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON
        m.opt.integrator = mujoco.mjtIntegrator.mjINT_EULER
        if cone:
            m.opt.cone = getattr(mujoco.mjtCone, f"mjCONE_{cone.upper()}")
            m.geom_condim[:] = condim
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        settings = (m.opt.tolerance, m.opt.ls_tolerance, m.opt.iterations, m.opt.ls_iterations)
        cases = []
        for state in states(m, rng):
            cases.append(case(m, state))
            m.opt.tolerance, m.opt.ls_tolerance, m.opt.iterations, m.opt.ls_iterations = settings
        print(key, m.nv, [(len(c["contacts"]), len(c["unit"]["dof"]), len(c["sparse"]["counts"]),
                           c["mujoco_iterations"], f'{c["residual"]:.1e}') for c in cases])
        write(FOLDER / f"{key}.json", {"cases": cases})


if __name__ == "__main__":
    main(sys.argv[1:])
