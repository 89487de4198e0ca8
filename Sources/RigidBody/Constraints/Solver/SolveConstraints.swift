import Kinematics
import Lanes

/// Finds the accelerations under constraints of one lane group.
///
/// - Parameters:
///   - massMatrix: M with armature, not factored, in the layout of ``MassMatrixPattern``.
///   - smoothAcceleration: `a_smooth`, without constraints.
///   - smoothForce: `M a_smooth`.
///   - solution: on entry its acceleration is a starting point, which is used in lanes in which its cost is below that of
///     `a_smooth`. On return everything is finite in every lane; see `workspace.status`.
///   - factorsHessian: whether `workspace.hessian` must be the factor of H at the solution on return.
/// - Complexity: An iteration takes O(Σ d s²) for contacts of dimension d on s degrees of freedom, and the time of
///   factoring H with its zeros. Allocates only where there are more contacts than ever before.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func solveConstraints<L: Lane>(
  _ solver: PrimalSolver<L.Scalar>, _ workspace: ConstraintSolverWorkspace<L>, _ system: ConstraintSystem<L>,
  massMatrix: UnsafePointer<L>, smoothAcceleration: UnsafePointer<L>, smoothForce: UnsafePointer<L>,
  _ solution: ConstraintSolution<L>, factorsHessian: Bool
) where L.Scalar: LaneScalar {
  let problem = SolverProblem(
    solver: solver, massMatrix: massMatrix, smoothAcceleration: smoothAcceleration, smoothForce: smoothForce,
    acceleration: solution.acceleration, constraintForce: solution.constraintForce)
  let hessian = workspace.hessian
  let usesNewton = solver.options.method == .newton || solver.options.finishesByNewton
  let pass = beginPass(problem, workspace, system, solution, couples: usesNewton || factorsHessian)

  var state = SolverState<L>()
  chooseStart(problem, pass, &state)
  if solver.options.method == .conjugateGradient { minimizeByConjugateGradients(problem, pass, &state) }
  let isFinished = (state.isConverged .| state.isBad).allTrue
  if usesNewton && !isFinished {
    minimizeByNewton(problem, pass, hessian, workspace.guardedPivots, &state)
  }
  if state.isBad.anyTrue { restoreStart(problem, pass, state.isBad) }
  if factorsHessian && (!state.hasFactor || (L(0.0) .< state.staleness).anyTrue) {
    assembleHessian(problem, pass, hessian)
    if state.isBad.anyTrue { hessian.setIdentity(where: state.isBad) }
    hessian.factor(guarded: workspace.guardedPivots)
  } else if factorsHessian && state.isBad.anyTrue {
    hessian.setIdentity(where: state.isBad)
  }
  workspace.kinkMargin.pointee = pass.smallestKinkMargin().replacing(with: L(0.0), where: state.isBad)
  var lane = 0
  while lane < L.laneCount {
    workspace.iterations[lane] = Int32(Double(state.iterations[lane: lane]))
    workspace.status[lane] =
      state.isBad[lane: lane] ? .notFinite : state.isConverged[lane: lane] ? .converged : .notConverged
    lane = lane &+ 1
  }
  scatterForces(solver, pass, solution)
}

/// The rows of a system that some lane has, without curvatures.
///
/// - Parameter couples: whether the Hessian's pattern is wanted.
@inline(__always)
func beginPass<L: Lane>(
  _ problem: SolverProblem<L>, _ workspace: ConstraintSolverWorkspace<L>, _ system: ConstraintSystem<L>,
  _ solution: ConstraintSolution<L>, couples: Bool
) -> SolverPass<L> where L.Scalar: LaneScalar {
  workspace.reserve(slots: system.slotCount)
  workspace.rows = listActiveRows(problem.solver, system, workspace.memory)
  let pass = SolverPass(problem.solver, workspace, system, solution)
  if couples { coupleRows(problem, pass, workspace.hessian) }
  pass.clearCurvatures()
  return pass
}

/// The arrays of one solve besides the rows.
struct SolverProblem<L: Lane> where L.Scalar: LaneScalar {
  let solver: PrimalSolver<L.Scalar>
  let massMatrix: UnsafePointer<L>
  let smoothAcceleration: UnsafePointer<L>
  let smoothForce: UnsafePointer<L>
  let acceleration: UnsafeMutablePointer<L>
  let constraintForce: UnsafeMutablePointer<L>

  @inline(__always) var count: Int { solver.mass.count }
}

/// What a solve knows of its lanes.
struct SolverState<L: Lane> {
  /// Lanes that are not finite, and those that have converged.
  var isBad = L.Mask(repeating: false)
  var isConverged = L.Mask(repeating: false)
  var iterations = L(0.0)
  /// Whether there is a factor of H, and by how much curvatures have changed since.
  var hasFactor = false
  var staleness = L(0.0)
}

