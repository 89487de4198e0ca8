// A deep-equilibrium classifier: a layer of infinite depth, z = tanh(W z + U x + b), trained to tell two spirals apart. The solver of the
// fixed point is not recorded; the gradient comes from the implicit function theorem.
//
//   swift run -c release DeepEquilibrium [--quick]

import Autodiff
import Foundation
import ImplicitLayers

struct Weights: TensorTree {
  var recurrent: Tensor
  var input: Tensor
  var bias: Tensor
  var output: Tensor
}

let isQuick = CommandLine.arguments.contains("--quick")
let (width, count, steps) = (16, 80, isQuick ? 150 : 1500)

func matrix(_ rows: Int, _ columns: Int, _ size: Double, seed: Int) -> Tensor {
  RandomKey(seed: numericCast(seed)).normal([rows, columns]) * size
}

// Two spirals, half a turn apart.
var (coordinates, signs): ([Double], [Double]) = ([], [])
for k in 0..<count {
  let sign = k % 2 == 0 ? 1.0 : -1.0
  let radius = 0.2 + 0.8 * Double(k) / Double(count)
  let angle = 4 * radius
  coordinates += [sign * radius * Foundation.cos(angle)]
  coordinates += [sign * radius * Foundation.sin(angle)]
  signs.append(sign)
}
let (points, labels) = (Tensor(coordinates, shape: [count, 2]), Tensor(signs))

func score(_ w: Weights, _ x: Tensor) throws -> Tensor {
  let drive = matmul(w.input, x) + w.bias
  // A norm below one: the layer has one fixed point, whatever the weights.
  let recurrent = 0.9 * w.recurrent / sqrt(1.0 + square(w.recurrent).sum())
  let z = try fixedPoint(
    { z in tanh(matmul(recurrent, z) + drive) }, guess: Tensor.zeros([width]),
    options: .init(tolerance: 1e-9))
  return dot(w.output, z)
}
func scores(_ w: Weights) throws -> Tensor { try vmap { (x: Tensor) in try score(w, x) }(points) }
func loss(_ w: Weights) throws -> Tensor { softplus(-labels * (try scores(w))).mean() }

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

// Adam's method.
let gradient = jit(valueAndGradient)
func valueAndGradient(_ w: Weights) throws -> [Tensor] {
  let (value, slope) = try valueAndGrad(loss)(w)
  return [value] + slope.leaves
}
var first = weights.leaves.map { Tensor.zeros($0.shape) }
var second = first
for step in 1...steps {
  let results = try gradient(weights)
  if step == 1 || step % (steps / 10) == 0 { print("step \(step): loss \(results[0].scalar)") }
  let (rate, slopes) = (0.02, results.dropFirst())
  first = zip(first, slopes).map { 0.9 * $0 + 0.1 * $1 }
  second = zip(second, slopes).map { 0.999 * $0 + 0.001 * square($1) }
  let (a, b) = (1 - Foundation.pow(0.9, Double(step)), 1 - Foundation.pow(0.999, Double(step)))
  weights = try weights.replacing(
    leaves: weights.leaves.indices.map { k in
      weights.leaves[k] - rate * (first[k] / a) / (sqrt(second[k] / b) + 1e-8)
    })
}
let right = zip(try scores(weights).values, signs).filter { $0 * $1 > 0 }.count
print("accuracy: \(right) of \(count)")
