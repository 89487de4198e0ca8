// The umbrella module: re-exports only.
@_exported public import Autodiff
@_exported public import DifferentialEquations
@_exported public import ImplicitLayers
@_exported public import Kinematics
@_exported public import Lanes
@_exported public import Learning
@_exported public import LinearAlgebra
@_exported public import LinearSolvers
@_exported public import RigidBody
@_exported public import RobotModels
@_exported public import Simulation
