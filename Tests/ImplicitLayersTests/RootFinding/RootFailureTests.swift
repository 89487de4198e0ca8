import Autodiff
import ImplicitLayers
import TestSupport
import Testing

/// Every way in which a solve ends, as an error and as a report.
@Suite struct RootFailureTests {
  static let methods: [RootMethod] = [.automatic, .newton(), .chord, .broyden, .dogleg, .levenbergMarquardt]
  /// Freudenstein and Roth's system, whose ‖F‖ has a minimum of 6.99887 at (11.4128, −0.896805).
  static func freudensteinRoth(_ x: Tensor) -> Tensor {
    let (a, b) = (x[0], x[1])
    return stack([
      a - 13.0 + ((5.0 - b) * b - 2.0) * b, a - 29.0 + ((b + 1.0) * b - 14.0) * b,
    ])
  }
  private func end(
    _ method: RootMethod, _ residual: @escaping @Sendable (Tensor) -> Tensor, _ guess: Tensor,
    control: SolveControl = SolveControl()
  ) throws -> (error: ImplicitLayerError?, report: ImplicitSolution<Tensor>) {
    let options = RootOptions(method: method, control: control)
    return (
      layerError { _ = try root({ x in residual(x) }, guess: guess, options: options) },
      try rootWithReport({ x in residual(x) }, guess: guess, options: options, traceLength: 50)
    )
  }

