import Kinematics
import Lanes

/// Forces and curvatures of the rows at given accelerations, and the factor of `H = M + Jᵀ W J` there, without solving:
/// `workspace` and `forces` are left as ``solveConstraints`` would leave them if it stopped at these accelerations.
@inline(__always)
func linearizeConstraints<L: Lane>(
  _ solver: PrimalSolver<L.Scalar>, _ workspace: ConstraintSolverWorkspace<L>, _ system: ConstraintSystem<L>,
  massMatrix: UnsafePointer<L>, at accelerations: UnsafePointer<L>, _ forces: ConstraintSolution<L>
) where L.Scalar: LaneScalar {
  let problem = SolverProblem(
    solver: solver, massMatrix: massMatrix, smoothAcceleration: accelerations, smoothForce: accelerations,
    acceleration: forces.acceleration, constraintForce: forces.constraintForce)
  let hessian = workspace.hessian
  let pass = beginPass(problem, workspace, system, forces, couples: true)
  pass.multiply(
    accelerations, subtractingReferences: true, rowOutput: workspace.memory.rowViolation,
    slotOutput: workspace.memory.slotViolation)
  _ = pass.updateForces()
  assembleHessian(problem, pass, hessian)
  hessian.factor(guarded: workspace.guardedPivots)
  workspace.kinkMargin.pointee = pass.smallestKinkMargin()
}
