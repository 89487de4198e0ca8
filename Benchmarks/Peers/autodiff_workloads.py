"""The functions of bench-autodiff (Sources/bench-autodiff/Workloads.swift), written for any of the peers: `m` has
sin, cos, stack (of scalars to a vector) and cross; vectors multiply elementwise, matrices with `@`."""

JOINTS = 12


def scalar(m, x):
    return m.sin(x) * x + 1.0


def lorenz(m, x):
    a, b, c = x[0], x[1], x[2]
    return m.stack([10.0 * (b - a), a * (28.0 - c) - b, a * b - (8.0 / 3.0) * c])


def arm(m, state):
    """Joint torques of an arm of hinges about z, y and x in turn: the recursive Newton-Euler method."""
    n = JOINTS
    vector = m.vector
    center, offset, inertia = vector([0.05, 0.01, 0]), vector([0.1, 0, 0.02]), vector([0.01, 0.02, 0.015])
    axes = [vector([0, 0, 1]), vector([0, 1, 0]), vector([1, 0, 0])]
    w, dw, acceleration = vector([0, 0, 0]), vector([0, 0, 0]), vector([0, 0, 9.81])
    rotations, forces, moments = [], [], []
    for k in range(n):
        axis = axes[k % 3]
        rotation = m.rotation(k % 3, state[k])
        inverse = rotation.T
        velocity = axis * state[n + k]
        if k > 0:
            acceleration = acceleration + m.cross(dw, offset) + m.cross(w, m.cross(w, offset))
        acceleration = inverse @ acceleration
        w = inverse @ w
        dw = inverse @ dw + axis * state[2 * n + k] + m.cross(w, velocity)
        w = w + velocity
        force = acceleration + m.cross(dw, center) + m.cross(w, m.cross(w, center))
        rotations.append(rotation)
        forces.append(force)
        moments.append(inertia * dw + m.cross(w, inertia * w) + m.cross(center, force))
    torques = [None] * n
    force, moment = forces[n - 1], moments[n - 1]
    for k in reversed(range(n)):
        if k < n - 1:
            handed = rotations[k + 1] @ force
            moment = moments[k] + rotations[k + 1] @ moment + m.cross(offset, handed)
            force = forces[k] + handed
        torques[k] = moment[2 - k % 3]
    return m.stack(torques)


def rotation_rows(m, kind, angle):
    """Rows of the matrix from the joint's frame to its parent's."""
    s, c = m.sin(angle), m.cos(angle)
    zero, one = m.number(0.0, angle), m.number(1.0, angle)
    if kind == 0:
        return [[c, -s, zero], [s, c, zero], [zero, zero, one]]
    if kind == 1:
        return [[c, zero, s], [zero, one, zero], [-s, zero, c]]
    return [[one, zero, zero], [zero, c, -s], [zero, s, c]]


def chain(m, x):
    return ((x * 1.5 + 0.3) * x - 0.7) * x + (x - 0.5) * (x - 0.5) * 0.25


def report(name, samples, **more):
    import json
    samples = sorted(1e9 * s for s in samples)
    print(json.dumps({"name": name, "min": samples[0], "median": samples[len(samples) // 2], "max": samples[-1],
                      "repetitions": len(samples), **more}), flush=True)


def repeat(count, calls, body):
    """Seconds per call, `count` samples after one that is dropped."""
    import time
    result = []
    for k in range(count + 1):
        start = time.perf_counter()
        for _ in range(calls):
            body()
        result.append((time.perf_counter() - start) / calls)
    return result[1:]
