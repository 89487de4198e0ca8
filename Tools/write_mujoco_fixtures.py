"""Writes the reference values that the tests compare with MuJoCo 3.12.0 (float64).

    Tests/RobotModelsTests/Fixtures/mujoco/*.json   compiled constants
    Tests/KinematicsTests/Fixtures/mujoco/*.json    poses and Jacobians
    Tests/RigidBodyTests/Fixtures/mujoco/*.json     dynamics, trajectories, derivatives of one step

One file per model. `source` names a file under the robot model folder or, where it begins with `Models/`,
in this repository; variants that exercise single features hold their own text in `xml` (and `files`).
Arrays are flat and row-major. Constraints are disabled throughout (mjDSBL_CONSTRAINT), so contacts, limits
and joint friction play no part.

Usage: python Tools/write_mujoco_fixtures.py [name ...]
"""

import base64
import copy
import sys
import zlib

import mujoco
import numpy as np

import mujoco_variants
from fixture_io import ROOT, TESTS, file_name, robot_models, write

INTEGRATORS = {
    "Euler": mujoco.mjtIntegrator.mjINT_EULER,
    "implicitfast": mujoco.mjtIntegrator.mjINT_IMPLICITFAST,
    "RK4": mujoco.mjtIntegrator.mjINT_RK4,
}
LARGEST_DENSE_MATRIX = 40
TRAJECTORY_STEPS = (1, 10, 50, 200)
CONTROL_ROWS = 8

# As plain integers: the enumeration's own comparison with NumPy integers is false whatever the value.
FREE, BALL, SLIDE, HINGE = (int(getattr(mujoco.mjtJoint, f"mjJNT_{name}"))
                            for name in ("FREE", "BALL", "SLIDE", "HINGE"))

COMPILED_FIELDS = """
    qpos0 qpos_spring
    body_parentid body_rootid body_weldid body_mocapid body_mass body_subtreemass body_inertia body_ipos
    body_iquat body_pos body_quat body_invweight0 body_gravcomp body_jntnum body_dofnum body_geomnum
    jnt_type jnt_bodyid jnt_qposadr jnt_dofadr jnt_pos jnt_axis jnt_stiffness jnt_limited jnt_range
    jnt_margin jnt_solref jnt_solimp jnt_actfrclimited jnt_actfrcrange jnt_actgravcomp
    dof_bodyid dof_jntid dof_parentid dof_armature dof_damping dof_frictionloss dof_solref dof_solimp
    dof_invweight0 dof_M0
    geom_type geom_bodyid geom_pos geom_quat geom_size geom_contype geom_conaffinity geom_condim
    geom_priority geom_group geom_friction geom_solmix geom_solref geom_solimp geom_margin geom_gap
    site_bodyid site_pos site_quat
    actuator_trntype actuator_trnid actuator_gear actuator_dyntype actuator_gaintype actuator_biastype
    actuator_dynprm actuator_gainprm actuator_biasprm actuator_ctrllimited actuator_ctrlrange
    actuator_forcelimited actuator_forcerange actuator_actlimited actuator_actrange actuator_actadr
    actuator_actearly actuator_group
    tendon_stiffness tendon_damping tendon_armature tendon_frictionloss tendon_limited tendon_range
    tendon_margin tendon_lengthspring
    eq_type eq_obj1id eq_obj2id eq_active0 eq_data eq_solref eq_solimp
    pair_dim pair_geom1 pair_geom2 pair_friction pair_margin pair_gap
    key_time key_qpos key_qvel key_act key_ctrl
""".split()

OPTION_FIELDS = """
    timestep integrator cone solver gravity wind magnetic density viscosity impratio tolerance ls_tolerance
    iterations ls_iterations noslip_iterations disableflags enableflags disableactuator
""".split()

