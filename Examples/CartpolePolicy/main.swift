// Trains a small policy network to hold the pole of Models/cartpole.xml upright: the gradient of the cost goes
// through the cost, the simulator and the network, in many worlds at once. Run from the package's directory.
import Costate
import TextFigures

let simulation = try Simulation(try Model.load(path: "Models/cartpole.xml"))
let (worlds, steps) = (32, 300)

/// Worlds with the pole leaning up to 0.6 rad to either side, in all sorts of motion.
func starts(_ key: RandomKey) -> SimulationState {
  let (first, second) = key.split()
  return SimulationState(
    positions: first.uniform([worlds, 2], from: -0.6, to: 0.6),
    velocities: second.uniform([worlds, 2], from: -0.5, to: 0.5), activations: Tensor.zeros([worlds, 0]))
}

/// The push, in [-1, 1], from what a camera and two tachometers would see.
func push(_ policy: MultilayerPerceptron, _ state: SimulationState) -> Tensor {
  let (place, angle) = (state.positions[.all, 0..<1], state.positions[.all, 1..<2])
  return policy(concatenate([place, sin(angle), cos(angle), state.velocities], axis: -1))
}

/// Closed loop: policy and simulation step in turn. Mean over worlds and steps of what should be zero.
func cost(_ policy: MultilayerPerceptron, _ start: SimulationState) throws -> Tensor {
  let (_, costs) = try scan(initial: start, over: Tensor.indices(steps)) { state, _ in
    let control = push(policy, state)
    let next = try simulation.step(state, controls: control)
    let (place, angle) = (next.positions[.all, 0], next.positions[.all, 1])
    let tilt = 1.0 - cos(angle)
    return (next, (tilt + 0.05 * square(place) + 0.01 * square(control).sum(axis: -1)).mean())
  }
  return costs.mean()
}

struct Training: TensorTree {
  var policy: MultilayerPerceptron
  var optimizer: OptimizerState
  var key: RandomKey
  var cost: Tensor
}

let iterations = 150
let policy = MultilayerPerceptron(
  sizes: [5, 16, 1], activation: .tanh, outputActivation: .tanh, key: RandomKey(seed: 7))
let adam = Adam(learningRate: .cosineDecay(from: 3e-2, steps: iterations))
let step = jit { (training: Training) in
  var next = training
  let (now, later) = training.key.split()
  let (value, gradient) = try valueAndGrad { (p: MultilayerPerceptron) in try cost(p, starts(now)) }(
    training.policy)
  try adam.update(&next.policy, with: try clipped(gradient, toGlobalNorm: 1), &next.optimizer)
  next.cost = value
  next.key = later
  return next
}

var training = Training(
  policy: policy, optimizer: adam.initialState(for: policy), key: RandomKey(seed: 1), cost: 0.0)
var costs: [Double] = []
let clock = ContinuousClock.now
for _ in 0..<iterations {
  training = try step(training)
  costs.append(training.cost.scalar)
}
let seconds = (ContinuousClock.now - clock) / .seconds(1)
print(TextPlot(title: "cost by iteration (logarithmic)", isLogarithmic: true).text(costs))
print(
  "\(iterations) iterations, \(worlds) worlds, \(steps) steps in \(formatted(seconds: seconds)): "
    + "\(formatted(seconds: seconds / Double(iterations * worlds * steps))) per world and step, gradient included"
)

// Worlds that the policy has not seen, for three times as long.
var state = starts(RandomKey(seed: 99))
for _ in 0..<3 * steps { state = try simulation.step(state, controls: push(training.policy, state)) }
let lean = abs(state.positions[.all, 1]).max().scalar
print(
  "after \(3 * steps) steps in \(worlds) new worlds the pole leans \(formatted(lean, digits: 2)) rad at most")
ExampleProgram.require(lean < 0.1, "the policy does not hold the pole: it leans more than 0.1 rad")
