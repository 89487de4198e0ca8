// A physics neural differential equation: of a double pendulum only the forces are known. A network gives the mass matrix M(q), made
// symmetric and positive definite; Lagrange's equation M(q) v' = ∂/∂q (½ vᵀ M v − V) − (dM/dt) v is solved for the accelerations in every evaluation of the
// right-hand side, and the network learns from motions. Tried on motions it has not seen.
//
//     swift run -c release PhysicsNeuralEquation [--quick] [figure.svg]
import Autodiff
import DifferentialEquations
import Learning
import LinearSolvers
import TextFigures

let program = ExampleProgram()

// Two point masses of 1 kg on rods of 0.8 m and 1 m; both angles from the vertical.
let (mass, upper, lower, gravity) = (1.0, 0.8, 1.0, 9.81)

/// The network's numbers for the angles, or nothing for the true matrix.
func massMatrix(_ network: MultilayerPerceptron?, _ q: Tensor) -> Tensor {
  guard let network else {
    let coupling = mass * upper * lower * cos(q[0] - q[1])
    return stack([
      stack([Tensor(2 * mass * upper * upper), coupling]), stack([coupling, Tensor(mass * lower * lower)]),
    ])
  }
  let numbers = network(concatenate([cos(q), sin(q)]))
  // Diagonals larger than the sums of what stands beside them: positive definite whatever the network says.
  let coupling = numbers[2]
  let size = sqrt(square(coupling) + 1e-6)
  return stack([
    stack([size + softplus(numbers[0]), coupling]), stack([coupling, size + softplus(numbers[1])]),
  ])
}
func potential(_ q: Tensor) -> Tensor {
  -gravity * mass * (2.0 * upper * cos(q[0]) + lower * cos(q[1]))
}

/// Angles and angular velocities to their rates.
func rate(_ network: MultilayerPerceptron?, _ state: Tensor) throws -> Tensor {
  let (q, v) = (state[0..<2], state[2..<4])
  let lagrangian = { (q: Tensor) -> Tensor in
    0.5 * dot(v, matmul(massMatrix(network, q), v)) - potential(q)
  }
  let momentum = { (q: Tensor) -> Tensor in matmul(massMatrix(network, q), v) }
  let force = try grad(lagrangian)(q) - jvp(momentum, at: q, along: v).tangent
  return concatenate([v, solve(.dense(massMatrix(network, q), tags: .positiveDefinite), force)])
}
let truth = OrdinaryDifferentialEquation { (_, state: Tensor, _: Tensor) in try rate(nil, state) }
let model = OrdinaryDifferentialEquation { (_, state: Tensor, network: MultilayerPerceptron) in
  try rate(network, state)
}

/// True motions, `[starts, times, 4]`.
func motions(_ starts: Tensor, _ times: Tensor) throws -> Tensor {
  try vmap { (s: Tensor) in try truth.solve(from: s, parameters: Tensor(0.0), times: times) }(starts)
}
func predictions(
  _ network: MultilayerPerceptron, _ starts: Tensor, _ times: Tensor,
  _ options: SolverOptions = SolverOptions()
) throws -> Tensor {
  try vmap(
    { (s: Tensor, network: MultilayerPerceptron) in
      try model.solve(from: s, parameters: network, times: times, options: options)
    }, inputAxes: (0, nil))(starts, network)
}
/// Pendulums let go, at angles up to 1.2 rad and hardly moving.
func starts(_ count: Int, _ key: RandomKey) -> Tensor {
  let parts = key.split(2)
  return concatenate(
    [
      RandomKey(bits: parts.bits[0]).uniform([count, 2], from: -1.2, to: 1.2),
      RandomKey(bits: parts.bits[1]).uniform([count, 2], from: -0.5, to: 0.5),
    ], axis: 1)
}

let keys = RandomKey(seed: 5).split(3)
let (count, intervals, stretch) = (program.isQuick ? 4 : 8, 40, 5)
let times = Tensor.range(1, to: Double(intervals + 1)) * 0.05
let begins = starts(count, RandomKey(bits: keys.bits[0]))
let exact = try motions(begins, times)
// From every fifth state to the next five.
let ends = exact.reshaped([count, intervals / stretch, stretch, 4])
let origins = concatenate([begins.reshaped([count, 1, 4]), ends[.all, ..<(-1), -1]], axis: 1).reshaped([
  -1, 4,
])

/// Tolerances small in comparison with what the network can reach.
let trainingOptions = SolverOptions(relativeTolerance: 1e-4, absoluteTolerance: 1e-5)
func loss(_ network: MultilayerPerceptron) throws -> Tensor {
  square(
    try predictions(network, origins, times[..<stretch], trainingOptions) - ends.reshaped([-1, stretch, 4])
  ).mean()
}

var network = MultilayerPerceptron(sizes: [4, 16, 3], activation: .tanh, key: RandomKey(bits: keys.bits[1]))
var losses: [Double] = []
let clock = ContinuousClock.now
let gradient = jit(valueAndGrad(loss))
let steps = program.isQuick ? 20 : 60
let adam = Adam(learningRate: .cosineDecay(from: 2e-2, to: 2e-3, steps: steps))
var state = adam.initialState(for: network)
for _ in 0..<steps {
  let (value, slope) = try gradient(network)
  losses.append(value.scalar)
  try adam.update(&network, with: slope, &state)
}
network = try LimitedMemoryBFGS(
  memory: 30, maximumIterations: program.isQuick ? 30 : 300, gradientTolerance: 1e-8
).minimize(from: network, { try gradient($0) }, report: { losses.append($1) }).point
let seconds = (ContinuousClock.now - clock) / .seconds(1)
print(TextPlot(title: "mean square error by iteration (logarithmic)", isLogarithmic: true).text(losses))
print("\(losses.count) iterations with \(origins.shape[0]) stretches in \(formatted(seconds: seconds))")

func relativeError(_ a: Tensor, _ exact: Tensor) -> Double {
  (norm((a - exact).flattened) / norm(exact.flattened)).scalar
}
let newStarts = starts(count, RandomKey(bits: keys.bits[2]))
let newMotions = try motions(newStarts, times)
let newPredictions = try predictions(network, newStarts, times)
let error = relativeError(newPredictions, newMotions)
let states = newMotions.reshaped([-1, 4])[.all, ..<2]
let matrixError = relativeError(
  try vmap { massMatrix(network, $0) }(states), try vmap { massMatrix(nil, $0) }(states))
print("motions that were not seen: relative error \(formatted(100 * error, digits: 2)) %")
print("mass matrix on these: relative error \(formatted(100 * matrixError, digits: 2)) %")

if let path = program.figurePath {
  var figure = VectorFigure(
    title: "A double pendulum that the network has not seen", horizontal: .init("time [s]"),
    vertical: .init("angle [rad]"))
  for (k, name) in ["upper", "lower"].enumerated() {
    figure.add("\(name), truth", zip(times.values, newMotions[0, .all, k].values), as: .points)
    figure.add("\(name), network", zip(times.values, newPredictions[0, .all, k].values))
  }
  try figure.write(to: path)
}
let bar = program.isQuick ? 0.1 : 0.04
program.require(
  error < bar && matrixError < bar, "motions or mass matrices are more than \(formatted(100 * bar)) % off")
