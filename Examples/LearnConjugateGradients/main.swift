// Learns an iteration for a family of linear systems: step sizes, momenta and a preconditioner, trained through the recorded steps of
// conjugate gradients, then tried on systems that training has not seen. With --quick a short training.
import Autodiff
import Foundation
import Learning
import LinearAlgebra
import LinearSolvers
import TextFigures

let program = ExampleProgram(drawsFigure: false)
let isQuick = program.isQuick
let (side, steps, waveCount) = (14, 14, 8)
let size = side * side

/// The five-point stencil on a square grid.
let pattern = try SparsityPattern(
  rowCount: size, columnCount: size,
  entries: (0..<size).flatMap { i -> [(row: Int, column: Int)] in
    [
      i >= side ? i - side : -1, i % side > 0 ? i - 1 : -1, i, i % side < side - 1 ? i + 1 : -1,
      i + side < size ? i + side : -1,
    ]
    .filter { $0 >= 0 }.map { (i, $0) }
  })

/// Systems −∇·(k ∇u) = f with u = 0 on the boundary: one medium whose conductivities k vary
/// twentyfold, different by smooth random factors in every system, and random sources f.
struct Systems: TensorTree {
  /// On the pattern, `[count, entries]`.
  var values: Tensor
  /// `[count, size]`
  var rightSides: Tensor
}
func systems(_ count: Int, _ key: RandomKey) -> Systems {
  let keys = key.split(2)
  let shapes = RandomKey(bits: keys.bits[0]).normal([count, 9]).values
  let sources = RandomKey(bits: keys.bits[1]).normal([count, size]).values
  var (values, rightSides): ([Double], [Double]) = ([], [])
  for system in 0..<count {
    func conductivity(_ i: Int) -> Double {
      let (x, y) = (
        Double(i % side + 1) / Double(side + 1) * Double.pi,
        Double(i / side + 1) / Double(side + 1) * Double.pi
      )
      let field = (0..<9).reduce(0.0) { sum, k in
        sum + shapes[9 * system + k] * cos(Double(k % 3) * x) * cos(Double(k / 3) * y)
      }
      return exp(0.25 * field + 1.5 * sin(3 * x) * sin(2 * y))
    }
    let k = (0..<size).map(conductivity)
    for (i, j) in zip(pattern.rowIndices, pattern.columnIndices) {
      guard i == j else {
        values.append(-(k[i] + k[j]) / 2)
        continue
      }
      let neighbours = pattern.columns(inRow: i).filter { $0 != i }
      values.append(neighbours.reduce(0.0) { $0 + (k[i] + k[$1]) / 2 } + Double(4 - neighbours.count) * k[i])
    }
    // Scaled on both sides, so that the diagonal is one.
    let start = values.count - pattern.entryCount
    let entries = zip(pattern.rowIndices, pattern.columnIndices).enumerated()
    var roots = [Double](repeating: 1, count: size)
    for (place, (i, j)) in entries where i == j { roots[i] = sqrt(values[start + place]) }
    for (place, (i, j)) in entries { values[start + place] /= roots[i] * roots[j] }
    rightSides += sources[(system * size)..<((system + 1) * size)]
  }
  return Systems(
    values: Tensor(values, shape: [count, pattern.entryCount]),
    rightSides: Tensor(rightSides, shape: [count, size]))
}
func matrix(_ values: Tensor) -> LinearOperator { .sparse(pattern, values: values, tags: .positiveDefinite) }

/// Waves on the grid, of unit length: `[size, waves]`.
let waves: Tensor = {
  let places = (1...side).map { Double($0) * Double.pi / Double(side + 1) }
  let one = stack((1...waveCount).map { k in Tensor(places.map { sin(Double(k) * $0) }) })
  let both = one.reshaped([waveCount, 1, side, 1]) * one.reshaped([1, waveCount, 1, side])
  return both.reshaped([waveCount * waveCount, size]).transposed * (2 / Double(side + 1))
}()
/// What is learned.
struct Iteration: TensorTree {
  var stepSizes: Tensor
  var momenta: Tensor
  /// M⁻¹ = D² + U Uᵀ with a diagonal D, and with waves of learned heights for U: positive definite whatever the numbers.
  var scales: Tensor
  var heights: Tensor

