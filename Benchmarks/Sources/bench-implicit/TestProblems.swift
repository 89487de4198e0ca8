import Costate
import Foundation

/// A problem of Moré, Garbow and Hillstrom (Testing unconstrained optimization software, ACM TOMS 7, 1981) with its published start.
struct TestProblem: Sendable {
  var name: String
  var start: [Double]
  /// Known minima of Σ fᵢ².
  var minima: [Double] = [0]
  var residual: @Sendable (Tensor) throws -> Tensor

  init(
    _ name: String, _ start: [Double], minima: [Double] = [0],
    _ residual: @escaping @Sendable (Tensor) throws -> Tensor
  ) {
    (self.name, self.start, self.minima, self.residual) = (name, start, minima, residual)
  }

  /// No equation is off by more than 1e-8.
  func isRoot(_ x: Tensor) -> Bool {
    guard let values = try? residual(x).values else { return false }
    return values.allSatisfy { $0.magnitude <= 1e-8 }
  }
  /// Five digits of a known minimum, or 1e-10 for zero.
  func isMinimum(_ x: Tensor) -> Bool {
    guard let values = try? residual(x).values else { return false }
    let sum = values.reduce(0.0) { $0 + $1 * $1 }
    return minima.contains { $0 == 0 ? sum <= 1e-10 : abs(sum - $0) <= 1e-5 * $0 }
  }
  /// The equations of a stationary point of Σ fᵢ².
  func gradient(_ name: String) -> TestProblem {
    let residual = residual
    return TestProblem(name, start) { x in try grad { x in square(try residual(x)).sum() }(x) }
  }
}

/// 1, 2, …, n
private func counts(_ n: Int) -> Tensor { Tensor((1...n).map(Double.init)) }
/// tᵢ = i / (n + 1)
private func abscissas(_ n: Int) -> [Double] { (1...n).map { Double($0) / Double(n + 1) } }
private let grid = abscissas(10).map { $0 * ($0 - 1) }

private let rosenbrock = TestProblem("Rosenbrock", [-1.2, 1]) { x in
  [10 * (x[1] - x[0] * x[0]), 1 - x[0]]
}
private let helicalValley = TestProblem("Helical valley", [-1, 0, 0]) { x in
  let turn = atan(x[1] / x[0]) / (2 * Double.pi) + select(x[0] .< 0.0, Tensor(0.5), 0.0)
  return [10 * (x[2] - 10 * turn), 10 * (sqrt(x[0] * x[0] + x[1] * x[1]) - 1), x[2]]
}
private let powellSingular = TestProblem("Powell singular", [3, -1, 0, 1]) { x in
  [
    x[0] + 10 * x[1], 5.0.squareRoot() * (x[2] - x[3]), square(x[1] - 2 * x[2]),
    10.0.squareRoot() * square(x[0] - x[3]),
  ]
}
private let wood = TestProblem("Wood", [-3, -1, -3, -1]) { x in
  [
    10 * (x[1] - x[0] * x[0]), 1 - x[0], 90.0.squareRoot() * (x[3] - x[2] * x[2]), 1 - x[2],
    10.0.squareRoot() * (x[1] + x[3] - 2), (x[1] - x[3]) / 10.0.squareRoot(),
  ]
}
private let watson = TestProblem("Watson 6", [Double](repeating: 0, count: 6), minima: [2.287670e-3]) { x in
  var (powers, slopes): ([Double], [Double]) = ([], [])
  for i in 1...29 {
    let t = Double(i) / 29
    for j in 0..<6 {
      powers.append(Foundation.pow(t, Double(j)))
      slopes.append(j == 0 ? 0 : Double(j) * Foundation.pow(t, Double(j - 1)))
    }
  }
  let value = matmul(Tensor(powers, shape: [29, 6]), x)
  let slope = matmul(Tensor(slopes, shape: [29, 6]), x)
  return concatenate([
    slope - value * value - 1, x[0].reshaped([1]), (x[1] - x[0] * x[0] - 1).reshaped([1]),
  ])
}
private let trigonometric = TestProblem(
  "Trigonometric", [Double](repeating: 0.1, count: 10), minima: [0, 2.795062e-5]
) { x in 10 - cos(x).sum() + counts(10) * (1 - cos(x)) - sin(x) }
private let brownAlmostLinear = TestProblem(
  "Brown almost linear", [Double](repeating: 0.5, count: 10), minima: [0, 1]
) { x in concatenate([x[0..<9] + x.sum() - 11, (x.product() - 1).reshaped([1])]) }
private let variablyDimensioned = TestProblem("Variably dimensioned", (1...10).map { 1 - Double($0) / 10 }) {
  x in
  let sum = (counts(10) * (x - 1)).sum()
  return concatenate([x - 1, sum.reshaped([1]), square(sum).reshaped([1])])
}
private func chebyquad(_ n: Int, _ minima: [Double]) -> TestProblem {
  TestProblem("Chebyquad \(n)", abscissas(n), minima: minima) { x in
    let z = 2 * x - 1
    var (before, now) = (Tensor.ones([n]), z)
    var rows: [Tensor] = []
    for i in 1...n {
      rows.append(now.sum() / Double(n) - (i % 2 == 0 ? -1 / Double(i * i - 1) : 0))
      (before, now) = (now, 2 * z * now - before)
    }
    return stack(rows)
  }
}