NAMES = {
    "body": mujoco.mjtObj.mjOBJ_BODY, "jnt": mujoco.mjtObj.mjOBJ_JOINT, "geom": mujoco.mjtObj.mjOBJ_GEOM,
    "site": mujoco.mjtObj.mjOBJ_SITE, "actuator": mujoco.mjtObj.mjOBJ_ACTUATOR,
    "tendon": mujoco.mjtObj.mjOBJ_TENDON, "key": mujoco.mjtObj.mjOBJ_KEY,
}
COUNTS = {"body": "nbody", "jnt": "njnt", "geom": "ngeom", "site": "nsite", "actuator": "nu",
          "tendon": "ntendon", "key": "nkey"}


def sizes(m):
    return {k: getattr(m, k) for k in "nq nv nu na nbody njnt ngeom nsite".split()}


def compiled(m):
    """Compiled fields of the model; empty arrays are left out."""
    result = {k: np.asarray(getattr(m.opt, k)) for k in OPTION_FIELDS}
    result["meaninertia"] = m.stat.meaninertia
    for field in COMPILED_FIELDS:
        value = getattr(m, field)
        if value.size:
            result[field] = value
    names = {}
    for prefix, kind in NAMES.items():
        count = getattr(m, COUNTS[prefix])
        if count:
            names[prefix] = [mujoco.mj_id2name(m, kind, i) or "" for i in range(count)]
    return {"sizes": sizes(m), "names": names, "fields": result}


# ---------------------------------------------------------------------------------------------- states


def random_quaternion(rng):
    q = rng.normal(size=4)
    return q / np.linalg.norm(q)


def random_position(m, rng, normalised, scale=1.0):
    q = m.qpos0.copy()
    for j in range(m.njnt):
        a, kind = m.jnt_qposadr[j], m.jnt_type[j]
        if kind == FREE:
            q[a:a + 3] = np.round(rng.uniform(-0.5, 0.5, 3) + [0, 0, 1], 4)
            a += 3
        if kind in (FREE, BALL):
            quaternion = random_quaternion(rng)
            q[a:a + 4] = quaternion if normalised else np.round(quaternion * rng.uniform(0.5, 2), 4)
        else:
            width = 0.5 if kind == SLIDE else 1.5
            low, high = m.qpos0[a] - width, m.qpos0[a] + width
            if m.jnt_limited[j] and m.jnt_range[j, 1] - m.jnt_range[j, 0] < 2 * width:
                low, high = m.jnt_range[j]
            middle = 0.5 * (low + high)
            q[a] = np.round(middle + scale * (rng.uniform(low, high) - middle), 4)
    return q


def random_control(m, rng, beyond):
    u = np.empty(m.nu)
    for i in range(m.nu):
        low, high = (m.actuator_ctrlrange[i] if m.actuator_ctrllimited[i] else (-1.0, 1.0))
        width = high - low
        u[i] = rng.uniform(low + 0.05 * width, high - 0.05 * width)
        if beyond and i % 2 == 0:
            u[i] = high + 0.3 * width if rng.random() < 0.5 else low - 0.3 * width
    return np.round(u, 5)


def random_activation(m, rng):
    act = np.zeros(m.na)
    for i in range(m.nu):
        a = m.actuator_actadr[i]
        if a >= 0:
            low, high = (m.actuator_actrange[i] if m.actuator_actlimited[i] else (-0.5, 0.5))
            width = high - low
            act[a:a + m.actuator_actnum[i]] = rng.uniform(low + 0.1 * width, high - 0.1 * width)
    return np.round(act, 5)


def random_state(m, rng, normalised=True, beyond=False, applied=False, cartesian=False, scale=1.0):
    return {
        "qpos": random_position(m, rng, normalised, scale),
        "qvel": np.round(scale * rng.normal(size=m.nv), 4),
        "act": random_activation(m, rng),
        "ctrl": random_control(m, rng, beyond),
        "qfrc_applied": np.round(rng.normal(size=m.nv), 4) if applied else np.zeros(m.nv),
        "xfrc_applied": np.round(rng.normal(size=(m.nbody, 6)), 3) if cartesian
        else np.zeros((m.nbody, 6)),
    }


def set_state(d, state):
    for k, v in state.items():
        getattr(d, k)[:] = v
    d.time = 0


