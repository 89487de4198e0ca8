// A deep-equilibrium classifier: a layer of infinite depth, z = tanh(W z + U x + b), trained to tell two spirals apart. The solver of the
// fixed point is not recorded; the gradient comes from the implicit function theorem.
//
//   swift run -c release DeepEquilibrium [--quick]

import Autodiff
import Foundation
import ImplicitLayers
import Learning
import TextFigures

struct Weights: TensorTree {
  var recurrent: Tensor
  var input: Tensor
  var bias: Tensor
  var output: Tensor
}

let program = ExampleProgram(drawsFigure: false)
let isQuick = program.isQuick
let (width, count, steps) = (16, 80, isQuick ? 150 : 1500)

func matrix(_ rows: Int, _ columns: Int, _ size: Double, seed: Int) -> Tensor {
  RandomKey(seed: numericCast(seed)).normal([rows, columns]) * size
}

/// Two spirals, half a turn apart: points on them, and which spiral it is. Points with another shift lie between these.
func spirals(shiftedBy shift: Double) -> (points: Tensor, labels: Tensor) {
  var (coordinates, signs): ([Double], [Double]) = ([], [])
  for k in 0..<count {
    let sign = k % 2 == 0 ? 1.0 : -1.0
    let radius = 0.2 + 0.8 * (Double(k) + shift) / Double(count)
    let angle = 4 * radius
    coordinates += [sign * radius * Foundation.cos(angle), sign * radius * Foundation.sin(angle)]
    signs.append(sign)
  }
  return (Tensor(coordinates, shape: [count, 2]), Tensor(signs))
}
let (points, labels) = spirals(shiftedBy: 0)

func score(_ w: Weights, _ x: Tensor) throws -> Tensor {
  let drive = matmul(w.input, x) + w.bias
  // A norm below one: the layer has one fixed point, whatever the weights.
  let recurrent = 0.9 * w.recurrent / sqrt(1.0 + square(w.recurrent).sum())
  let z = try fixedPoint(
    { z in tanh(matmul(recurrent, z) + drive) }, guess: Tensor.zeros([width]),
    options: .init(tolerance: 1e-9))
  return dot(w.output, z)
}
func scores(_ w: Weights, _ points: Tensor) throws -> Tensor {
  try vmap { (x: Tensor) in try score(w, x) }(points)
}
func loss(_ w: Weights) throws -> Tensor { softplus(-labels * (try scores(w, points))).mean() }

var weights = Weights(
  recurrent: matrix(width, width, 0.3 / Double(width).squareRoot(), seed: 1),
  input: matrix(width, 2, 2, seed: 2),
  bias: matrix(1, width, 1, seed: 3)[0], output: matrix(1, width, 0.3, seed: 4)[0])

// The gradient once against central differences, along one direction.
let direction = matrix(width, width, 1, seed: 5)
func moved(_ weights: Weights, _ t: Double, _ direction: Tensor) throws -> Double {
  var w = weights
  w.recurrent = w.recurrent + t * direction
  return try loss(w).scalar
}
let exact = try (grad(loss)(weights).recurrent * direction).sum().scalar
let difference = try (moved(weights, 1e-4, direction) - moved(weights, -1e-4, direction)) / 2e-4
print("directional derivative: implicit \(exact), by differences \(difference)")
program.require(abs(exact - difference) <= 1e-5 * abs(difference), "the gradient is not that of differences")

let adam = Adam(learningRate: 0.02)
let gradient = jit(valueAndGrad(loss))
var state = adam.initialState(for: weights)
for step in 1...steps {
  let (value, slope) = try gradient(weights)
  if step == 1 || step % (steps / 10) == 0 { print("step \(step): loss \(value.scalar)") }
  try adam.update(&weights, with: slope, &state)
}
for (name, data) in [("seen", (points: points, labels: labels)), ("not seen", spirals(shiftedBy: 0.5))] {
  let right = zip(try scores(weights, data.points).values, data.labels.values).filter { $0 * $1 > 0 }.count
  print("points \(name): \(right) of \(count) right")
  program.require(10 * right >= 9 * count, "fewer than nine of ten points are right")
}
