// Trains a multilayer perceptron to tell two interleaved spirals apart, on points that it draws itself.
import Autodiff
import Learning
import TextFigures

/// Points of both spirals with noise, `[2 count, 2]`, and which spiral each belongs to, `[2 count]`.
func spirals(count: Int, key: RandomKey) -> (points: Tensor, labels: Tensor) {
  let (first, second) = key.split()
  let radius = sqrt(first.uniform([count])) * 3.0
  let turn = radius * Double.pi
  let arm = stack([radius * cos(turn), radius * sin(turn)], axis: 1)
  let noise = second.normal([2 * count, 2]) * 0.1
  return (concatenate([arm, -arm]) + noise, concatenate([Tensor.zeros([count]), Tensor.ones([count])]))
}

/// All that a step of training changes.
struct Training: TensorTree {
  var network: MultilayerPerceptron
  var optimizer: OptimizerState
  var loss: Tensor
}

let seeds = RandomKey(seed: 1).split(3)
let (points, labels) = spirals(count: 128, key: RandomKey(bits: seeds.bits[0]))
let (testPoints, testLabels) = spirals(count: 128, key: RandomKey(bits: seeds.bits[1]))

func loss(_ network: MultilayerPerceptron) -> Tensor {
  binaryCrossEntropy(logits: network(points).squeezed(-1), labels: labels)
}
func accuracy(_ network: MultilayerPerceptron, _ points: Tensor, _ labels: Tensor) -> Double {
  ((network(points).squeezed(-1) .> 0.0).converted(to: .float64) .== labels).converted(to: .float64).mean()
    .scalar
}

let steps = 800
let network = MultilayerPerceptron(
  sizes: [2, 32, 32, 1], activation: .silu, initializer: .heUniform, key: RandomKey(bits: seeds.bits[2]))
let adam = Adam(
  learningRate: Schedule.cosineDecay(from: 2e-2, steps: steps).warmedUp(steps: 20), weightDecay: 1e-4)
let step = jit { (training: Training) in
  var next = training
  let (value, gradient) = try valueAndGrad(loss)(training.network)
  try adam.update(&next.network, with: try clipped(gradient, toGlobalNorm: 1), &next.optimizer)
  next.loss = value
  return next
}

var training = Training(network: network, optimizer: adam.initialState(for: network), loss: loss(network))
var losses: [Double] = []
let start = ContinuousClock.now
for _ in 0..<steps {
  training = try step(training)
  losses.append(training.loss.scalar)
}
let seconds = (ContinuousClock.now - start) / .seconds(1)

print(TextPlot(title: "cross entropy by step (logarithmic)", isLogarithmic: true).text(losses))
let parameterCount = network.leaves.reduce(0) { $0 + $1.count }
print(
  "\(steps) steps with \(points.shape[0]) points and \(parameterCount) parameters in \(formatted(seconds: seconds))"
)
let (seen, unseen) = (
  accuracy(training.network, points, labels), accuracy(training.network, testPoints, testLabels)
)
print(
  "right on \(formatted(100 * seen, digits: 4)) % of the points seen, \(formatted(100 * unseen, digits: 4)) % of new ones"
)
ExampleProgram.require(unseen > 0.95, "fewer than 95 % of the new points are told apart")
