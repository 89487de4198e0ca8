import Autodiff
import Foundation

/// A test problem of Moré, Garbow and Hillstrom (Testing unconstrained optimization software, ACM TOMS 7, 1981): Σ fᵢ(x)² is to be minimised.
struct MoreGarbowHillstromProblem: Sendable, CustomStringConvertible {
  var number: Int
  var name: String
  var start: [Double]
  /// The values of Σ fᵢ² at the minima that the paper lists (or, marked in the list, that are known besides), the least first.
  var minima: [Double]
  var residualCount: Int
  var residual: @Sendable (Tensor) -> Tensor

  var description: String { "\(number) \(name)" }

  func sumOfSquares(_ x: Tensor) -> Tensor {
    let f = residual(x)
    return (f * f).sum()
  }
  /// Whether a value is that of a known minimum, to the digits printed.
  func isMinimum(_ value: Double) -> Bool { minima.contains { isAt($0, value) } }
  func isGlobalMinimum(_ value: Double) -> Bool { isAt(minima[0], value) }
  private func isAt(_ minimum: Double, _ value: Double) -> Bool {
    minimum == 0 ? value <= 1e-10 : abs(value - minimum) <= 1e-5 * minimum
  }

  private init(
    _ number: Int, _ name: String, _ start: [Double], _ minima: [Double], _ residualCount: Int,
    _ residual: @escaping @Sendable (Tensor) -> Tensor
  ) {
    self.number = number
    self.name = name
    self.start = start
    self.minima = minima
    self.residualCount = residualCount
    self.residual = residual
  }

  static let all: [MoreGarbowHillstromProblem] = small + exponential + larger
}

/// 1, 2, …, n
private func counts(_ n: Int) -> Tensor { Tensor((1...n).map(Double.init)) }

