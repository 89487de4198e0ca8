import Kinematics
import Lanes

/// Nonlinear conjugate gradients, preconditioned by the mass matrix (Hager and Zhang, "A new conjugate gradient method with
/// guaranteed descent and an efficient line search", SIAM J. Optim. 2005).
///
/// The cost is strongly convex in the metric of M, so that `½ gᵀ M⁻¹ g` bounds what is left to gain: the method stops when
/// that, or the gradient, is below the tolerance.
@inline(__always)
func minimizeByConjugateGradients<L: Lane>(
  _ problem: SolverProblem<L>, _ pass: SolverPass<L>, _ state: inout SolverState<L>
) {
  let n = problem.count
  let memory = pass.memory
  let options = problem.solver.options
  let mass = problem.solver.mass
  let zero = L(0.0)
  let tolerance = L(options.tolerance * options.costScale)
  let gradientTolerance = tolerance * tolerance
  var i = 0
  while i < mass.entryCount {
    memory.massFactor[i] = problem.massMatrix[i]
    i = i &+ 1
  }
  factorMassMatrix(mass, memory.massFactor)
  var isRunning = L.Mask(repeating: true)
  var iteration = 0
  while true {
    let square = updateGradient(problem, pass, &state)
    i = 0
    while i < n {
      memory.preconditioned[i] = memory.gradient[i]
      i = i &+ 1
    }
    solveMassMatrix(mass, factor: memory.massFactor, memory.preconditioned)
    var gap = zero
    i = 0
    while i < n {
      gap = L.multiplyAdd(memory.gradient[i], memory.preconditioned[i], gap)
      i = i &+ 1
    }
    state.isBad = state.isBad .| (isRunning .& .!(square.isFinite .& gap.isFinite))
    isRunning = isRunning .& .!state.isBad
    let isDone = isRunning .& ((0.5 * gap .< tolerance) .| (square .< gradientTolerance))
    state.isConverged = state.isConverged .| isDone
    isRunning = isRunning .& .!isDone
    guard isRunning.anyTrue, iteration < options.iterationLimit else { break }

    let factor = iteration == 0 ? zero : conjugacy(n, memory)
    var slope = zero
    i = 0
    while i < n {
      let direction = L.multiplyAdd(factor, memory.search[i], -memory.preconditioned[i])
      memory.search[i] = zero.replacing(with: direction, where: isRunning)
      slope = L.multiplyAdd(memory.gradient[i], memory.search[i], slope)
      i = i &+ 1
    }
    // Conjugacy is lost: start again from the preconditioned gradient.
    let isUphill = isRunning .& .!(slope .< zero)
    if isUphill.anyTrue {
      i = 0
      while i < n {
        memory.search[i] = memory.search[i].replacing(with: -memory.preconditioned[i], where: isUphill)
        i = i &+ 1
      }
      slope = slope.replacing(with: -gap, where: isUphill)
    }
    i = 0
    while i < n {
      memory.previousGradient[i] = memory.gradient[i]
      memory.previousPreconditioned[i] = memory.preconditioned[i]
      i = i &+ 1
    }
    let step = stepAlongSearch(problem, pass, &state, slope: slope, startsAtOne: false, lanes: isRunning)
    state.iterations += zero.replacing(with: L(1.0), where: isRunning)
    isRunning = isRunning .& (zero .< step)
    iteration = iteration &+ 1
  }
}

/// The factor of the previous direction, with the authors' lower bound.
@inline(__always)
private func conjugacy<L: Lane>(_ n: Int, _ memory: SolverMemory<L>) -> L {
  let tiny = L(1e-30)
  var along = L(0.0)
  var changeSquare = L(0.0)
  var changeGradient = L(0.0)
  var slope = L(0.0)
  var directionSquare = L(0.0)
  var gradientSquare = L(0.0)
  var i = 0
  while i < n {
    let change = memory.gradient[i] - memory.previousGradient[i]
    let preconditionedChange = memory.preconditioned[i] - memory.previousPreconditioned[i]
    along = L.multiplyAdd(memory.search[i], change, along)
    changeSquare = L.multiplyAdd(change, preconditionedChange, changeSquare)
    changeGradient = L.multiplyAdd(change, memory.preconditioned[i], changeGradient)
    slope = L.multiplyAdd(memory.search[i], memory.gradient[i], slope)
    directionSquare = L.multiplyAdd(memory.search[i], memory.search[i], directionSquare)
    gradientSquare = L.multiplyAdd(memory.gradient[i], memory.gradient[i], gradientSquare)
    i = i &+ 1
  }
  let isConjugate = tiny .< along
  let inverse = 1.0 / L(1.0).replacing(with: along, where: isConjugate)
  let factor = (changeGradient - 2.0 * (changeSquare * inverse) * slope) * inverse
  let size = directionSquare.squareRoot * L.minimum(L(0.01), gradientSquare.squareRoot)
  let bound = -(1.0 / L.maximum(size, tiny))
  return L(0.0).replacing(with: L.maximum(factor, bound), where: isConjugate)
}
