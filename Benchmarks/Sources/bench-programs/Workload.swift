import BenchmarkSupport
import Costate

/// Programs min ½ xᵀQx + qᵀx subject to G x ≤ h, the same as in Peers/programs_peers.py: Q = L Lᵀ/n + I/10, with L, q, G and a point
/// uniform between −1 and 1, and h = G (point) + a slack between 0 and 2.
struct SeededPrograms {
  let count: Int
  let variables: Int
  let inequalities: Int
  /// Q, q, G, h, with the axis of programs in front.
  let data: [Tensor]

  init(count: Int, variables n: Int, inequalities m: Int) {
    (self.count, variables, inequalities) = (count, n, m)
    var generator = SplitMix(state: 11)
    func uniform(_ count: Int) -> [Double] {
      (0..<count).map { _ in Double(generator.next() >> 11) * 0x1p-52 - 1 }
    }
    var (quadratic, linear, rows, sides): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
    for _ in 0..<count {
      let (l, q, g, x, slack) = (uniform(n * n), uniform(n), uniform(m * n), uniform(n), uniform(m))
      for i in 0..<n {
        for j in 0..<n {
          let product = (0..<n).reduce(0.0) { $0 + l[i * n + $1] * l[j * n + $1] }
          quadratic.append(product / Double(n) + (i == j ? 0.1 : 0))
        }
      }
      linear += q
      rows += g
      for k in 0..<m { sides.append((0..<n).reduce(slack[k] + 1) { $0 + g[k * n + $1] * x[$1] }) }
    }
    data = [
      Tensor(quadratic, shape: [count, n, n]), Tensor(linear, shape: [count, n]),
      Tensor(rows, shape: [count, m, n]), Tensor(sides, shape: [count, m]),
    ]
  }

  /// x and the multipliers of all programs.
  static func solutions(_ options: QuadraticProgramOptions = .init()) -> ([Tensor]) throws -> [Tensor] {
    let one = { (d: [Tensor]) throws -> [Tensor] in
      let found = try quadraticProgram(
        quadratic: d[0], linear: d[1], inequalities: d[2], upper: d[3], options: options)
      return [found.x, found.inequalityMultipliers, found.iterations]
    }
    return vmap(one)
  }
  /// The sum of all components of all solutions, whose gradients are those of each program alone.
  static func loss(_ options: QuadraticProgramOptions = .init()) -> ([Tensor]) throws -> Tensor {
    let solutions = solutions(options)
    return { try solutions($0)[0].sum() }
  }

  /// The largest violation of stationarity, of a constraint, of a sign and of complementarity, over all programs.
  func residual(_ x: [Double], _ z: [Double]) -> Double {
    let (n, m) = (variables, inequalities)
    let (quadratic, linear, rows, sides) = (data[0].values, data[1].values, data[2].values, data[3].values)
    var worst = 0.0
    for p in 0..<count {
      var gradient = Array(linear[p * n..<(p + 1) * n])
      for i in 0..<n {
        for j in 0..<n { gradient[i] += quadratic[(p * n + i) * n + j] * x[p * n + j] }
      }
      for k in 0..<m {
        let (row, multiplier) = ((p * m + k) * n, z[p * m + k])
        var slack = sides[p * m + k]
        for j in 0..<n {
          gradient[j] += rows[row + j] * multiplier
          slack -= rows[row + j] * x[p * n + j]
        }
        worst = max(worst, -slack, -multiplier, abs(slack * multiplier))
      }
      worst = gradient.reduce(worst) { max($0, abs($1)) }
    }
    return worst
  }
}
