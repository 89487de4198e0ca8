import Autodiff
import DifferentialEquations
import LinearSolvers
import TestSupport
import Testing

/// Right-hand sides that solve linear systems: scalar instructions around operations that have no scalar form.
@Suite struct ImplicitRateTests {
  /// M(q, p) v' = −p₂ q − (∂/∂q ½ vᵀ M v) with a mass matrix that depends on the position.
  static let mechanism = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) throws -> Tensor in
    let (q, v) = (y[0..<2], y[2..<4])
    let matrix = { (q: Tensor) -> Tensor in
      let coupling = p[0] * cos(q[0] - q[1])
      return stack([stack([2.0 + square(q[0]), coupling]), stack([coupling, 1.0 + square(p[1])])])
    }
    let slope = try grad { (q: Tensor) in 0.5 * dot(v, matmul(matrix(q), v)) }(q)
    return concatenate([v, solve(.dense(matrix(q), tags: .positiveDefinite), -p[2] * q - slope)])
  }
  static let parameters: Tensor = [0.5, 0.3, 1.2]

  // With fixed steps, so that differences see the same steps: forward and reverse mode, second derivatives, batches.
  @Test(arguments: [SolverMethod.tsitouras5, .rungeKutta4, .kvaerno3]) func laws(_ method: SolverMethod)
    throws
  {
    let options = SolverOptions(
      method: method, relativeTolerance: 1e-12, absoluteTolerance: 1e-12, fixedStep: 0.05)
    let f = { (x: [Tensor]) in
      try Self.mechanism.solve(from: x[0], parameters: x[1], times: [0.2, 0.5], options: options)
    }
    var laws = GradientLaws()
    laws.identityTolerance = method.isImplicit ? 1e-10 : 1e-12
    laws.tolerance = 1e-6
    laws.order = method.isImplicit ? 1 : 2
    #expect(try laws.violations(of: f, at: [[0.6, -0.3, 0.2, 0.4], Self.parameters]) == [])
  }

  // Parameters that are the same for all are passed once to what runs on arrays; those that are not, lane by lane.
  @Test(arguments: [1, 3, 8, 17, 70], [true, false]) func batches(_ count: Int, isShared: Bool) throws {
    var random = SeededRandom(seed: 3)
    let starts = Tensor(random.uniform(-0.8, 0.8, count: 4 * count), shape: [count, 4])
    let each = Self.parameters + Tensor(random.uniform(0, 0.3, count: 3 * count), shape: [count, 3])
    let options = SolverOptions(relativeTolerance: 1e-10, absoluteTolerance: 1e-10)
    let weight: Tensor = [[0.3, -0.2, 0.5, 1.0]]
    let f = { (s: Tensor, p: Tensor) throws -> (value: Tensor, gradient: (Tensor, Tensor)) in
      try valueAndGrad { (s: Tensor, p: Tensor) in
        (try Self.mechanism.solve(from: s, parameters: p, times: [0.7], options: options) * weight).sum()
      }(s, p)
    }
    let batch = try vmap(
      { (s: Tensor, p: Tensor) throws -> [Tensor] in
        let (value, gradient) = try f(s, p)
        return [value, gradient.0, gradient.1]
      }, inputAxes: (0, isShared ? nil : 0))(starts, isShared ? Self.parameters : each)
    for k in 0..<count {
      let alone = try f(starts[k], isShared ? Self.parameters : each[k])
      for (a, b) in zip(batch, [alone.value, alone.gradient.0, alone.gradient.1]) {
        let size = Swift.max(abs(b).max().scalar, 1)
        #expect(abs(a[k] - b).max().scalar < 1e-9 * size)
      }
    }
  }

  // A matrix that becomes singular on the way, alone and among others.
  @Test(arguments: [1, 20]) func singularMatrices(_ count: Int) throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      solve(.dense(stack([stack([1.0 - t * p[0], 0.0 * t]), stack([0.0 * t, Tensor(1.0)])])), sin(y) + 1.0)
    }
    let options = SolverOptions(method: .rungeKutta4, fixedStep: 0.25)
    let starts = Tensor.zeros([count, 2])
    let error = #expect(throws: TensorError.self) {
      try vmap { (s: Tensor) in
        try equation.solve(from: s, parameters: [1.0], times: [1.5], options: options)
      }(starts)
    }
    #expect(error?.reason == .nonFinite)
    #expect(error?.description.contains("the matrix is singular") == true, "\(error as Any)")
  }

  // One trajectory's matrix becomes singular: it is named, and the others are solved as if it were not there.
  @Test func singularMatrixOfOne() throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      solve(.dense(stack([stack([1.0 - t * p[0], 0.0 * t]), stack([0.0 * t, Tensor(1.0)])])), sin(y) + 1.0)
    }
    let options = SolverOptions(method: .rungeKutta4, fixedStep: 0.25)
    let rows = Tensor((0..<20).map { $0 == 5 ? 1.0 : 0.01 * Double($0) }, shape: [20, 1])
    let solution = { (p: Tensor) in
      try equation.solve(from: [0.0, 0.0], parameters: p, endTime: 1.5, options: options)
    }
    let error = #expect(throws: TensorError.self) { try vmap(solution)(rows) }
    let text = error?.description ?? ""
    #expect(text.contains("trajectory 5") && text.contains("the matrix is singular"), "\(text)")
    let others = try vmap(solution)(rows.rolled(by: -6, axis: 0)[0..<19])
    #expect(try abs(others[0][0] - solution(rows[6])[0]).scalar < 1e-12)
  }
}
