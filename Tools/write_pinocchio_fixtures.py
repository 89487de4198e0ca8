"""Writes the reference values that the tests compare with Pinocchio 4.1 (float64), for the URDF files.

    Tests/KinematicsTests/Fixtures/pinocchio/*.json   frames, Jacobians and their time derivatives
    Tests/RigidBodyTests/Fixtures/pinocchio/*.json    RNEA, CRBA, ABA, RNEA derivatives, energy

The base is fixed and gravity is (0, 0, -9.81). Everything is ordered by `joints` (the independent joints by
name, one coordinate each; a continuous joint is an angle) and `links`. Mimic joints move with their source.
Arrays are flat and row-major; a pose is the 3 x 4 matrix [R | p] in the root link's frame.

Usage: python Tools/write_pinocchio_fixtures.py [name ...]
"""

import sys
import xml.etree.ElementTree as tree
import zlib

import numpy as np
import pinocchio as pin

from fixture_io import TESTS, file_name, robot_models, write

FRAMES = {
    "world": pin.ReferenceFrame.WORLD,
    "local": pin.ReferenceFrame.LOCAL,
    "world_aligned": pin.ReferenceFrame.LOCAL_WORLD_ALIGNED,
}
JACOBIAN_LINKS = 4


class Robot:
    """A Pinocchio model behind one coordinate per independent joint, in the order of `joints`.

    Pinocchio's mimic joints are not supported by all of its algorithms, so the model has them as joints of
    their own and `spread` maps independent coordinates to all of them."""

    def __init__(self, path):
        self.model = pin.buildModelFromUrdf(str(path))
        self.data = self.model.createData()
        mimicked = pin.buildModelFromUrdf(str(path), True)
        independent = [i for i in range(1, mimicked.njoints) if mimicked.joints[i].nv > 0]
        self.joints = [mimicked.names[i] for i in independent]
        self.spread = np.zeros((self.model.nv, len(independent)))
        self.offset = np.zeros(self.model.nv)
        for k, i in enumerate(independent):
            self.spread[self.model.joints[self.model.getJointId(mimicked.names[i])].idx_v, k] = 1
        for i in range(1, mimicked.njoints):
            if mimicked.joints[i].nv == 0:
                source, multiplier, offset = self.mimic_of(path, mimicked.names[i])
                row = self.model.joints[self.model.getJointId(mimicked.names[i])].idx_v
                self.spread[row, self.joints.index(source)] = multiplier
                self.offset[row] = offset
        self.links = [f.name for f in self.model.frames if f.type == pin.FrameType.BODY]
        self.link_ids = [i for i, f in enumerate(self.model.frames) if f.type == pin.FrameType.BODY]

    @staticmethod
    def mimic_of(path, joint):
        for element in tree.parse(path).getroot().iter("joint"):
            mimic = element.find("mimic")
            if element.get("name") == joint and mimic is not None:
                return mimic.get("joint"), float(mimic.get("multiplier", 1)), float(mimic.get("offset", 0))
        raise ValueError(f"no mimic element in joint {joint}")

    def configuration(self, angles):
        """Pinocchio's configuration vector: continuous joints have a cosine and a sine."""
        q = pin.neutral(self.model)
        x = self.spread @ angles + self.offset
        for joint in self.model.joints[1:]:
            value = x[joint.idx_v]
            coordinates = [value] if joint.nq == 1 else [np.cos(value), np.sin(value)]
            q[joint.idx_q:joint.idx_q + joint.nq] = coordinates
        return q

    def random_angles(self, rng):
        x = np.empty(len(self.joints))
        for k, name in enumerate(self.joints):
            joint = self.model.joints[self.model.getJointId(name)]
            low, high = -2.0, 2.0
            if joint.nq == 1:
                low = max(low, self.model.lowerPositionLimit[joint.idx_q])
                high = min(high, self.model.upperPositionLimit[joint.idx_q])
                if low >= high:
                    low, high = -2.0, 2.0
            x[k] = rng.uniform(low, high)
        return np.round(x, 4)


def kinematics(robot, angles, velocity):
    m, d, S = robot.model, robot.data, robot.spread
    q = robot.configuration(angles)
    pin.computeJointJacobiansTimeVariation(m, d, q, S @ velocity)
    pin.forwardKinematics(m, d, q, S @ velocity)
    pin.updateFramePlacements(m, d)
    poses = [np.hstack([d.oMf[i].rotation, d.oMf[i].translation[:, None]]) for i in robot.link_ids]
    chosen = sorted({round(k) for k in np.linspace(1, len(robot.links) - 1, JACOBIAN_LINKS)})
    entries = []
    for k in chosen:
        i = robot.link_ids[k]
        entry = {"link": robot.links[k]}
        for name, frame in FRAMES.items():
            entry[name] = pin.getFrameJacobian(m, d, i, frame) @ S
            entry[f"{name}_rate"] = pin.getFrameJacobianTimeVariation(m, d, i, frame) @ S
        entries.append(entry)
    return {"position": angles, "velocity": velocity, "poses": np.array(poses), "jacobians": entries}


def dynamics(robot, angles, velocity, acceleration, torque):
    m, d, S = robot.model, robot.data, robot.spread
    q, v, a = robot.configuration(angles), S @ velocity, S @ acceleration
    rnea = S.T @ pin.rnea(m, d, q, v, a)
    bias = S.T @ pin.rnea(m, d, q, v, 0 * a)
    M = pin.crba(m, d, q)
    M = S.T @ (np.triu(M) + np.triu(M, 1).T) @ S
    dq, dv, da = (S.T @ x @ S for x in pin.computeRNEADerivatives(m, d, q, v, a))
    if S.shape[0] == S.shape[1]:
        aba = S.T @ pin.aba(m, d, q, v, S @ torque)
        direct = np.linalg.solve(M, torque - bias)
        if np.linalg.norm(aba - direct) > 1e-8 * np.linalg.norm(aba):
            raise ValueError(f"ABA and CRBA disagree: {aba} {direct}")
    else:
        aba = np.linalg.solve(M, torque - bias)
    return {
        "position": angles, "velocity": velocity, "acceleration": acceleration, "torque": torque,
        "rnea": rnea, "bias": bias, "crba": M, "aba": aba, "rnea_dq": dq, "rnea_dv": dv,
        "kinetic_energy": pin.computeKineticEnergy(m, d, q, v),
        "potential_energy": pin.computePotentialEnergy(m, d, q),
    }


def main(wanted):
    folder = robot_models()
    if folder is None:
        raise SystemExit("no robot model folder: set COSTATE_TEST_MODELS")
    for path in sorted(folder.glob("**/*.urdf")):
        key = path.relative_to(folder).as_posix()
        if wanted and not any(w in file_name(key) for w in wanted):
            continue
        print(key, flush=True)
        robot = Robot(path)
        n = len(robot.joints)
        heading = {"source": key, "pinocchio": pin.__version__, "joints": robot.joints}
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        states = []
        for _ in range(3):
            draws = [np.round(rng.normal(size=n), 4) for _ in range(3)]
            states.append((robot.random_angles(rng), *draws))
        write(TESTS / "KinematicsTests/Fixtures/pinocchio" / f"{file_name(key)}.json",
              heading | {"links": robot.links, "states": [kinematics(robot, s[0], s[1]) for s in states]})
        write(TESTS / "RigidBodyTests/Fixtures/pinocchio" / f"{file_name(key)}.json",
              heading | {"states": [dynamics(robot, *s) for s in states]})


if __name__ == "__main__":
    main(sys.argv[1:])