/// Lists which degrees of freedom the rows couple.
@inline(__always)
func coupleRows<L: Lane>(_ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ hessian: ConstraintHessian<L>)
{
  hessian.beginCouplings()
  var r = 0
  while r < pass.rows.count {
    let source = Int(pass.memory.rowSource[r])
    if source >= pass.unitCount {
      let row = pass.pattern.sparseRows.pointer(source &- pass.unitCount)
      hessian.couple(pass.pattern.support.pointer(Int(row.pointee.start)), Int(row.pointee.count))
    }
    r = r &+ 1
  }
  var s = 0
  while s < pass.rows.slotCount {
    let slot = pass.system.slots + s
    hessian.couple(
      pass.system.contactSupport + Int(slot.pointee.supportStart), Int(slot.pointee.supportCount))
    s = s &+ 1
  }
  hessian.finishCouplings(problem.solver.massCouplings.base)
}

/// `H = M + Jᵀ W J` at the present curvatures.
@inline(__always)
func assembleHessian<L: Lane>(
  _ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ hessian: ConstraintHessian<L>
) {
  hessian.setMassMatrix(problem.solver.mass, problem.massMatrix)
  var r = 0
  while r < pass.rows.count {
    let source = Int(pass.memory.rowSource[r])
    let curvature = pass.memory.rowCurvature[r]
    if source < pass.unitCount {
      let dof = Int(pass.pattern.unitRows.pointer(source).pointee.degreeOfFreedom)
      hessian.entries[ConstraintHessian<L>.rowStart(dof) &+ dof] += curvature
    } else if !(curvature .== L(0.0)).allTrue {
      let row = pass.pattern.sparseRows.pointer(source &- pass.unitCount)
      let start = Int(row.pointee.start)
      hessian.addRow(
        pass.system.sparseJacobian + start, pass.pattern.support.pointer(start), Int(row.pointee.count),
        weight: curvature)
    }
    r = r &+ 1
  }
  var s = 0
  while s < pass.rows.slotCount {
    let slot = pass.system.slots + s
    let curvature = pass.memory.slotCurvature + SolverMemory<L>.curvatureStride &* s
    if !(curvature[0] .== L(0.0)).allTrue {
      hessian.addContact(
        pass.system.contactJacobian + Int(slot.pointee.jacobianStart),
        pass.system.contactSupport + Int(slot.pointee.supportStart), Int(slot.pointee.supportCount),
        dimension: Int(slot.pointee.dimension), curvature: curvature)
    }
    s = s &+ 1
  }
}

/// Starts from the given or from the smooth acceleration, whichever costs less: sets acceleration, `M a`, `y`.
@inline(__always)
private func chooseStart<L: Lane>(
  _ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ state: inout SolverState<L>
) {
  let n = problem.count
  let memory = pass.memory
  let zero = L(0.0)
  var check = zero
  var i = 0
  while i < n {
    // Not finite minus itself is not a number.
    let given = problem.acceleration[i]
    check += given - given
    i = i &+ 1
  }
  let isGiven = check.isFinite
  i = 0
  while i < n {
    memory.search[i] = zero.replacing(
      with: problem.acceleration[i] - problem.smoothAcceleration[i], where: isGiven)
    i = i &+ 1
  }
  pass.multiply(
    problem.smoothAcceleration, subtractingReferences: true, rowOutput: memory.rowViolation,
    slotOutput: memory.slotViolation)
  pass.multiply(
    memory.search, subtractingReferences: false, rowOutput: memory.rowChange, slotOutput: memory.slotChange)
  multiplyMassMatrix(problem.solver.mass, problem.massMatrix, memory.search, memory.massSearch)
  var quadratic = zero
  i = 0
  while i < n {
    quadratic = L.multiplyAdd(memory.search[i], memory.massSearch[i], quadratic)
    i = i &+ 1
  }
  let line = pass.prepareLine(
    gauss: LinePolynomial(constant: zero, linear: zero, quadratic: quadratic, slopeScale: zero))
  let isCheaper = isGiven .& (pass.lineCost(line, at: L(1.0)) .< pass.lineCost(line, at: zero))
  let step = zero.replacing(with: L(1.0), where: isCheaper)
  i = 0
  while i < n {
    let smooth = problem.smoothAcceleration[i]
    let given = problem.acceleration[i]
    let isUsable = isCheaper .| (isGiven .& .!smooth.isFinite)
    let start = smooth.replacing(with: given, where: isUsable)
    problem.acceleration[i] = start
    memory.start[i] = zero.replacing(with: start, where: start.isFinite)
    memory.massAcceleration[i] = L.multiplyAdd(step, memory.massSearch[i], problem.smoothForce[i])
    i = i &+ 1
  }
  pass.moveViolations(by: step)
  state.staleness = L(1.0)
}

/// Forces at the present `y`, `Jᵀ f` and the gradient `M (a − a_smooth) − Jᵀ f`.
///
/// - Returns: The gradient's square.
@inline(__always)
func updateGradient<L: Lane>(
  _ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ state: inout SolverState<L>
) -> L {
  state.staleness += pass.updateForces()
  let n = problem.count
  var i = 0
  while i < n {
    problem.constraintForce[i] = L(0.0)
    i = i &+ 1
  }
  pass.addTransposed(
    rowForce: pass.memory.rowForce, slotForce: pass.slotForce, to: problem.constraintForce)
  var square = L(0.0)
  i = 0
  while i < n {
    let entry = pass.memory.massAcceleration[i] - problem.smoothForce[i] - problem.constraintForce[i]
    pass.memory.gradient[i] = entry
    square = L.multiplyAdd(entry, entry, square)
    i = i &+ 1
  }
  return square
}

