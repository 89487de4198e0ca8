"""Reads URDF with Pinocchio and writes the model as text for pinocchio_dynamics.

usage: pinocchio_model.py MODEL.urdf MODEL.txt
"""

import sys

import pinocchio as pin

pin.buildModelFromUrdf(sys.argv[1]).saveToText(sys.argv[2])
