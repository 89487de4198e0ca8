import BenchmarkSupport
import Costate
import Foundation

/// The Lorenz system as native code.
struct NativeLorenz: VectorField {
  var stateCount: Int { 3 }
  var parameterCount: Int { 3 }

  @inline(__always)
  func rate<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, into rate: UnsafeMutablePointer<L>
  ) {
    rate[0] = p[0] * (y[1] - y[0])
    rate[1] = y[0] * (p[1] - y[2]) - y[1]
    rate[2] = y[0] * y[1] - p[2] * y[2]
  }
  @inline(__always)
  func pullback<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, cotangent c: UnsafePointer<L>,
    state s: UnsafeMutablePointer<L>, addingTo q: UnsafeMutablePointer<L>
  ) {
    s[0] = c[1] * (p[1] - y[2]) + c[2] * y[1] - p[0] * c[0]
    s[1] = p[0] * c[0] - c[1] + c[2] * y[0]
    s[2] = -(c[1] * y[0] + c[2] * p[2])
    q[0] += c[0] * (y[1] - y[0])
    q[1] += c[1] * y[0]
    q[2] -= c[2] * y[2]
  }
}

/// A problem that the peers solve as well.
struct Problem {
  var name: String
  var equation: OrdinaryDifferentialEquation<Tensor, Tensor>
  var initial: Tensor
  var parameters: Tensor
  var end: Double
  var options: SolverOptions
  /// Solutions in one sample.
  var repetitions: Int
  /// Those that suit the problem.
  var gradients = GradientMethod.allCases

  /// The final state.
  func finalState(_ gradient: GradientMethod = .discreteAdjoint) -> ([Tensor]) throws -> Tensor {
    {
      try equation.solve(
        from: $0[0], parameters: $0[1], endTime: Tensor(end), options: options, gradient: gradient)
    }
  }

  /// Its components, weighed 1, 2, 3 and so on.
  func loss(_ gradient: GradientMethod = .discreteAdjoint) -> ([Tensor]) throws -> Tensor {
    let solution = finalState(gradient)
    let weights = Tensor.range(1, to: Double(initial.count + 1))
    return { dot(weights, try solution($0)) }
  }
}

extension Problem {
  static let lorenz = Problem(
    name: "lorenz",
    equation: OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      stack([p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]])
    },
    initial: Tensor.ones([3]), parameters: Tensor([10, 28, 8.0 / 3]), end: 2,
    options: SolverOptions(method: .tsitouras5, relativeTolerance: 1e-8, absoluteTolerance: 1e-8),
    repetitions: 50)

  /// Hairer, Nørsett and Wanner (1993), II.10: seven stars in the plane, with masses from 1 to 7.
  static let pleiades = Problem(
    name: "pleiades",
    equation: OrdinaryDifferentialEquation { (_, s: Tensor, mass: Tensor) in
      let x = s[0..<7]
      let y = s[7..<14]
      let u = x.reshaped([1, 7]) - x.reshaped([7, 1])
      let v = y.reshaped([1, 7]) - y.reshaped([7, 1])
      let square = u * u + v * v + Tensor.identity(7)
      let pull = mass.reshaped([1, 7]) / (square * sqrt(square))
      return concatenate([s[14..<28], (pull * u).sum(axes: [1]), (pull * v).sum(axes: [1])])
    },
    initial: Tensor([
      3, 3, -1, -3, 2, -2, 2, 3, -3, 2, 0, 0, -4, 4, 0, 0, 0, 0, 0, 1.75, -1.5, 0, 0, 0, -1.25, 1, 0, 0,
    ]), parameters: Tensor([1, 2, 3, 4, 5, 6, 7]), end: 3,
    options: SolverOptions(method: .dormandPrince8, relativeTolerance: 1e-8, absoluteTolerance: 1e-8),
    repetitions: 3)

  static let robertson = Problem(
    name: "robertson",
    equation: OrdinaryDifferentialEquation { (_, y: Tensor, k: Tensor) in
      let (a, b, c) = (k[0] * y[0], k[1] * y[1] * y[1], k[2] * y[1] * y[2])
      return stack([c - a, a - b - c, b])
    },
    initial: Tensor([1, 0, 0]), parameters: Tensor([0.04, 3e7, 1e4]), end: 100,
    options: SolverOptions(
      method: .backwardDifferentiation, relativeTolerance: 1e-8, absoluteTolerance: 1e-8),
    repetitions: 2, gradients: [.discreteAdjoint, .forwardSensitivity, .continuousAdjoint])

  /// u' = b + u² v − (a + 1) u + d Δu, v' = a u − u² v + d Δv on the unit square, periodic, 32 x 32 points (Hairer and Wanner 1996, IV.10).
  static var brusselator: Problem {
    let n = 32
    var start = [Double](repeating: 0, count: 2 * n * n)
    for i in 0..<n {
      for j in 0..<n {
        let (x, y) = ((Double(i) + 0.5) / Double(n), (Double(j) + 0.5) / Double(n))
        start[i * n + j] = 22 * pow(y * (1 - y), 1.5)
        start[n * n + i * n + j] = 27 * pow(x * (1 - x), 1.5)
      }
    }
    func laplacian(_ z: Tensor) -> Tensor {
      (z.rolled(by: 1, axis: 0) + z.rolled(by: -1, axis: 0) + z.rolled(by: 1, axis: 1)
        + z.rolled(by: -1, axis: 1) - z * 4.0) * Double(n * n)
    }
    return Problem(
      name: "brusselator",
      equation: OrdinaryDifferentialEquation { (_, s: Tensor, p: Tensor) in
        let u = s[0..<n * n].reshaped([n, n])
        let v = s[n * n..<2 * n * n].reshaped([n, n])
        let w = u * u * v
        let first = p[1] + w - (p[0] + 1.0) * u + p[2] * laplacian(u)
        let second = p[0] * u - w + p[2] * laplacian(v)
        return concatenate([first.flattened, second.flattened])
      },
      initial: Tensor(start), parameters: Tensor([3.4, 1, 0.01]), end: 1,
      options: SolverOptions(
        method: .backwardDifferentiation, relativeTolerance: 1e-6, absoluteTolerance: 1e-6),
      repetitions: 1, gradients: [.discreteAdjoint, .continuousAdjoint])
  }
}
