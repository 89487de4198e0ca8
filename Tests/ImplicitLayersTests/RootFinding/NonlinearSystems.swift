import Autodiff

/// Systems of equations with known starts and roots; the collection of Moré, Garbow and Hillstrom (1981), and a few more.
struct NonlinearSystem: Sendable, CustomStringConvertible {
  var name: String
  var start: [Double]
  /// The root, where it is known in closed form.
  var root: [Double]?
  var residual: @Sendable (Tensor) -> Tensor
  var description: String { name }

  static let all: [NonlinearSystem] = [
    NonlinearSystem(name: "cubic", start: [3], root: [1]) { x in x * x * x + x - 2.0 },
    NonlinearSystem(name: "Rosenbrock", start: [-1.2, 1], root: [1, 1], residual: rosenbrock),
    NonlinearSystem(
      name: "badly scaled", start: [0, 1], root: [1.098_159_329_699_756e-5, 9.106_146_739_867_324],
      residual: badlyScaled),
    NonlinearSystem(name: "helical valley", start: [-1, 0, 0], root: [1, 0, 0], residual: helicalValley),
    NonlinearSystem(
      name: "Brown almost linear", start: [Double](repeating: 0.5, count: 5), residual: brownAlmostLinear),
    NonlinearSystem(
      name: "discrete boundary value", start: gridOfTen.map { $0 * ($0 - 1) }, residual: boundaryValue),
    NonlinearSystem(
      name: "Broyden tridiagonal", start: [Double](repeating: -1, count: 50), residual: tridiagonal),
    NonlinearSystem(
      name: "Chandrasekhar", start: [Double](repeating: 1, count: 20), residual: chandrasekhar),
  ]
}

@Sendable private func rosenbrock(_ x: Tensor) -> Tensor {
  let valley: Tensor = x[1] - x[0] * x[0]
  return stack([10.0 * valley, 1.0 - x[0]])
}
@Sendable private func badlyScaled(_ x: Tensor) -> Tensor {
  let product: Tensor = x[0] * x[1]
  let sum: Tensor = exp(-x[0]) + exp(-x[1])
  return stack([10_000.0 * product - 1.0, sum - 1.0001])
}
@Sendable private func helicalValley(_ x: Tensor) -> Tensor {
  let angle: Tensor = atan2(x[1], x[0]) * (0.5 / Double.pi)
  let height: Tensor = x[2] - 10.0 * angle
  let radius: Tensor = hypot(x[0], x[1])
  return stack([10.0 * height, 10.0 * (radius - 1.0), x[2]])
}
@Sendable private func brownAlmostLinear(_ x: Tensor) -> Tensor {
  let first: Tensor = x[..<4] + x.sum() - 6.0
  let last: Tensor = x.product() - 1.0
  return concatenate([first, last.reshaped([1])])
}
private let gridOfTen: [Double] = (1...10).map { (k: Int) -> Double in Double(k) / 11 }
@Sendable private func boundaryValue(_ x: Tensor) -> Tensor {
  let h: Double = 1.0 / 11
  let sides: Tensor = x.padded(before: [1], after: [1])
  let sum: Tensor = x + Tensor(gridOfTen) + 1.0
  let cube: Tensor = sum * sum * sum
  let second: Tensor = 2.0 * x - sides[..<10] - sides[2...]
  return second + (0.5 * h * h) * cube
}
/// H(μ) = 1 + (c/2) H(μ) ∫ μ H(ν) / (μ + ν) dν by the midpoint rule, c = 0.9.
@Sendable private func chandrasekhar(_ h: Tensor) -> Tensor {
  let nodes: [Double] = (0..<20).map { (k: Int) -> Double in (Double(k) + 0.5) / 20 }
  let mu = Tensor(nodes)
  let (rows, columns) = (mu.expandingAxis(1), mu.expandingAxis(0))
  let integral: Tensor = matmul(rows / (rows + columns), h) * 0.0225
  return h * (1.0 - integral) - 1.0
}

/// (3 − 2 xᵢ) xᵢ − xᵢ₋₁ − 2 xᵢ₊₁ + 1, of any size.
@Sendable func tridiagonal(_ x: Tensor) -> Tensor {
  let n = x.shape[0]
  let sides: Tensor = x.padded(before: [1], after: [1])
  let diagonal: Tensor = (3.0 - 2.0 * x) * x
  let (left, right) = (sides[..<n], sides[2...])
  return diagonal - left - 2.0 * right + 1.0
}

/// Δu + λ eᵘ = 0 on the unit square with zero boundary values (Bratu), on m x m interior points, times h².
func bratu(_ u: Tensor, _ lambda: Tensor) -> Tensor {
  let m = u.shape[0]
  let h: Double = 1.0 / Double(m + 1)
  let sides: Tensor = u.padded(before: [1, 1], after: [1, 1])
  let inner = 1..<m + 1
  let vertical: Tensor = sides[..<m, inner] + sides[2..., inner]
  let horizontal: Tensor = sides[inner, ..<m] + sides[inner, 2...]
  let source: Tensor = (h * h) * lambda * exp(u)
  return vertical + horizontal - 4.0 * u + source
}
