import Kinematics
import Lanes

/// Forces and curvatures of the rows at given accelerations, and the factor of `H = M + Jᵀ W J` there, without solving:
/// `workspace` and `forces` are left as ``solveConstraints`` would leave them if it stopped at these accelerations.
///
/// - Returns: The pass over the rows, for products with J.
@inline(__always)
func linearizeConstraints<L: Lane>(
  _ solver: PrimalSolver<L.Scalar>, _ workspace: ConstraintSolverWorkspace<L>, _ system: ConstraintSystem<L>,
  massMatrix: UnsafePointer<L>, at accelerations: UnsafePointer<L>, _ forces: ConstraintSolution<L>
) -> SolverPass<L> where L.Scalar: LaneScalar {
  workspace.reserve(slots: system.slotCount)
  let problem = SolverProblem(
    solver: solver, massMatrix: massMatrix, smoothAcceleration: accelerations, smoothForce: accelerations,
    acceleration: forces.acceleration, constraintForce: forces.constraintForce)
  let rows = listActiveRows(solver, system, workspace.memory)
  workspace.rows = rows
  let pass = SolverPass(
    pattern: solver.pattern, system: system, memory: workspace.memory, rows: rows,
    unitCount: solver.pattern.unitRows.count, isElliptic: solver.pattern.isElliptic,
    slotForce: forces.contactForce)
  let hessian = workspace.hessian
  coupleRows(problem, pass, hessian)
  pass.clearCurvatures()
  pass.multiply(
    accelerations, subtractingReferences: true, rowOutput: workspace.memory.rowViolation,
    slotOutput: workspace.memory.slotViolation)
  _ = pass.updateForces()
  assembleHessian(problem, pass, hessian)
  hessian.factor(guarded: workspace.guardedPivots)
  workspace.kinkMargin.pointee = pass.smallestKinkMargin()
  return pass
}