  var preconditioner: LinearOperator {
    let directions = waves * heights
    return .lowRankUpdate(
      of: .diagonal(square(scales), tags: .positiveDefinite), directions, directions, tags: .positiveDefinite)
  }
}

/// The norms of the residuals relative to the right-hand sides after so many steps, one for each system.
func residuals(_ iteration: Iteration, _ systems: Systems, steps: Int) throws -> Tensor {
  try vmap { (values: Tensor, b: Tensor) in
    let a = matrix(values)
    let x = try learnedConjugateGradients(
      a, b, stepSizes: iteration.stepSizes[..<steps], momenta: iteration.momenta[..<steps],
      preconditioner: iteration.preconditioner)
    return norm(b - a(x)) / norm(b)
  }(systems.values, systems.rightSides)
}
/// Those of a method that computes its numbers itself.
func residuals(
  _ method: LinearMethod, preconditioner: LinearOperator = .identity(size), _ systems: Systems, steps: Int
) throws -> Tensor {
  let options = LinearSolveOptions(method: method, differentiation: .unrolled(iterations: steps))
  return try vmap { (values: Tensor, b: Tensor) in
    let a = matrix(values)
    return norm(b - a(solve(a, b, options, preconditioner: preconditioner))) / norm(b)
  }(systems.values, systems.rightSides)
}

let keys = RandomKey(seed: 7).split(3)
let systemsSeen = systems(isQuick ? 32 : 64, RandomKey(bits: keys.bits[0]))
let heldOut = systems(32, RandomKey(bits: keys.bits[1]))

/// The numbers that conjugate gradients compute, on average over the systems for training: where learning starts.
func computed(_ preconditioner: LinearOperator) throws -> (stepSizes: Tensor, momenta: Tensor) {
  let numbers = try vmap { (values: Tensor, b: Tensor) in
    let a = matrix(values)
    let z = preconditioner(b)
    let (_, rows) = try scan(initial: [b, z, dot(b, z)], over: Tensor.indices(steps)) { state, _ in
      let (r, p, rho) = (state[0], state[1], state[2])
      let q = a(p)
      let alpha = rho / dot(p, q)
      let next = r - alpha * q
      let z = preconditioner(next)
      let nextRho = dot(next, z)
      return ([next, z + nextRho / rho * p, nextRho], [alpha, nextRho / rho])
    }
    return stack(rows)
  }(systemsSeen.values, systemsSeen.rightSides)
  return (numbers[.all, 0].mean(axis: 0), numbers[.all, 1].mean(axis: 0))
}

struct Training: TensorTree {
  var iteration: Iteration
  var optimizer: OptimizerState
  var loss: Tensor
}
/// Trains everything, or step sizes and momenta only.
func train(_ start: Iteration, withPreconditioner: Bool, count: Int) throws -> (Iteration, [Double]) {
  let adam = Adam(learningRate: Schedule.cosineDecay(from: 1e-2, steps: count))
  let step = jit { (training: Training) in
    var next = training
    var (value, gradient) = try valueAndGrad { (iteration: Iteration) in
      // Orders of magnitude count, and those on the way a little, too.
      let last = log(try residuals(iteration, systemsSeen, steps: steps)).mean()
      let early = log(try residuals(iteration, systemsSeen, steps: steps / 2)).mean()
      return last + 0.3 * early
    }(training.iteration)
    if !withPreconditioner {
      gradient.scales = 0.0 * gradient.scales
      gradient.heights = 0.0 * gradient.heights
    }
    try adam.update(&next.iteration, with: try clipped(gradient, toGlobalNorm: 1), &next.optimizer)
    next.loss = value
    return next
  }
  var state = Training(iteration: start, optimizer: adam.initialState(for: start), loss: Tensor(0))
  var losses: [Double] = []
  for _ in 0..<count {
    state = try step(state)
    losses.append(exp(state.loss.scalar / 1.3))
  }
  return (state.iteration, losses)
}

