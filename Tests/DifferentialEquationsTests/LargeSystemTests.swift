import Autodiff
import DifferentialEquations
import Lanes
import Testing

/// y' = −y for any number of components, as native code.
private struct Decay: VectorField {
  let stateCount: Int
  var parameterCount: Int { 0 }

  @inline(__always)
  func rate<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, into rate: UnsafeMutablePointer<L>
  ) {
    for c in 0..<stateCount { rate[c] = -y[c] }
  }
  @inline(__always)
  func pullback<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, cotangent c: UnsafePointer<L>,
    state s: UnsafeMutablePointer<L>, addingTo q: UnsafeMutablePointer<L>
  ) {
    for k in 0..<stateCount { s[k] = -c[k] }
  }
}

/// Systems whose dense Jacobian no machine holds are refused, and not after hours.
@Suite struct LargeSystemTests {
  @Test(.timeLimit(.minutes(2)), arguments: [SolverMethod.kvaerno5, .backwardDifferentiation, .rodas5P])
  func denseJacobians(_ method: SolverMethod) throws {
    let n = 1_000_000
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in -p * y * y.sum() }
    let error = #expect(throws: TensorError.self) {
      _ = try equation.solve(
        from: Tensor.ones([n]), parameters: 1e-6, endTime: 1, options: SolverOptions(method: method))
    }
    #expect(error?.description.contains("bytes") == true && error?.description.contains("1000000") == true)
  }

  @Test func denseJacobiansOfNativeEquations() throws {
    let n = 1_000_000
    let error = #expect(throws: DifferentialEquationError.self) {
      _ = try NativeEquation(Decay(stateCount: n)).solve(
        from: [Double](repeating: 1, count: n), parameters: [], times: [1],
        options: SolverOptions(method: .radau5))
    }
    #expect(error?.reason == .argument && error?.description.contains("bytes") == true)
  }

  // All components depend on all, through different sets: found out in bounded time and memory.
  @Test(.timeLimit(.minutes(2))) func manyDependences() throws {
    let n = 200_000
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      -p * y.cumulativeSum()
    }
    #expect(throws: TensorError.self) {
      _ = try equation.solve(
        from: Tensor.ones([n]), parameters: 1e-6, endTime: 1, options: SolverOptions(method: .kvaerno3))
    }
  }

  // Dense systems that fit are solved as before.
  @Test func denseSystemsThatFit() throws {
    let n = 60
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in -p * y * y.sum() }
    let options = SolverOptions(method: .kvaerno5, relativeTolerance: 1e-9, absoluteTolerance: 1e-12)
    let slope = try grad { (p: Tensor) in
      try equation.solve(from: Tensor.ones([n]), parameters: p, endTime: 1, options: options)[0]
    }(0.01)
    // s' = −p s², s(0) = n: every component is 1 / (1 + p n t).
    let expected = -Double(n) / ((1 + 0.01 * Double(n)) * (1 + 0.01 * Double(n)))
    #expect(abs(slope.scalar - expected) < 1e-6 * abs(expected))
  }
}

@Suite struct HigherDerivativeTests {
  // Second derivatives of a solution in closed form; third ones are an error with a name.
  @Test func thirdDerivatives() throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in -p * y }
    let options = SolverOptions(relativeTolerance: 1e-11, absoluteTolerance: 1e-12)
    let f = { (p: Tensor) in
      try equation.solve(from: [2.0], parameters: p, endTime: 1.5, options: options)[0]
    }
    let second = try grad { (p: Tensor) in try grad(f)(p) }(0.7).scalar
    let exact = 2 * 1.5 * 1.5 * Double.power(2.718281828459045, -0.7 * 1.5)
    #expect(abs(second - exact) < 1e-9 * exact)
    let error = #expect(throws: TensorError.self) {
      _ = try grad { (p: Tensor) in try hvp(f, at: p, along: 1.0) }(0.7)
    }
    #expect(error?.reason == .unsupportedDerivative)
    #expect(error?.description.contains("derivative") == true, "\(String(describing: error))")
  }
}
