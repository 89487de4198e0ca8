import Autodiff
import DifferentialEquations
import Lanes
import Testing

/// The Lorenz system with all three parameters.
struct Lorenz: VectorField {
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

@Suite struct NativeEquationTests {
  static let parameters: [Double] = [10, 28, 8.0 / 3]

  // Native code and traced tensors give the same steps.
  @Test(arguments: [1, 50]) func nativeAndTraced(_ count: Int) throws {
    let options = SolverOptions(relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    let initial = (0..<count).flatMap { (row: Int) -> [Double] in [1 + 0.01 * Double(row), 1, 1] }
    let native = try NativeEquation(Lorenz()).solve(
      from: initial, parameters: Self.parameters, times: [0.4, 1], options: options, keepsRecord: true)
    let (states, parameters) = try native.pullback([Double](repeating: 1, count: 6 * count))
    let (value, pullback) = try vjp(
      { (x: [Tensor]) in
        try vmap(
          { (x: [Tensor]) in
            try lorenz.solve(from: x[0], parameters: x[1], times: [0.4, 1.0], options: options)
          },
          inputAxes: [0, nil])(x)
      }, at: [Tensor(initial, shape: [count, 3]), Tensor(Self.parameters)])
    let gradients = try pullback(Tensor.ones([count, 2, 3]))
    #expect(zip(native.states, value.values).allSatisfy { abs($0 - $1) < 1e-9 * max(1, abs($0)) })
    #expect(zip(states, gradients[0].values).allSatisfy { abs($0 - $1) < 1e-7 * max(1, abs($0)) })
    #expect(zip(parameters, gradients[1].values).allSatisfy { abs($0 - $1) < 1e-7 * max(1, abs($0)) })
    #expect(native.statistics[0].acceptedSteps > 50)
  }
}