extension MoreGarbowHillstromProblem {
  private static let small: [MoreGarbowHillstromProblem] = [
    .init(1, "Rosenbrock", [-1.2, 1], [0], 2) { x in
      [10 * (x[1] - x[0] * x[0]), 1 - x[0]]
    },
    .init(2, "Freudenstein and Roth", [0.5, -2], [0, 48.98425368], 2) { x in
      let y = x[1]
      return [-13 + x[0] + ((5 - y) * y - 2) * y, -29 + x[0] + ((y + 1) * y - 14) * y]
    },
    .init(3, "Powell badly scaled", [0, 1], [0], 2) { x in
      [1e4 * x[0] * x[1] - 1, exp(-x[0]) + exp(-x[1]) - 1.0001]
    },
    .init(4, "Brown badly scaled", [1, 1], [0], 3) { x in
      [x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2]
    },
    .init(5, "Beale", [1, 1], [0], 3) { x in
      let y = x[1]
      return [1.5 - x[0] * (1 - y), 2.25 - x[0] * (1 - y * y), 2.625 - x[0] * (1 - y * y * y)]
    },
    .init(6, "Jennrich and Sampson", [0.3, 0.4], [124.3621824], 10) { x in
      let i = counts(10)
      return 2 + 2 * i - (exp(i * x[0]) + exp(i * x[1]))
    },
    .init(7, "Helical valley", [-1, 0, 0], [0], 3) { x in
      let turn = atan(x[1] / x[0]) / (2 * Double.pi) + select(x[0] .< 0.0, Tensor(0.5), 0.0)
      return [10 * (x[2] - 10 * turn), 10 * (sqrt(x[0] * x[0] + x[1] * x[1]) - 1), x[2]]
    },
    .init(8, "Bard", [1, 1, 1], [8.214877e-3, 17.42869], 15) { x in
      let u = counts(15)
      let v = 16 - u
      let w = minimum(u, v)
      let y = Tensor([
        0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39,
      ])
      return y - (x[0] + u / (v * x[1] + w * x[2]))
    },
    .init(9, "Gaussian", [0.4, 1, 0], [1.127932e-8], 15) { x in
      let t = (8 - counts(15)) / 2
      let half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]
      let y = Tensor(half + [0.3989] + half.reversed())
      return x[0] * exp(-x[1] * square(t - x[2]) / 2) - y
    },
    .init(10, "Meyer", [0.02, 4000, 250], [87.94586], 16) { x in
      let t = 45 + 5 * counts(16)
      let y = Tensor([
        34780.0, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307,
        2872,
      ])
      return x[0] * exp(x[1] / (t + x[2])) - y
    },
    .init(11, "Gulf research and development", [5, 2.5, 0.15], [0], 99) { x in
      let t = counts(99) / 100
      let y = 25 + pow(-50 * log(t), 2.0 / 3)
      return exp(-pow(abs(y - x[1]), x[2]) / x[0]) - t
    },
    .init(12, "Box three-dimensional", [0, 10, 20], [0], 10) { x in
      let t = 0.1 * counts(10)
      return exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (exp(-t) - exp(-10 * t))
    },
    .init(13, "Powell singular", [3, -1, 0, 1], [0], 4) { x in
      [
        x[0] + 10 * x[1], 5.0.squareRoot() * (x[2] - x[3]), square(x[1] - 2 * x[2]),
        10.0.squareRoot() * square(x[0] - x[3]),
      ]
    },
    .init(14, "Wood", [-3, -1, -3, -1], [0], 6) { x in
      [
        10 * (x[1] - x[0] * x[0]), 1 - x[0], 90.0.squareRoot() * (x[3] - x[2] * x[2]), 1 - x[2],
        10.0.squareRoot() * (x[1] + x[3] - 2), (x[1] - x[3]) / 10.0.squareRoot(),
      ]
    },
    .init(15, "Kowalik and Osborne", [0.25, 0.39, 0.415, 0.39], [3.075056e-4, 1.027345e-3], 11) { x in
      let y = Tensor([
        0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246,
      ])
      let u = Tensor([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
      return y - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3])
    },
    .init(16, "Brown and Dennis", [25, 5, -5, -1], [85822.2], 20) { x in
      let t = counts(20) / 5
      return square(x[0] + t * x[1] - exp(t)) + square(x[2] + x[3] * sin(t) - cos(t))
    },
  ]

  private static let exponential: [MoreGarbowHillstromProblem] = [
    .init(17, "Osborne 1", [0.5, 1.5, -1, 0.01, 0.02], [5.464895e-5], 33) { x in
      let t = 10 * (counts(33) - 1)
      let y = Tensor([
        0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658,
        0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431,
        0.424, 0.420, 0.414, 0.411, 0.406,
      ])
      return y - (x[0] + x[1] * exp(-t * x[3]) + x[2] * exp(-t * x[4]))
    },
    // Of the minima the paper lists the first two.
    .init(18, "Biggs EXP6", [1, 2, 1, 1, 1, 1], [0, 5.655650e-3, 0.3063670], 13) { x in
      let t = 0.1 * counts(13)
      let y = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t)
      return x[2] * exp(-t * x[0]) - x[3] * exp(-t * x[1]) + x[5] * exp(-t * x[4]) - y
    },
    .init(19, "Osborne 2", [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5], [4.013774e-2], 65) { x in
      let t = (counts(65) - 1) / 10
      let y = Tensor([
        1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608, 0.655,
        0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661, 0.612, 0.558,
        0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428, 0.429, 0.523, 0.562,
        0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559, 0.597, 0.625, 0.739, 0.710,
        0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
      ])
      var sum = x[0] * exp(-t * x[4])
      for k in 1...3 { sum = sum + x[k] * exp(-square(t - x[k + 7]) * x[k + 4]) }
      return y - sum
    },
  ]

  /// Those of variable size.
  private static let larger: [MoreGarbowHillstromProblem] = [
    watson(6, 2.287670e-3),
    .init(21, "Extended Rosenbrock", [-1.2, 1, -1.2, 1, -1.2, 1, -1.2, 1, -1.2, 1], [0], 10) { x in
      let pairs = x.reshaped([5, 2])
      let (a, b) = (pairs[.all, 0], pairs[.all, 1])
      return concatenate([10 * (b - a * a), 1 - a])
    },
    .init(22, "Extended Powell singular", [3, -1, 0, 1, 3, -1, 0, 1, 3, -1, 0, 1], [0], 12) { x in
      let rows = x.reshaped([3, 4])
      let (a, b, c, d) = (rows[.all, 0], rows[.all, 1], rows[.all, 2], rows[.all, 3])
      return concatenate([
        a + 10 * b, 5.0.squareRoot() * (c - d), square(b - 2 * c), 10.0.squareRoot() * square(a - d),
      ])
    },
    .init(23, "Penalty I", (1...10).map(Double.init), [7.087651e-5], 11) { x in
      let last = (x * x).sum() - 0.25
      return concatenate([1e-5.squareRoot() * (x - 1), last.reshaped([1])])
    },
    .init(24, "Penalty II", [Double](repeating: 0.5, count: 10), [2.936605e-4], 20) { x in
      let n = 10
      let i = counts(n)
      let y = exp(i[1..<n] / 10) + exp(i[0..<n - 1] / 10)
      let e = exp(x / 10)
      let root = 1e-5.squareRoot()
      let last = ((Double(n) + 1 - i) * x * x).sum() - 1
      return concatenate([
        (x[0] - 0.2).reshaped([1]), root * (e[1..<n] + e[0..<n - 1] - y),
        root * (e[1..<n] - Foundation.exp(-0.1)),
        last.reshaped([1]),
      ])
    },
    .init(25, "Variably dimensioned", (1...10).map { 1 - Double($0) / 10 }, [0], 12) { x in
      let sum = (counts(10) * (x - 1)).sum()
      return concatenate([x - 1, sum.reshaped([1]), square(sum).reshaped([1])])
    },
    .init(26, "Trigonometric", [Double](repeating: 0.1, count: 10), [0, 2.795062e-5], 10) { x in
      10 - cos(x).sum() + counts(10) * (1 - cos(x)) - sin(x)
    },
    .init(27, "Brown almost-linear", [Double](repeating: 0.5, count: 10), [0, 1], 10) { x in
      var product = x[0]
      for k in 1..<10 { product = product * x[k] }
      return concatenate([x[0..<9] + x.sum() - 11, (product - 1).reshaped([1])])
    },
    .init(28, "Discrete boundary value", abscissas(10).map { $0 * ($0 - 1) }, [0], 10) { x in
      let n = 10
      let h: Double = 1.0 / 11
      let t = Tensor(abscissas(n))
      let zero = Tensor.zeros([1])
      let (before, after) = (concatenate([zero, x[0..<n - 1]]), concatenate([x[1..<n], zero]))
      let s = x + t + 1
      return 2 * x - before - after + (0.5 * h * h) * (s * s * s)
    },
    .init(29, "Discrete integral equation", abscissas(10).map { $0 * ($0 - 1) }, [0], 10) { x in
      let n = 10
      let h: Double = 1.0 / 11
      let points = abscissas(n)
      // tⱼ (1 − tᵢ) up to the diagonal, tᵢ (1 − tⱼ) beyond it.
      var kernel: [Double] = []
      for t in points { for s in points { kernel.append(s <= t ? s * (1 - t) : t * (1 - s)) } }
      let s = x + Tensor(points) + 1
      return x + 0.5 * h * matmul(Tensor(kernel, shape: [n, n]), s * s * s)
    },
    .init(30, "Broyden tridiagonal", [Double](repeating: -1, count: 10), [0], 10) { x in
      let zero = Tensor.zeros([1])
      let (before, after) = (concatenate([zero, x[0..<9]]), concatenate([x[1..<10], zero]))
      return (3 - 2 * x) * x - before - 2 * after + 1
    },
    .init(31, "Broyden banded", [Double](repeating: -1, count: 10), [0], 10) { x in
      let n = 10
      var band = [Double](repeating: 0, count: n * n)
      for i in 0..<n { for j in max(0, i - 5)...min(n - 1, i + 1) where j != i { band[i * n + j] = 1 } }
      return x * (2 + 5 * x * x) + 1 - matmul(Tensor(band, shape: [n, n]), x * (1 + x))
    },
    .init(32, "Linear, full rank", [Double](repeating: 1, count: 10), [10], 20) { x in
      concatenate([x, Tensor.zeros([10])]) - (2.0 / 20) * x.sum() - 1
    },
    .init(33, "Linear, rank 1", [Double](repeating: 1, count: 10), [20.0 * 19 / (2 * 41)], 20) { x in
      counts(20) * (counts(10) * x).sum() - 1
    },
    .init(
      34, "Linear, rank 1 with zero columns and rows", [Double](repeating: 1, count: 10),
      [454.0 / 74], 20
    ) { x in
      let weights = concatenate([counts(19) - 1, Tensor.zeros([1])])
      let inner = counts(10)[1..<9] * x[1..<9]
      return weights * inner.sum() - 1
    },
    chebyquad(8, [3.516874e-3]),
  ]

  /// tᵢ = i / (n + 1)
  private static func abscissas(_ n: Int) -> [Double] { (1...n).map { Double($0) / Double(n + 1) } }

  /// Number 20.
  static func watson(_ n: Int, _ minimum: Double) -> MoreGarbowHillstromProblem {
    .init(20, "Watson (\(n))", [Double](repeating: 0, count: n), [minimum], 31) { x in
      var (powers, slopes): ([Double], [Double]) = ([], [])
      for i in 1...29 {
        let t = Double(i) / 29
        for j in 0..<n {
          powers.append(Foundation.pow(t, Double(j)))
          slopes.append(j == 0 ? 0 : Double(j) * Foundation.pow(t, Double(j - 1)))
        }
      }
      let (value, slope) = (
        matmul(Tensor(powers, shape: [29, n]), x), matmul(Tensor(slopes, shape: [29, n]), x)
      )
      return concatenate([
        slope - value * value - 1, x[0].reshaped([1]), (x[1] - x[0] * x[0] - 1).reshaped([1]),
      ])
    }
  }

  /// Number 35.
  static func chebyquad(_ n: Int, _ minima: [Double]) -> MoreGarbowHillstromProblem {
    .init(35, "Chebyquad (\(n))", abscissas(n), minima, n) { x in
      let z = 2 * x - 1
      var (before, now) = (Tensor.ones([n]), z)
      var rows: [Tensor] = []
      for i in 1...n {
        let integral = i % 2 == 0 ? -1 / Double(i * i - 1) : 0
        rows.append(now.sum() / Double(n) - integral)
        (before, now) = (now, 2 * z * now - before)
      }
      return stack(rows)
    }
  }
}