  @Test(arguments: methods) func stalled(method: RootMethod) throws {
    let (error, report) = try end(method, Self.freudensteinRoth, [0.5, -2])
    let status = try report.solverStatus()
    // All end in the minimum of the norm, or creep towards it.
    #expect(status == .stalled || status == .iterationLimit)
    #expect(error?.status == status)
    #expect(error?.description.contains("root") == true)
    #expect(sqrt(square(Self.freudensteinRoth(report.solution)).sum()).scalar < 9)
    // From the other side the root (5, 4) is found.
    #expect(
      distance(
        try root({ x in Self.freudensteinRoth(x) }, guess: [6, 5], options: .init(method: method)), [5, 4])
        < 1e-10)
  }
  @Test(arguments: methods) func noRoot(method: RootMethod) throws {
    let (error, report) = try end(method, { x in x * x + 1.0 }, [3])
    #expect(error?.status == .stalled || error?.status == .iterationLimit)
    // The best point is near the minimum of |F|.
    #expect(abs(report.solution[0].scalar) < 1e-2)
    #expect(abs(report.measure.scalar - 1) < 1e-4)
  }
  @Test(arguments: methods) func iterationLimit(method: RootMethod) throws {
    let start = Tensor(repeating: -1, shape: [50])
    let (error, report) = try end(method, tridiagonal, start, control: .init(maximumIterations: 2))
    #expect(error?.status == .iterationLimit)
    #expect(try report.solverStatus() == .iterationLimit)
    #expect(report.iterations.scalar == 2)
    // The best point so far, and how it was approached.
    let trace = report.trace.values
    #expect(trace[0] == abs(tridiagonal(start)).max().scalar)
    #expect(trace[2] < trace[0] && report.measure.scalar == trace.prefix(3).min())
    #expect(abs(abs(tridiagonal(report.solution)).max().scalar - report.measure.scalar) < 1e-13)
    #expect(report.evaluations.scalar >= 3)
    // The limit of zero is the first point.
    let none = try end(method, tridiagonal, start, control: .init(maximumIterations: 0))
    #expect(none.report.solution.values == start.values)
  }
  @Test(arguments: methods) func nonFinite(method: RootMethod) throws {
    let (error, report) = try end(method, { x in log(x) + 1.0 }, [-1])
    #expect(error?.status == .nonFinite)
    #expect(try report.solverStatus() == .nonFinite)
    #expect(report.solution.values == [-1])
    // A step into the region where the residual is not defined is shortened.
    let x = try root({ x in log(x) + 3.0 }, guess: [2], options: .init(method: method))
    #expect(abs(x[0].scalar - 0.049_787_068_367_863_944) < 1e-12)
    // A Jacobian that is not finite.
    let slope = try end(method, { x in sqrt(x) - 1.0 }, [0])
    #expect(slope.error?.status == .nonFinite || slope.error?.status == .stalled)
  }
  @Test(arguments: methods) func cancelled(method: RootMethod) throws {
    let start = Tensor(repeating: -1, shape: [50])
    let monitor = SolveControl(monitor: { $0.iteration < 2 })
    let (error, report) = try end(method, tridiagonal, start, control: monitor)
    #expect(error?.status == .cancelled && report.iterations.scalar == 2)
    #expect(report.measure.scalar < abs(tridiagonal(start)).max().scalar)
    let cancellation = SolveCancellation()
    #expect(!cancellation.isCancelled)
    let stopping = SolveControl(
      cancellation: cancellation,
      monitor: {
        if $0.iteration == 1 { cancellation.cancel() }
        return true
      })
    let stopped = try rootWithReport(
      { x in tridiagonal(x) }, guess: start, options: .init(method: method, control: stopping))
    #expect(try stopped.solverStatus() == .cancelled)
    #expect(stopped.iterations.scalar <= 2)
    #expect(cancellation.isCancelled)
  }
  /// A cancelled task ends its solves.
  @Test func cancelledTask() async throws {
    let task = Task { () -> SolverStatus? in
      while !Task.isCancelled { await Task.yield() }
      return layerError { _ = try root({ x in x * x - 2.0 }, guess: Tensor(1.0)) }?.status
    }
    task.cancel()
    #expect(await task.value == .cancelled)
  }

  /// The Jacobian is singular on the way, at a regular point of the problem: 1 + x² … at 0, and rank one in two dimensions.
  @Test(arguments: methods) func singularOnTheWay(method: RootMethod) throws {
    let report = try rootWithReport(
      { x in stack([x[0] * x[0] + x[1] - 2.0, x[0] + x[1] * x[1] - 2.0]) }, guess: [0.5, 0.5],
      options: .init(method: method))
    #expect(try report.solverStatus() == .converged)
    #expect(distance(report.solution, [1, 1]) < 1e-10)
  }
  /// The Jacobian is singular at the root: Powell's function. The solve may end, its derivative is refused.
  @Test(arguments: methods) func singularAtRoot(method: RootMethod) throws {
    let powell = { @Sendable (x: Tensor) in
      stack([
        x[0] + 10.0 * x[1], 5.0.squareRoot() * (x[2] - x[3]), square(x[1] - 2.0 * x[2]),
        10.0.squareRoot() * square(x[0] - x[3]),
      ])
    }
    let report = try rootWithReport({ x in powell(x) }, guess: [3, -1, 0, 1], options: .init(method: method))
    #expect(try report.solverStatus() == .degenerate)
    #expect(abs(report.solution).max().scalar < 1e-4)
    let reason = tensorError {
      _ = try grad { (w: Tensor) in
        try root({ x in powell(x) + w }, guess: [3, -1, 0, 1], options: .init(method: method)).sum()
      }(Tensor.zeros([4]))
    }?.reason
    #expect(reason == .singular || reason == .nearlySingular)
  }
  /// The derivative of a report that failed is refused; its numbers are not.
  @Test func derivativesOfFailures() throws {
    let solve = { (w: Tensor) in
      try rootWithReport(
        { x in x * x - w }, guess: Tensor(1.0), options: .init(control: .init(maximumIterations: 1)))
    }
    #expect(try jit { w in try solve(w).solution }(9.0).scalar.isFinite)
    let error = tensorError { _ = try grad { w in try solve(w).solution }(9.0) }
    #expect(error?.reason == .notConverged)
    #expect(error?.message.contains("iterations allowed") == true)
    let enough = try grad { (w: Tensor) in try rootWithReport({ x in x * x - w }, guess: Tensor(1.0)).solution
    }(9.0)
    #expect(abs(enough.scalar - 1.0 / 6) < 1e-13)
    // Without the check of the point too.
    let unchecked = ImplicitDifferentiation(checksSolution: false)
    let second = tensorError {
      _ = try grad { (w: Tensor) in
        try rootWithReport(
          { x in x * x - w }, guess: Tensor(1.0),
          options: .init(control: .init(maximumIterations: 1), differentiation: unchecked)
        ).solution
      }(9.0)
    }
    #expect(second?.reason == .notConverged)
    // An element of a batch is named.
    let batch = tensorError {
      _ = try vmap(
        grad { (w: Tensor) in try rootWithReport({ x in x * x - w }, guess: Tensor(1.0)).solution })([4, -1])
    }
    #expect(batch?.reason == .notConverged && batch?.message.contains("element 1 of the batch") == true)
  }

  @Test func shapes() throws {
    func isShape(_ body: () throws -> Void) -> Bool {
      if case .shape = layerError(body) { return true }
      return false
    }
    #expect(isShape { _ = try root({ x in x.sum() }, guess: Tensor([1.0, 2])) })
    #expect(isShape { _ = try root({ x in concatenate([x, x]) }, guess: Tensor([1.0, 2])) })
    #expect(isShape { _ = try root({ x in x.converted(to: .float32) }, guess: Tensor([1.0, 2])) })
    #expect(isShape { _ = try root({ x in x }, guess: Tensor([Int32(1)])) })
    #expect(isShape { _ = try root({ x in x - 1.0 }, guess: Tensor([1.0, 2]), lower: [1, 2, 3]) })
    #expect(isShape { _ = try root({ x in x - 1.0 }, guess: Tensor([1.0, 2]), upper: 3.0) })
    // A mistake inside of the residual.
    #expect(
      tensorError { _ = try root({ x in x + Tensor([1.0, 2, 3]) }, guess: Tensor([1.0, 2])) }?.reason
        == .shape)
    struct Wrong: Error {}
    #expect(throws: Wrong.self) { try root({ (_: Tensor) in throw Wrong() }, guess: Tensor([1.0, 2])) }
  }

  /// An equation of small numbers is not solved by a first guess whose residual is below the tolerance.
  @Test(arguments: methods + [.newton(lineSearch: false)], [1e-13, 1e-20, 1e-60])
  func smallEquations(method: RootMethod, scale: Double) throws {
    let roots = Tensor([2, 3].map { (square: Double) in square.squareRoot() })
    let report = try rootWithReport(
      { x in scale * (x * x - Tensor([2.0, 3])) }, guess: Tensor([1.0, 1]), options: .init(method: method))
    #expect(try report.solverStatus() == .converged)
    #expect(distance(report.solution, roots) < 1e-7)
    // A guess that is the root takes no step.
    let again = try rootWithReport(
      { x in scale * (x * x - Tensor([2.0, 3])) }, guess: report.solution, options: .init(method: method))
    #expect(try again.solverStatus() == .converged)
    #expect(distance(again.solution, report.solution) < 1e-7)
    let near = try rootWithReport(
      { x in x * x - Tensor([2.0, 3]) }, guess: roots,
      options: .init(method: method))
    #expect(near.iterations.scalar == 0 && near.measure.scalar > 0)
    // Nothing better is to be had: the first guess stands, as its residual is within the tolerance.
    let none = try rootWithReport(
      { x in scale * (x * x + 1.0) }, guess: Tensor([1.0, 1]), options: .init(method: method))
    #expect(none.measure.scalar <= 2 * scale)
    let isFinite = none.solution.values.allSatisfy { $0.isFinite }
    #expect(isFinite)
  }
}
