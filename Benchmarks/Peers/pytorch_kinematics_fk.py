"""Time of pytorch_kinematics for a chain of 30 revolute joints x 10 000 configurations, float32, on the CPU:
all frames as 4 x 4 matrices, then the gradient of a weighted sum of all their entries by its analytic backward.

usage: pytorch_kinematics_fk.py [threads ...]      (default: 1 2)
"""

import json
import sys
import time

import pytorch_kinematics as pk
import torch

JOINTS, CONFIGURATIONS, REPETITIONS = 30, 10_000, 15


def chain_of_hinges():
    """The chain of forwardKinematics in our own benchmark: offsets of 0.1 along x, axes x, y, z in turn."""
    links = "".join(f'<link name="l{k}"/>' for k in range(JOINTS + 1))
    joints = "".join(
        f'<joint name="j{k}" type="revolute"><parent link="l{k}"/><child link="l{k + 1}"/>'
        f'<origin xyz="0.1 0 0" rpy="0.1 0.2 0.3"/>'
        f'<axis xyz="{k % 3 == 0:d} {k % 3 == 1:d} {k % 3 == 2:d}"/>'
        '<limit lower="-3" upper="3" effort="1" velocity="1"/></joint>' for k in range(JOINTS))
    return f'<robot name="chain">{links}{joints}</robot>'


def report(name, threads, seconds):
    seconds = sorted(seconds)
    print(json.dumps({
        "name": name, "joints": JOINTS, "configurations": CONFIGURATIONS, "threads": threads, "unit": "ns",
        "min": round(1e9 * seconds[0]), "median": round(1e9 * seconds[len(seconds) // 2]),
        "max": round(1e9 * seconds[-1]), "repetitions": len(seconds),
        "pytorch_kinematics": pk.__version__ if hasattr(pk, "__version__") else "0.10.0",
        "torch": torch.__version__}), flush=True)


def main(threads):
    torch.manual_seed(0)
    chain = pk.build_chain_from_urdf(chain_of_hinges()).to(dtype=torch.float32, device="cpu")
    angles = torch.rand(CONFIGURATIONS, JOINTS) * 2 - 1
    for count in threads:
        torch.set_num_threads(count)
        forward, backward, both = [], [], []
        weights = None
        for repetition in range(-3, REPETITIONS):
            th = angles.clone().requires_grad_(True)
            t0 = time.perf_counter()
            frames = chain.forward_kinematics_tensor(th)
            t1 = time.perf_counter()
            if weights is None:
                weights = torch.randn_like(frames)
            t2 = time.perf_counter()
            frames.backward(weights)
            t3 = time.perf_counter()
            assert th.grad is not None and torch.isfinite(th.grad).all() and th.grad.abs().max() > 0
            if repetition >= 0:
                forward.append(t1 - t0)
                backward.append(t3 - t2)
                both.append(t1 - t0 + t3 - t2)
        report("pytorch_kinematics_forward", count, forward)
        report("pytorch_kinematics_backward", count, backward)
        report("pytorch_kinematics_forward_and_backward", count, both)


if __name__ == "__main__":
    main([int(x) for x in sys.argv[1:]] or [1, 2])
