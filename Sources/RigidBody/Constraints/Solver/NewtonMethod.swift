import Kinematics
import Lanes

/// Newton's method with an exact line search, as in MuJoCo's primal solver.
///
/// The step from a point is the last one if the expected improvement there, half the Newton decrement `gᵀ H⁻¹ g`, is below
/// the tolerance; it is not taken if the gradient is as well. MuJoCo stops without that last step, on any one of
/// improvement, gradient and decrement; its error is the square of the tolerance's root, too large for derivatives.
@inline(__always)
func minimizeByNewton<L: Lane>(
  _ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ hessian: ConstraintHessian<L>,
  _ guarded: UnsafeMutablePointer<L>, _ state: inout SolverState<L>
) {
  let n = problem.count
  let memory = pass.memory
  let options = problem.solver.options
  let zero = L(0.0)
  let tolerance = L(options.tolerance * options.costScale)
  let gradientTolerance = tolerance * tolerance
  var isRunning = .!(state.isBad .| state.isConverged)
  var isLast = L.Mask(repeating: false)
  var iteration = 0
  while true {
    let square = updateGradient(problem, pass, &state)
    state.isBad = state.isBad .| (isRunning .& .!square.isFinite)
    isRunning = isRunning .& .!state.isBad
    state.isConverged = state.isConverged .| (isRunning .& isLast)
    isRunning = isRunning .& .!isLast
    guard isRunning.anyTrue else { break }
    if iteration >= options.iterationLimit {
      state.isConverged = state.isConverged .| (isRunning .& (square .< gradientTolerance))
      break
    }
    if !state.hasFactor || (isRunning .& (zero .< state.staleness)).anyTrue {
      assembleHessian(problem, pass, hessian)
      if state.isBad.anyTrue { hessian.setIdentity(where: state.isBad) }
      hessian.factor(guarded: guarded)
      state.hasFactor = true
      state.staleness = zero
    }
    var i = 0
    while i < n {
      memory.search[i] = zero.replacing(with: -memory.gradient[i], where: isRunning)
      i = i &+ 1
    }
    hessian.solve(memory.search)
    var slope = zero
    i = 0
    while i < n {
      slope = L.multiplyAdd(memory.gradient[i], memory.search[i], slope)
      i = i &+ 1
    }
    // Where rounding has made H indefinite the direction may lead up: descend by its diagonal instead.
    let isUphill = isRunning .& .!(slope .<= zero)
    if isUphill.anyTrue {
      slope = descendByDiagonal(problem, pass, hessian, slope, where: isUphill)
    }
    let isSmall = isRunning .& (-0.5 * slope .< tolerance)
    let isDone = isSmall .& ((square .< gradientTolerance) .| .!(slope .< zero))
    state.isConverged = state.isConverged .| isDone
    isRunning = isRunning .& .!isDone
    guard isRunning.anyTrue else { break }
    isLast = isSmall .& .!isDone

    let step = stepAlongSearch(problem, pass, &state, slope: slope, startsAtOne: true, lanes: isRunning)
    state.iterations += zero.replacing(with: L(1.0), where: isRunning)
    // Nothing is gained: what rounding allows has been reached.
    isRunning = isRunning .& ((zero .< step) .| isLast)
    iteration = iteration &+ 1
  }
}

/// Replaces the search direction in some lanes by the negative gradient over the Hessian's diagonal.
///
/// - Returns: The slope along it in these lanes.
@inline(__always)
private func descendByDiagonal<L: Lane>(
  _ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ hessian: ConstraintHessian<L>, _ slope: L,
  where mask: L.Mask
) -> L {
  let memory = pass.memory
  var replaced = L(0.0)
  var i = 0
  while i < problem.count {
    let gradient = memory.gradient[i]
    memory.search[i] = memory.search[i].replacing(
      with: -gradient / hessian.diagonal[i].magnitude, where: mask)
    replaced = L.multiplyAdd(gradient, memory.search[i], replaced)
    i = i &+ 1
  }
  return slope.replacing(with: replaced, where: mask)
}