let clock = ContinuousClock.now
let plainNumbers = try computed(.identity(size))
let plain = Iteration(
  stepSizes: plainNumbers.stepSizes, momenta: plainNumbers.momenta, scales: Tensor.ones([size]),
  heights: Tensor.zeros([waveCount * waveCount]))
// The preconditioner starts as the inverse of the uniform medium's matrix on the waves, and as the identity on what is shorter.
var whole = plain
whole.heights = Tensor(
  (0..<waveCount * waveCount).map { k in
    let (x, y) = (Double(k / waveCount + 1), Double(k % waveCount + 1))
    let eigenvalue = 1 - (cos(x * .pi / Double(side + 1)) + cos(y * .pi / Double(side + 1))) / 2
    return sqrt(max(1 / eigenvalue - 1, 0.01))
  })
(whole.stepSizes, whole.momenta) = try computed(whole.preconditioner)

let count = isQuick ? 150 : 600
let (numbersOnly, _) = try train(plain, withPreconditioner: false, count: count)
let (learned, losses) = try train(whole, withPreconditioner: true, count: count)
let seconds = (ContinuousClock.now - clock) / .seconds(1)

print(TextPlot(title: "residual by step of training (logarithmic)", isLogarithmic: true).text(losses))
print(
  "\(2 * count) steps of training with \(systemsSeen.values.shape[0]) systems of \(size) unknowns in \(formatted(seconds: seconds))\n"
)

/// Mean residuals on systems that were not seen, after 0, 1, … steps.
func curve(_ steps: Int, _ residuals: (Int) throws -> Tensor) throws -> [Double] {
  [1] + (try (1...steps).map { exp(log(try residuals($0)).mean().scalar) })
}
let longest = 30
let rows: [(name: String, curve: [Double])] = [
  (
    "conjugate gradients",
    try curve(longest) { try residuals(.conjugateGradients, heldOut, steps: $0) }
  ),
  ("MINRES", try curve(longest) { try residuals(.minres, heldOut, steps: $0) }),
  ("αₖ and βₖ learned", try curve(steps) { try residuals(numbersOnly, heldOut, steps: $0) }),
  (
    "conjugate gradients, first preconditioner",
    try curve(longest) {
      try residuals(.conjugateGradients, preconditioner: whole.preconditioner, heldOut, steps: $0)
    }
  ),
  (
    "MINRES, first preconditioner",
    try curve(longest) { try residuals(.minres, preconditioner: whole.preconditioner, heldOut, steps: $0) }
  ),
  (
    "conjugate gradients, learned preconditioner",
    try curve(longest) {
      try residuals(.conjugateGradients, preconditioner: learned.preconditioner, heldOut, steps: $0)
    }
  ),
  ("αₖ, βₖ and preconditioner learned", try curve(steps) { try residuals(learned, heldOut, steps: $0) }),
]
let goal = 0.02
let shown = [2, 4, 7, 10, steps]
func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}
print("relative residual on \(heldOut.values.shape[0]) new systems (geometric mean)")
print(padded("steps", 44) + shown.map { padded("\($0)", 8) }.joined() + "steps to \(goal)")
let needed = rows.map { row in row.curve.firstIndex { $0 <= goal } }
for (row, steps) in zip(rows, needed) {
  let numbers = shown.map { padded(formatted(row.curve[$0], digits: 2), 8) }.joined()
  print(padded(row.name, 44) + numbers + (steps.map { "\($0)" } ?? "more than \(row.curve.count - 1)"))
}
let (before, after) = (needed[0] ?? longest + 1, needed[6] ?? longest + 1)
program.require(after < before, "what was learned needs no fewer steps than conjugate gradients")
print("\nsteps on systems that were not seen: \(before) before, \(after) with what was learned")
