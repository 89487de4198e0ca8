import Autodiff
import ImplicitLayers
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

@Suite struct RootMethodTests {
  static let methods: [RootMethod] = [.automatic, .newton(), .chord, .broyden, .dogleg, .levenbergMarquardt]

  /// Every method on every system from the published start.
  @Test(arguments: methods, NonlinearSystem.all)
  func systems(method: RootMethod, system: NonlinearSystem) throws {
    let report = try rootWithReport(
      { x in system.residual(x) }, guess: Tensor(system.start), options: .init(method: method))
    #expect(try report.solverStatus() == .converged, "\(report.iterations.scalar) iterations")
    let x = report.solution
    #expect(abs(system.residual(x)).max().scalar < 1e-11)
    #expect(abs(report.measure.scalar - abs(system.residual(x)).max().scalar) < 1e-13)
    if let root = system.root {
      for (a, b) in zip(x.values, root) { #expect(abs(a - b) < 1e-9 * max(1e-3, abs(b))) }
    }
  }

  /// Orders of convergence: the digits of Newton's method double, a kept Jacobian gains a constant factor, Broyden's lies between.
  @Test func orders() throws {
    func trace(_ method: RootMethod) throws -> [Double] {
      let report = try rootWithReport(
        { x in tridiagonal(x) }, guess: Tensor(repeating: -0.6, shape: [20]), options: .init(method: method),
        traceLength: 30)
      #expect(try report.solverStatus() == .converged)
      let count = Int(report.iterations.scalar)
      return Array(report.trace.values.prefix(count + 1))
    }
    let newton = try trace(.newton(lineSearch: false))
    for k in 1..<newton.count - 1 where newton[k] < 0.1 && newton[k] > 1e-6 {
      #expect(newton[k + 1] < 10 * newton[k] * newton[k])
    }
    let (chord, broyden) = (try trace(.chord), try trace(.broyden))
    #expect(newton.count < broyden.count && broyden.count <= chord.count)
  }

  /// Derivatives of every order and in every mode, whichever method finds the root.
  @Test(arguments: methods) func laws(method: RootMethod) throws {
    let solve = { (w: [Tensor]) in
      try root(
        { x in matmul(w[0], x) + w[1] * tanh(x) + 0.1 * x * x * x - w[2] }, guess: Tensor.zeros([3]),
        options: .init(method: method, tolerance: 1e-14))
    }
    let point: [Tensor] = [[[3, 1, -0.5], [0.3, 2.5, 1], [-1, 0.2, 4]], [0.5, -0.2, 0.3], [1, -2, 3]]
    #expect(try GradientLaws(tolerance: 1e-7, step: 1e-2).violations(of: solve, at: point) == [])
  }
  /// Against the traced rule of the lower module and the formula for −F_x⁻¹ F_w.
  @Test func formula() throws {
    let w: Tensor = [0.3, -0.2, 0.5]
    let residual = { (x: Tensor, w: Tensor) in x + 0.2 * sin(matmul(outer(w, w), x)) - exp(w) }
    let solve = { (w: Tensor) in try root({ x in residual(x, w) }, guess: Tensor.zeros([3])) }
    let x = try solve(w)
    let fx = try jacobian { (x: Tensor) in residual(x, w) }(x)
    let fw = try jacobian { (w: Tensor) in residual(x, w) }(w)
    let derivative = try jacobian(solve)(w)
    #expect(distance(matmul(fx, derivative), -fw) < 1e-13)
    #expect(abs(derivative).max().scalar > 1)
  }

  /// On Brown's almost linear function full steps of Newton's method go to where its last equation is larger than the others by 10³⁰, and come
  /// back.
  @Test(arguments: methods + [.newton(lineSearch: false)]) func equationsOfDifferentSizes(method: RootMethod)
    throws
  {
    let report = try rootWithReport(
      { x in concatenate([x[0..<9] + x.sum() - 11.0, (x.product() - 1.0).reshaped([1])]) },
      guess: Tensor(repeating: 0.5, shape: [10]), options: .init(method: method))
    #expect(try report.solverStatus() == .converged)
    #expect(report.measure.scalar < 1e-12)
  }

  @Test func batches() throws {
    // Elements need different numbers of iterations, and have both roots.
    let w: Tensor = [0.01, 1, 50, 4, 1e4]
    let guesses: Tensor = [1, -1, 1, -30, 7]
    let x = { (p: [Tensor]) in try root({ x in x * x - p[0] }, guess: p[1]) }
    let batched = try vmap(x)([w, guesses])
    let expected: Tensor = [0.1, -1, 50.0.squareRoot().tensor, -2, 100]
    #expect(distance(batched, expected) < 1e-10)
    let slopes = try vmap(grad(x))([w, guesses])
    #expect(distance(slopes[0], 0.5 / expected) < 1e-10)
    #expect(slopes[1].values.allSatisfy { $0 == 0 })
    // Two axes, and parameters that all share.
    let grid = try vmap(
      vmap({ (p: [Tensor]) in try root({ x in x * x * x + x - p[0] * p[1] }, guess: 0.0) }))(
        [Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3]), Tensor.ones([2, 3])])
    #expect(grid.shape == [2, 3])
    for (x, w) in zip(grid.values, [1.0, 2, 3, 4, 5, 6]) { #expect(abs(x * x * x + x - w) < 1e-11) }
    let report = try vmap { (w: Tensor) in try rootWithReport({ x in x * x - w }, guess: 1.0) }([4, -1, 0, 9])
    let statuses = report.status.values.map { SolverStatus(rawValue: Int32($0)) }
    #expect(statuses[0] == .converged && statuses[3] == .converged)
    #expect(statuses[1] == .stalled && statuses[2] == .degenerate)
    #expect(tensorError { _ = try report.solverStatus() } != nil)
  }