def jacobian_bodies(m):
    """The last body and one halfway, preferring bodies that move."""
    moving = [b for b in range(1, m.nbody) if m.body_weldid[b] != 0] or list(range(m.nbody))
    return sorted({moving[-1], moving[len(moving) // 2]})


def jacobians(m, d, fields):
    result = []
    for body in jacobian_bodies(m):
        p, r = np.zeros((3, m.nv)), np.zeros((3, m.nv))
        mujoco.mj_jacBody(m, d, p, r, body)
        entry = {"body": body, "jacobian": np.vstack([p, r])}
        if "rate" in fields:
            mujoco.mj_jacDot(m, d, p, r, d.xpos[body], body)
            entry["jacobian_rate"] = np.vstack([p, r])
        result.append(entry)
    return result


def evaluate(m, state):
    d = mujoco.MjData(m)
    set_state(d, state)
    mujoco.mj_forward(m, d)
    dense = {}
    if m.nv <= LARGEST_DENSE_MATRIX:
        M = np.zeros((m.nv, m.nv))
        mujoco.mj_fullM(m, d, M)
        dense["M"] = M
    kinematics = {
        "xpos": d.xpos, "xquat": d.xquat, "xipos": d.xipos, "geom_xpos": d.geom_xpos,
        "site_xpos": d.site_xpos, "subtree_com": d.subtree_com,
    }
    kinematics = {k: v.copy() for k, v in kinematics.items() if v.size}
    dynamics = {k: getattr(d, k).copy() for k in (
        "qfrc_bias", "qfrc_spring", "qfrc_damper", "qfrc_gravcomp", "qfrc_fluid", "qfrc_passive",
        "actuator_length", "actuator_velocity", "actuator_force", "qfrc_actuator", "qfrc_smooth",
        "qacc_smooth", "qacc", "act_dot") if getattr(d, k).size}
    dynamics["energy"] = d.energy.copy()
    dynamics |= dense
    return kinematics, dynamics, jacobians(m, d, "rate")


# -------------------------------------------------------------------------------------------- stepping


def healthy(d):
    return (all(np.isfinite(x).all() for x in (d.qpos, d.qvel, d.act))
            and not any(w.number for w in d.warning))


def simulate(m, state, controls, steps, stored):
    d = mujoco.MjData(m)
    set_state(d, state)
    kept = []
    for k in range(steps):
        d.ctrl[:] = controls[k * CONTROL_ROWS // steps]
        mujoco.mj_step(m, d)
        if not healthy(d) or np.abs(d.qvel).max(initial=0) > 1e3:
            return None
        if k + 1 in stored:
            kept.append({"step": k + 1, "qpos": d.qpos.copy(), "qvel": d.qvel.copy(), "act": d.act.copy()})
    return kept


def amplification(m, state, controls, steps, reference):
    """How much a relative perturbation of the initial velocity grows over the trajectory."""
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(2):
        moved = dict(state)
        moved["qvel"] = state["qvel"] + 1e-8 * rng.normal(size=m.nv)
        other = simulate(m, moved, controls, steps, (steps,))
        if other is None:
            return np.inf
        a, b = reference[-1], other[-1]
        difference = np.linalg.norm(np.concatenate([a["qpos"] - b["qpos"], a["qvel"] - b["qvel"]]))
        worst = max(worst, difference / 1e-8)
    return worst


def trajectories(m, seed):
    """One trajectory per integrator from the same state, gentle enough to stay well conditioned."""
    steps = TRAJECTORY_STEPS[-1]
    keep = m.opt.integrator
    for scale in (1.0, 0.5, 0.25, 0.1, 0.03, 0.01):
        rng = np.random.default_rng(seed)
        state = random_state(m, rng, scale=scale, applied=True, cartesian=True)
        state["qfrc_applied"] = np.round(0.1 * scale * state["qfrc_applied"], 5)
        state["xfrc_applied"] = np.round(0.1 * scale * state["xfrc_applied"], 5)
        # Reference positions of limited joints may lie outside the gentle range, hence the middle.
        controls = np.array([random_control(m, rng, False) for _ in range(CONTROL_ROWS)])
        middle = np.where(m.actuator_ctrllimited.astype(bool), m.actuator_ctrlrange.mean(axis=1), 0)
        controls = np.round(middle + 0.3 * scale * (controls - middle), 5)
        runs = []
        for name, integrator in INTEGRATORS.items():
            m.opt.integrator = integrator
            kept = simulate(m, state, controls, steps, TRAJECTORY_STEPS)
            growth = np.inf if kept is None else amplification(m, state, controls, steps, kept)
            if growth < 1e4:
                runs.append({"integrator": name, "amplification": float(f"{growth:.3g}"), "points": kept})
        m.opt.integrator = keep
        if len(runs) == len(INTEGRATORS) or (scale == 0.01 and runs):
            return {"state": state, "steps": steps, "controls": controls, "runs": runs}
    return None


# ----------------------------------------------------------------------------------------- derivatives


def extrapolated(difference, largest, magnitude=0.0):
    """Central differences extrapolated entry by entry to step size zero (Ridders), and the estimated error;
    `magnitude` is the size of the numbers that are subtracted."""
    best, best_error, previous = None, None, []
    for level in range(9):
        row = [np.asarray(difference(largest / 2 ** level))]
        for k, older in enumerate(previous):
            factor = 4.0 ** (k + 1)
            row.append((factor * row[k] - older) / (factor - 1))
            estimate = np.maximum(np.abs(row[k + 1] - row[k]), np.abs(row[k + 1] - older))
            estimate = estimate + 1e-16 * magnitude * 2 ** level / largest
            if best is None:
                best, best_error = row[k + 1].copy(), estimate
            else:
                best = np.where(estimate < best_error, row[k + 1], best)
                best_error = np.minimum(estimate, best_error)
        previous = row
    return best, best_error


def step_derivatives(m, state):
    """A and B of one step in tangent coordinates (the layout of mjd_transitionFD) from central
    differences of mj_step, and the estimated error relative to the norm of each matrix."""
    nv, na, nu = m.nv, m.na, m.nu
    n = 2 * nv + na
    d = mujoco.MjData(m)

    def step(direction, h):
        set_state(d, state)
        mujoco.mj_integratePos(m, d.qpos, direction[:nv], h)
        d.qvel[:] += h * direction[nv:2 * nv]
        d.act[:] += h * direction[2 * nv:n]
        d.ctrl[:] += h * direction[n:]
        mujoco.mj_step(m, d)
        return d.qpos.copy(), d.qvel.copy(), d.act.copy()

    def difference(direction, h):
        minus, plus = step(direction, -h), step(direction, h)
        dq = np.zeros(nv)
        mujoco.mj_differentiatePos(m, dq, 2 * h, minus[0], plus[0])
        return np.concatenate([dq, (plus[1] - minus[1]) / (2 * h), (plus[2] - minus[2]) / (2 * h)])

    columns = []
    for column in range(n + nu):
        direction = np.zeros(n + nu)
        direction[column] = 1
        columns.append(extrapolated(lambda h: difference(direction, h), 2.0 ** -5))
    result, error = (np.array(x).T.reshape(n, n + nu) for x in zip(*columns))
    A, B = result[:, :n], result[:, n:]

    check_with_transition_fd(m, state, A, B)
    return {"A": significant(A), "B": significant(B), "A_error": relative(error[:, :n], A),
            "B_error": relative(error[:, n:], B)}


def check_with_transition_fd(m, state, A, B):
    """Guards against mistakes here. Where a gain depends on velocity, implicitfast's matrix depends on the
    control and the activation; mjd_transitionFD reuses the factor in those columns and so misses a part."""
    if m.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4:
        return
    stale_factor = (m.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
                    and (m.actuator_gainprm[:, 2][m.actuator_gaintype == int(mujoco.mjtGain.mjGAIN_AFFINE)]
                         != 0).any())
    n = A.shape[0]
    other_A, other_B = np.zeros((n, n)), np.zeros((n, m.nu))
    d = mujoco.MjData(m)
    set_state(d, state)
    mujoco.mj_forward(m, d)
    mujoco.mjd_transitionFD(m, d, 1e-6, True, other_A, other_B, None, None)
    motion = slice(2 * m.nv) if stale_factor else slice(None)
    pairs = [(A[:, motion], other_A[:, motion])] + ([] if stale_factor else [(B, other_B)])
    for ours, theirs in pairs:
        if np.linalg.norm(ours - theirs) > 1e-6 * np.linalg.norm(theirs) + 1e-9:
            raise ValueError("differences disagree with mjd_transitionFD: "
                             f"{np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)}")


def relative(error, value):
    """The size of the error relative to the value's, or 0 where the value itself is rounding."""
    size = np.linalg.norm(value)
    if size < 1e-11:
        return 0.0
    return float(f"{np.linalg.norm(error) / size if size else 0.0:.2g}")


def parameter_gradient(m, state, cotangent):
    """Gradient of cotangent . (next state in tangent coordinates) by forces and fields of the compiled model,
    from differences of mj_step in an edited copy. Of the constants derived from the fields only dof_M0 and
    body_subtreemass play a part without constraints, as shortcuts, and so they follow the fields."""
    nv, na = m.nv, m.na
    edited = copy.copy(m)
    # Shortcuts that the compiler has chosen by the fields' values and that are only valid for those.
    edited.body_sameframe[:] = 0
    d = mujoco.MjData(edited)
    scratch = mujoco.MjData(edited)
    set_state(d, state)
    mujoco.mj_step(edited, d)
    magnitude = np.abs(cotangent[nv:2 * nv]) @ np.abs(d.qvel)

    def step(forces):
        set_state(d, state)
        for name, change in forces.items():
            getattr(d, name)[:] += change
        mujoco.mj_step(edited, d)
        return d.qpos.copy(), d.qvel.copy(), d.act.copy()

    def cost_difference(perturb, h):
        ends = []
        for sign in (-1, 1):
            forces, undo = perturb(sign * h)
            ends.append(step(forces))
            undo()
        dq = np.zeros(nv)
        mujoco.mj_differentiatePos(m, dq, 2 * h, ends[0][0], ends[1][0])
        dv, da = ((ends[1][k] - ends[0][k]) / (2 * h) for k in (1, 2))
        return cotangent @ np.concatenate([dq, dv, da])

    def by_force(name):
        shape = getattr(d, name).shape
        result, error = np.zeros(shape), np.zeros(shape)
        for index in np.ndindex(shape):
            unit = np.zeros(shape)
            unit[index] = 1
            result[index], error[index] = extrapolated(
                lambda h: cost_difference(lambda x: ({name: x * unit}, lambda: None), h), 2.0 ** -5,
                magnitude)
        return significant(result), relative(error, result)

    def by_field(field, indices, scale, refreshes):
        values = np.asarray(field)
        result, error = np.zeros(len(indices)), np.zeros(len(indices))
        for k, index in enumerate(indices):
            keep = values[index]

            def assign(x):
                values[index] = x
                if refreshes:
                    mujoco.mj_setConst(edited, scratch)

            def perturb(x):
                assign(keep + x)
                return {}, lambda: assign(keep)

            result[k], error[k] = extrapolated(
                lambda h: cost_difference(perturb, h), scale(index, keep), magnitude)
        return significant(result), relative(error, result)

    # A body that MuJoCo treats as a point mass on a diagonal mass matrix keeps that treatment.
    moved = [b for b in range(1, m.nbody) if m.body_simple[b] == 0]
    scalar_joints = [j for j in range(m.njnt) if m.jnt_type[j] in (SLIDE, HINGE)]
    damped = m.opt.integrator != mujoco.mjtIntegrator.mjINT_EULER or (m.dof_damping > 0).any()
    fluid = m.opt.density > 0 or m.opt.viscosity > 0

    # Largest steps that stay inside the region where the dynamics is smooth and the mass matrix definite.
    def by_mass(_, keep):
        return 2.0 ** -4 * max(abs(keep), 2.0 ** -10)

    def by_inertia(_, keep):
        return (2.0 ** -9 if fluid else 2.0 ** -3) * keep if keep else 2.0 ** -20

    def by_armature(index, _):
        return 2.0 ** -8 / m.dof_invweight0[index] if m.dof_invweight0[index] else 2.0 ** -18

    def by_value(_, keep):
        return 2.0 ** -5 * max(abs(keep), 1.0)

    def by_length(_, keep):
        return 2.0 ** -8

    def by_tendon_armature(index, _):
        return 2.0 ** -8 / m.tendon_invweight0[index]

    # MuJoCo's mass matrix has no place for what couples different branches.
    heavy = [t for t in range(m.ntendon) if along_one_path(m, t)]
    tendons = range(m.ntendon)
    bodies, dofs, actuators = range(m.nbody), range(nv), range(m.nu)
    first_three = [(i, k) for i in actuators for k in range(3)]
    fields = {
        "body_mass": (edited.body_mass, [(b,) for b in bodies], by_mass),
        "body_ipos": (edited.body_ipos, [(b, k) for b in moved for k in range(3)], by_length),
        "body_inertia": (edited.body_inertia, [(b, k) for b in bodies for k in range(3)], by_inertia),
        "dof_armature": (edited.dof_armature, [(i,) for i in dofs], by_armature),
        "dof_damping": (edited.dof_damping, [(i,) for i in dofs] if damped else [], by_value),
        "jnt_stiffness": (edited.jnt_stiffness, [(j,) for j in range(m.njnt)], by_value),
        "qpos_spring": (edited.qpos_spring, [(m.jnt_qposadr[j],) for j in scalar_joints], by_value),
        "actuator_gear": (edited.actuator_gear, [(i, k) for i in actuators for k in range(6)], by_value),
        "actuator_gainprm": (edited.actuator_gainprm, first_three, by_value),
        "actuator_biasprm": (edited.actuator_biasprm, first_three, by_value),
        "tendon_stiffness": (edited.tendon_stiffness, [(t,) for t in tendons], by_value),
        "tendon_damping": (edited.tendon_damping, [(t,) for t in tendons], by_value),
        "tendon_armature": (edited.tendon_armature, [(t,) for t in heavy], by_tendon_armature),
        # Where a tendon has one length of rest, both ends move together.
        "tendon_lengthspring": (edited.tendon_lengthspring, [(t, k) for t in tendons for k in range(2)
                                if m.tendon_lengthspring[t, 0] != m.tendon_lengthspring[t, 1]], by_length),
        "gravity": (edited.opt.gravity, [(0,), (1,), (2,)], lambda *_: 4.0),
    }
    result = {"moved_bodies": moved, "scalar_joints": scalar_joints, "heavy_tendons": heavy}
    errors = {}
    for name in ("qfrc_applied", "xfrc_applied"):
        result[name], errors[name] = by_force(name)
    for name, (field, indices, scale) in fields.items():
        if indices:
            # Not for actuators: the function would take a positive third bias parameter for a damping ratio.
            refreshes = name.startswith(("body_", "dof_", "tendon_armature"))
            result[name], errors[name] = by_field(field, indices, scale, refreshes)

    def perturb_timestep(x):
        keep = edited.opt.timestep
        edited.opt.timestep = keep + x

        def undo():
            edited.opt.timestep = keep
        return {}, undo

    value, error = extrapolated(
        lambda h: cost_difference(perturb_timestep, h), m.opt.timestep / 16, magnitude)
    result["timestep"] = float(f"{value:.13g}")
    errors["timestep"] = relative(error, value)
    result["errors"] = errors
    return result


def along_one_path(m, tendon):
    """Whether a fixed tendon's joints lie on one path from the root outwards."""
    first = m.tendon_adr[tendon]
    if m.wrap_type[first] != int(mujoco.mjtWrap.mjWRAP_JOINT):
        return False
    joints = m.wrap_objid[first:first + m.tendon_num[tendon]]
    dofs = sorted(m.jnt_dofadr[joints])
    path, dof = set(), dofs[-1]
    while dof >= 0:
        path.add(dof)
        dof = m.dof_parentid[dof]
    return path.issuperset(dofs)


def significant(matrix, digits=13):
    """Rounded to what differences can tell."""
    if np.abs(matrix).max(initial=0) < 1e-11:
        return [0.0] * np.size(matrix)
    return [float(f"{x:.{digits}g}") if abs(x) > 1e-15 else 0.0 for x in np.asarray(matrix).ravel()]


def transitions(m, seed, count):
    result = []
    keep = m.opt.integrator
    for k in range(count):
        rng = np.random.default_rng(seed + 100 + k)
        state = random_state(m, rng, applied=k == 1, cartesian=k == 1)
        entry = {"state": state, "cotangent": np.round(rng.normal(size=2 * m.nv + m.na), 3)}
        for name, integrator in INTEGRATORS.items():
            m.opt.integrator = integrator
            entry[name] = step_derivatives(m, state)
            if k == count - 1:
                entry[name]["gradient"] = parameter_gradient(m, state, entry["cotangent"])
        result.append(entry)
    m.opt.integrator = keep
    return result


# ------------------------------------------------------------------------------------------------ main


def write_model(key, m, heading, dynamic=True):
    name = file_name(key)
    write(TESTS / "RobotModelsTests/Fixtures/mujoco" / f"{name}.json", heading | compiled(m))
    if not dynamic or m.nv == 0:
        return
    seed = zlib.crc32(key.encode())
    m.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONSTRAINT
    m.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    kinds = (dict(applied=True), dict(normalised=False, beyond=True, applied=True, cartesian=True), dict())
    kinematics, dynamics = [], []
    for k, options in enumerate(kinds):
        state = random_state(m, np.random.default_rng(seed + k), **options)
        poses, forces, jacobian = evaluate(m, state)
        kinematics.append({"qpos": state["qpos"], "qvel": state["qvel"]} | poses | {"jacobians": jacobian})
        dynamics.append({"state": state, "result": poses | forces})
    write(TESTS / "KinematicsTests/Fixtures/mujoco" / f"{name}.json",
          heading | {"sizes": sizes(m), "states": kinematics})
    value = heading | {"sizes": sizes(m), "states": dynamics}
    path = trajectories(m, seed)
    if path is None or len(path["runs"]) < len(INTEGRATORS):
        present = [] if path is None else [r["integrator"] for r in path["runs"]]
        print(f"  {key}: trajectories only for {present}")
    value["trajectory"] = path
    value["transitions"] = transitions(m, seed, 2 if m.nv <= 20 else 1)
    write(TESTS / "RigidBodyTests/Fixtures/mujoco" / f"{name}.json", value)


def main(wanted):
    if mujoco.__version__ != "3.12.0":
        raise SystemExit(f"needs mujoco 3.12.0, found {mujoco.__version__}")
    found = []
    folder = robot_models()
    if folder:
        for pattern in ("**/*.xml", "**/*.urdf"):
            for path in sorted(folder.glob(pattern)):
                if "common" not in path.parts:
                    found.append((path.relative_to(folder).as_posix(), path))
    for path in sorted((ROOT / "Models").glob("*.xml")):
        found.append((f"Models/{path.name}", path))
    for key, path in found:
        if wanted and not any(w in file_name(key) for w in wanted):
            continue
        try:
            m = mujoco.MjModel.from_xml_path(str(path))
        except ValueError as error:
            print(f"  {key}: skipped, {str(error).splitlines()[0]}")
            continue
        print(key, flush=True)
        write_model(key, m, {"source": key, "mujoco": mujoco.__version__})
    for name, variant in mujoco_variants.VARIANTS.items():
        key = f"variant/{name}.xml"
        if wanted and not any(w in file_name(key) for w in wanted):
            continue
        print(key, flush=True)
        m = mujoco.MjModel.from_xml_string(variant.xml, variant.files)
        heading = {"source": key, "mujoco": mujoco.__version__, "xml": variant.xml}
        if variant.files:
            heading["files"] = {k: base64.b64encode(v).decode() for k, v in variant.files.items()}
        write_model(key, m, heading, variant.dynamic)


if __name__ == "__main__":
    main(sys.argv[1:])