extension TestProblem {
  /// As many equations as unknowns.
  static let systems: [TestProblem] = [
    rosenbrock,
    TestProblem("Powell badly scaled", [0, 1]) { x in
      [1e4 * x[0] * x[1] - 1, exp(-x[0]) + exp(-x[1]) - 1.0001]
    },
    helicalValley, powellSingular, wood.gradient("Wood, gradient"), watson.gradient("Watson, gradient"),
    TestProblem("Extended Rosenbrock", [-1.2, 1, -1.2, 1, -1.2, 1, -1.2, 1, -1.2, 1]) { x in
      let pairs = x.reshaped([5, 2])
      let (a, b) = (pairs[.all, 0], pairs[.all, 1])
      return concatenate([10 * (b - a * a), 1 - a])
    },
    trigonometric, brownAlmostLinear,
    TestProblem("Discrete boundary value", grid) { x in
      let h: Double = 1.0 / 11
      let sides = x.padded(before: [1], after: [1])
      let s = x + Tensor(abscissas(10)) + 1
      return 2 * x - sides[..<10] - sides[2...] + (0.5 * h * h) * (s * s * s)
    },
    TestProblem("Discrete integral equation", grid) { x in
      let h: Double = 1.0 / 11
      let points = abscissas(10)
      var kernel: [Double] = []
      for t in points { for s in points { kernel.append(s <= t ? s * (1 - t) : t * (1 - s)) } }
      let s = x + Tensor(points) + 1
      return x + 0.5 * h * matmul(Tensor(kernel, shape: [10, 10]), s * s * s)
    },
    TestProblem("Broyden tridiagonal", [Double](repeating: -1, count: 10)) { x in
      let sides = x.padded(before: [1], after: [1])
      return (3 - 2 * x) * x - sides[..<10] - 2 * sides[2...] + 1
    },
    TestProblem("Broyden banded", [Double](repeating: -1, count: 10)) { x in
      let n = 10
      var band = [Double](repeating: 0, count: n * n)
      for i in 0..<n { for j in max(0, i - 5)...min(n - 1, i + 1) where j != i { band[i * n + j] = 1 } }
      return x * (2 + 5 * x * x) + 1 - matmul(Tensor(band, shape: [n, n]), x * (1 + x))
    },
    chebyquad(7, [0]), variablyDimensioned.gradient("Variably dimensioned, gradient"),
  ]

  static let fits: [TestProblem] = [
    rosenbrock,
    TestProblem("Freudenstein and Roth", [0.5, -2], minima: [0, 48.98425368]) { x in
      let y = x[1]
      return [-13 + x[0] + ((5 - y) * y - 2) * y, -29 + x[0] + ((y + 1) * y - 14) * y]
    },
    TestProblem("Beale", [1, 1]) { x in
      let y = x[1]
      return [1.5 - x[0] * (1 - y), 2.25 - x[0] * (1 - y * y), 2.625 - x[0] * (1 - y * y * y)]
    },
    TestProblem("Jennrich and Sampson", [0.3, 0.4], minima: [124.3621824]) { x in
      let i = counts(10)
      return 2 + 2 * i - (exp(i * x[0]) + exp(i * x[1]))
    },
    helicalValley,
    TestProblem("Bard", [1, 1, 1], minima: [8.214877e-3, 17.42869]) { x in
      let u = counts(15)
      let v = 16 - u
      let y = Tensor([
        0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39,
      ])
      return y - (x[0] + u / (v * x[1] + minimum(u, v) * x[2]))
    },
    TestProblem("Box three-dimensional", [0, 10, 20]) { x in
      let t = 0.1 * counts(10)
      return exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (exp(-t) - exp(-10 * t))
    },
    powellSingular, wood,
    TestProblem("Kowalik and Osborne", [0.25, 0.39, 0.415, 0.39], minima: [3.075056e-4, 1.027345e-3]) { x in
      let y = Tensor([
        0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246,
      ])
      let u = Tensor([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
      return y - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3])
    },
    TestProblem("Brown and Dennis", [25, 5, -5, -1], minima: [85822.2]) { x in
      let t = counts(20) / 5
      return square(x[0] + t * x[1] - exp(t)) + square(x[2] + x[3] * sin(t) - cos(t))
    },
    TestProblem("Biggs EXP6", [1, 2, 1, 1, 1, 1], minima: [0, 5.655650e-3, 0.3063670]) { x in
      let t = 0.1 * counts(13)
      let y = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t)
      return x[2] * exp(-t * x[0]) - x[3] * exp(-t * x[1]) + x[5] * exp(-t * x[4]) - y
    },
    watson, variablyDimensioned, trigonometric, brownAlmostLinear, chebyquad(8, [3.516874e-3]),
  ]
}