  /// The guess has a derivative that is exactly zero, in forward and reverse mode and in a compiled function.
  @Test func guessHasNoDerivative() throws {
    let x = { (p: [Tensor]) in try root({ x in x * x * x - p[0] }, guess: p[1]) }
    let gradient = try grad(x)([8.0, 3.0])
    #expect(gradient[1].scalar == 0 && abs(gradient[0].scalar - 1.0 / 12) < 1e-14)
    #expect(try jvp(x, at: [8.0, 3.0], along: [0.0, 1.0]).tangent.scalar == 0)
    #expect(try jit(grad(x))([8.0, 3.0])[1].scalar == 0)
    let second = try hessian { (p: Tensor) in try x([p[0], p[1]]) }([8, 3])
    #expect(abs(second[0, 0].scalar + 1.0 / 144) < 1e-13)
    #expect(second[0, 1].scalar == 0 && second[1, 0].scalar == 0 && second[1, 1].scalar == 0)
  }

  @Test func singlePrecision() throws {
    let w = Tensor([2.0, 3.0]).converted(to: .float32)
    let solve = { (w: Tensor) in
      try root({ x in x * x - w }, guess: Tensor.ones([2], type: .float32))
    }
    let (value, slope) = (try solve(w), try grad { w in try solve(w).sum() }(w))
    #expect(value.elementType == .float32 && slope.elementType == .float32)
    #expect(distance(value.converted(to: .float64), [1.414_213_56, 1.732_050_81]) < 1e-6)
    #expect(distance(slope.converted(to: .float64), [0.353_553_39, 0.288_675_13]) < 1e-6)
  }

  @Test func emptySystem() throws {
    let x = try root({ x in x * x }, guess: Tensor.zeros([0]))
    #expect(x.shape == [0])
    #expect(
      try grad { (w: Tensor) in try root({ x in x - w }, guess: Tensor.zeros([0])).sum() }(Tensor.zeros([0]))
        .count == 0)
  }

  /// Without a line search Newton's method cycles on x³ − 2x + 2 from 0; the search breaks the cycle.
  @Test func lineSearch() throws {
    let cubic = { (x: Tensor) in x * x * x - 2.0 * x + 2.0 }
    let plain = try rootWithReport(cubic, guess: 0.0, options: .init(method: .newton(lineSearch: false)))
    #expect(try plain.solverStatus() == .iterationLimit)
    // The arctangent beyond 1.39 makes plain steps grow.
    let arc = try rootWithReport(
      { x in atan(x) }, guess: 2.0, options: .init(method: .newton(lineSearch: false)))
    #expect(try arc.solverStatus() != .converged)
    for method in [RootMethod.newton(), .chord, .broyden, .dogleg, .levenbergMarquardt] {
      let report = try rootWithReport(
        { x in atan(x) }, guess: 2.0, options: .init(method: method), traceLength: 20)
      #expect(try report.solverStatus() == .converged)
      #expect(abs(report.solution.scalar) < 1e-12)
      let trace = report.trace.values
      #expect(zip(trace, trace.dropFirst()).allSatisfy { $0 >= $1 }, "\(trace)")
    }
  }
}

extension Double {
  fileprivate var tensor: Tensor { Tensor(self) }
}