/// A step of at most the line's minimum along the search direction in some lanes.
///
/// - Returns: The step; zero in other lanes, and where nothing is gained.
@inline(__always)
func stepAlongSearch<L: Lane>(
  _ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ state: inout SolverState<L>, slope: L,
  startsAtOne: Bool, lanes: L.Mask
) -> L {
  let n = problem.count
  let memory = pass.memory
  let options = problem.solver.options
  pass.multiply(
    memory.search, subtractingReferences: false, rowOutput: memory.rowChange, slotOutput: memory.slotChange)
  multiplyMassMatrix(problem.solver.mass, problem.massMatrix, memory.search, memory.massSearch)
  var linear = L(0.0)
  var size = L(0.0)
  var quadratic = L(0.0)
  var square = L(0.0)
  var i = 0
  while i < n {
    let entry = memory.search[i]
    let term = entry * (memory.massAcceleration[i] - problem.smoothForce[i])
    linear += term
    size += term.magnitude
    quadratic = L.multiplyAdd(entry, memory.massSearch[i], quadratic)
    square = L.multiplyAdd(entry, entry, square)
    i = i &+ 1
  }
  let line = pass.prepareLine(
    gauss: LinePolynomial(constant: L(0.0), linear: linear, quadratic: quadratic, slopeScale: size))
  var firstStep = L(1.0)
  if !startsAtOne {
    let initial = pass.lineSlope(line, at: L(0.0))
    firstStep = (-(slope / initial.second))
    firstStep = L(1.0).replacing(with: firstStep, where: firstStep.isFinite)
  }
  let tolerance =
    square.squareRoot * (options.tolerance * options.lineSearchTolerance * options.costScale)
  var isFinite = L.Mask(repeating: true)
  let step = pass.lineMinimum(
    line, slope: slope, firstStep: firstStep, tolerance: tolerance, limit: options.lineSearchLimit,
    lanes: lanes, isFinite: &isFinite)
  state.isBad = state.isBad .| (lanes .& .!isFinite)
  i = 0
  while i < n {
    problem.acceleration[i] = L.multiplyAdd(step, memory.search[i], problem.acceleration[i])
    memory.massAcceleration[i] = L.multiplyAdd(step, memory.massSearch[i], memory.massAcceleration[i])
    i = i &+ 1
  }
  pass.moveViolations(by: step)
  return step
}

/// Gives lanes that are not finite their starting point, without forces and curvatures.
@inline(__always)
private func restoreStart<L: Lane>(_ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ lanes: L.Mask) {
  let zero = L(0.0)
  let memory = pass.memory
  var i = 0
  while i < problem.count {
    problem.acceleration[i] = problem.acceleration[i].replacing(with: memory.start[i], where: lanes)
    problem.constraintForce[i] = problem.constraintForce[i].replacing(with: zero, where: lanes)
    i = i &+ 1
  }
  var r = 0
  while r < pass.rows.count {
    memory.rowForce[r] = memory.rowForce[r].replacing(with: zero, where: lanes)
    memory.rowCurvature[r] = memory.rowCurvature[r].replacing(with: zero, where: lanes)
    r = r &+ 1
  }
  var k = 0
  while k < SolverMemory<L>.stride &* pass.rows.slotCount {
    pass.slotForce[k] = pass.slotForce[k].replacing(with: zero, where: lanes)
    k = k &+ 1
  }
  k = 0
  while k < SolverMemory<L>.curvatureStride &* pass.rows.slotCount {
    memory.slotCurvature[k] = memory.slotCurvature[k].replacing(with: zero, where: lanes)
    k = k &+ 1
  }
}

/// Forces of all unit and sparse rows, zero for those that no lane has, and of unused directions of contacts.
@inline(__always)
private func scatterForces<L: Lane>(
  _ solver: PrimalSolver<L.Scalar>, _ pass: SolverPass<L>, _ solution: ConstraintSolution<L>
) {
  var i = 0
  while i < pass.unitCount {
    solution.unitForce[i] = L(0.0)
    i = i &+ 1
  }
  i = 0
  while i < solver.pattern.sparseRows.count {
    solution.sparseForce[i] = L(0.0)
    i = i &+ 1
  }
  var r = 0
  while r < pass.rows.count {
    let source = Int(pass.memory.rowSource[r])
    if source < pass.unitCount {
      solution.unitForce[source] = pass.memory.rowForce[r]
    } else {
      solution.sparseForce[source &- pass.unitCount] = pass.memory.rowForce[r]
    }
    r = r &+ 1
  }
  var s = 0
  while s < pass.rows.slotCount {
    var d = Int(pass.system.slots[s].dimension)
    while d < SolverMemory<L>.stride {
      solution.contactForce[SolverMemory<L>.stride &* s &+ d] = L(0.0)
      d = d &+ 1
    }
    s = s &+ 1
  }
}
