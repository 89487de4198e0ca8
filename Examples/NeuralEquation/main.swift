// A neural differential equation: the rates of change are a network's, and it learns them from noisy places on spirals
// (y' = A y³, as in Chen, Rubanova, Bettencourt and Duvenaud 2018) by gradients through the solver. Tried on spirals it has not seen.
//
//     swift run -c release NeuralEquation [--quick] [figure.svg]
import Autodiff
import DifferentialEquations
import Learning
import TextFigures

let program = ExampleProgram()

let truth = OrdinaryDifferentialEquation { (_, y: Tensor, a: Tensor) in matmul(a, y * y * y) }
let matrix = Tensor([-0.1, 2, -2, -0.1], shape: [2, 2])
let model = OrdinaryDifferentialEquation { (_, y: Tensor, network: MultilayerPerceptron) in network(y) }

/// True spirals from places in the plane, `[starts, times, 2]`.
func spirals(_ starts: Tensor, _ times: Tensor) throws -> Tensor {
  try vmap { (y: Tensor) in try truth.solve(from: y, parameters: matrix, times: times) }(starts)
}
/// The network's.
func predictions(_ network: MultilayerPerceptron, _ starts: Tensor, _ times: Tensor) throws -> Tensor {
  try vmap(
    { (y: Tensor, network: MultilayerPerceptron) in
      try model.solve(from: y, parameters: network, times: times)
    }, inputAxes: (0, nil))(starts, network)
}

/// Places around the origin at one distance.
func ring(_ count: Int, radius: Double, turnedBy turn: Double) -> Tensor {
  let angles = Tensor.range(0, to: Double(count)) * (2 * Double.pi / Double(count)) + turn
  return radius * stack([cos(angles), sin(angles)], axis: 1)
}

let (count, intervals, interval) = (8, 200, 0.05)
let keys = RandomKey(seed: 3).split(2)
let times = Tensor.range(1, to: Double(intervals + 1)) * interval
let starts = ring(count, radius: 2, turnedBy: 0)
let exact = try spirals(starts, times)
let measured = exact + 0.01 * RandomKey(bits: keys.bits[0]).normal(exact.shape)

// First the spirals are cut in stretches, from one measured place to the next five: a network that knows nothing is not far off there.
let stretch = 5
let stretches = measured.reshaped([count, intervals / stretch, stretch, 2])
let origins = concatenate([starts.reshaped([count, 1, 2]), stretches[.all, ..<(-1), -1]], axis: 1)
func stretchLoss(_ network: MultilayerPerceptron) throws -> Tensor {
  let places = try predictions(network, origins.reshaped([-1, 2]), times[..<stretch])
  return square(places - stretches.reshaped([-1, stretch, 2])).mean()
}
/// Then whole spirals count: noise of origins is no part of them.
func wholeLoss(_ network: MultilayerPerceptron) throws -> Tensor {
  square(try predictions(network, starts, times) - measured).mean()
}

var network = MultilayerPerceptron(sizes: [2, 32, 2], activation: .tanh, key: RandomKey(bits: keys.bits[1]))
var losses: [Double] = []
let clock = ContinuousClock.now

let steps = program.isQuick ? 400 : 1500
let adam = Adam(learningRate: .cosineDecay(from: 1e-2, to: 1e-3, steps: steps))
var state = adam.initialState(for: network)
let stretchGradient = jit(valueAndGrad(stretchLoss))
for _ in 0..<steps {
  let (value, gradient) = try stretchGradient(network)
  losses.append(value.scalar)
  try adam.update(&network, with: gradient, &state)
}
for (loss, iterations) in [(stretchLoss, 100), (wholeLoss, program.isQuick ? 400 : 2000)] {
  let gradient = jit(valueAndGrad(loss))
  network = try LimitedMemoryBFGS(memory: 30, maximumIterations: iterations, gradientTolerance: 1e-7)
    .minimize(
      from: network, { try gradient($0) }, report: { losses.append($1) }
    ).point
}
let seconds = (ContinuousClock.now - clock) / .seconds(1)
print(TextPlot(title: "mean square error by iteration (logarithmic)", isLogarithmic: true).text(losses))
print("\(losses.count) iterations in \(formatted(seconds: seconds))")

/// How far spirals are off over their whole length, relative to their size.
func relativeError(_ places: Tensor, _ exact: Tensor) -> Double {
  (norm((places - exact).flattened) / norm(exact.flattened)).scalar
}
let newStarts = ring(count, radius: 1.9, turnedBy: .pi / Double(count))
let newSpirals = try spirals(newStarts, times)
let newPredictions = try predictions(network, newStarts, times)
let seen = relativeError(try predictions(network, starts, times), exact)
let unseen = relativeError(newPredictions, newSpirals)
print(
  "relative error of \(count) spirals seen: \(formatted(100 * seen, digits: 2)) %, "
    + "of \(count) not seen: \(formatted(100 * unseen, digits: 2)) %")

if let path = program.figurePath {
  var figure = VectorFigure(
    title: "A spiral that the network has not seen, and measurements of one that it has",
    horizontal: .init("y₁"), vertical: .init("y₂"))
  func points(_ spiral: Tensor) -> Zip2Sequence<[Double], [Double]> {
    zip(spiral[.all, 0].values, spiral[.all, 1].values)
  }
  figure.add("measured", points(measured[0]), as: .points, color: "#7f7f7f")
  figure.add("truth, not seen", points(newSpirals[0]))
  figure.add("network", points(newPredictions[0]), as: .dashedLine)
  try figure.write(to: path)
}
let bar = program.isQuick ? 0.1 : 0.04
program.require(unseen < bar, "spirals that were not seen are more than \(formatted(100 * bar)) % off")
