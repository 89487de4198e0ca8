import Autodiff
import Foundation
import ImplicitLayers
import Testing

/// Each way to fail is an error of its own, and a status where a report is asked for.
@Suite struct MinimizationFailureTests {
  private static let methods: [(String, @Sendable () -> MinimizationMethod)] = [
    ("gradient descent", { .gradientDescent() }), ("Hager–Zhang", { .conjugateGradients() }),
    ("BFGS", { .bfgs }), ("L-BFGS", { .limitedMemoryBFGS() }), ("L-BFGS-B", { .boundedBFGS() }),
    ("Newton-CG", { .newtonConjugateGradients }), ("trust region", { .trustRegion }),
    ("trust region with CG", { .trustRegionConjugateGradients }),
  ]
  private func expectStatus(
    _ status: SolverStatus, _ objective: @escaping (Tensor) throws -> Tensor, _ guess: Tensor,
    _ options: MinimizationOptions, _ name: String = ""
  ) throws {
    let report = try minimizeWithReport(objective, guess: guess, options: options)
    #expect(try report.solverStatus() == status, "\(name)")
    #expect(report.solution.values.allSatisfy { $0.isFinite }, "\(name)")
    do {
      _ = try minimize(objective, guess: guess, options: options)
      Issue.record("\(name): no error")
    } catch let error as ImplicitLayerError {
      if case .notSolved(let found, _) = error {
        #expect(found == status, "\(name)")
      } else {
        Issue.record("\(name): \(error)")
      }
    }
    // Its derivative is an error too.
    #expect(throws: (any Error).self, "\(name)") {
      try grad { (w: Tensor) in
        try minimizeWithReport({ x in w * (try objective(x)) }, guess: guess, options: options).solution.sum()
      }(1.0)
    }
  }

  @Test(arguments: methods.indices) func unbounded(_ k: Int) throws {
    let (name, method) = Self.methods[k]
    // Linear, concave, and cubic.
    let options = MinimizationOptions(method: method())
    try expectStatus(.unbounded, { x in -2 * x[0] + x[1] }, Tensor([0.3, 0.1]), options, "\(name), linear")
    try expectStatus(
      .unbounded, { x in square(x[0]) - square(x[1]) }, Tensor([0.3, 0.1]), options, "\(name), saddle")
    try expectStatus(
      .unbounded, { x in x[0] * x[0] * x[0] + square(x[1]) }, Tensor([-0.3, 0.1]), options, "\(name), cubic")
  }

  @Test(arguments: methods.indices) func notFinite(_ k: Int) throws {
    let (name, method) = Self.methods[k]
    try expectStatus(
      .nonFinite, { x in log(x).sum() }, Tensor([-1.0, 1]), MinimizationOptions(method: method()), name)
  }

  /// A function that is defined for positive unknowns only: steps beyond are shortened.
  @Test(arguments: methods.indices) func stepsStayWhereTheFunctionIsDefined(_ k: Int) throws {
    let (name, method) = Self.methods[k]
    let x = try minimize(
      { x in (x - log(x)).sum() + square(x[0] - x[1]) }, guess: Tensor([4.0, 0.01]),
      options: MinimizationOptions(method: method()))
    #expect(isNear(x, Tensor([1.0, 1]), absolute: 1e-6), "\(name): \(x.values)")
  }

  @Test(arguments: methods.indices) func iterationLimit(_ k: Int) throws {
    let (name, method) = Self.methods[k]
    let rosenbrock = { (x: Tensor) in 100 * square(x[1] - x[0] * x[0]) + square(1 - x[0]) }
    let options = MinimizationOptions(method: method(), control: SolveControl(maximumIterations: 3))
    try expectStatus(.iterationLimit, rosenbrock, Tensor([-1.2, 1]), options, name)
    let report = try minimizeWithReport(
      rosenbrock, guess: Tensor([-1.2, 1]), options: options, traceLength: 6)
    #expect(report.iterations.scalar == 3 && report.value.scalar < 24.2, "\(name)")
    #expect(report.trace.values[3] == report.trace.values[5], "\(name)")
  }

  @Test(arguments: methods.indices) func cancelled(_ k: Int) throws {
    let (name, method) = Self.methods[k]
    let rosenbrock = { (x: Tensor) in 100 * square(x[1] - x[0] * x[0]) + square(1 - x[0]) }
    let control = SolveControl(maximumIterations: 2000, monitor: { $0.iteration < 2 })
    try expectStatus(
      .cancelled, rosenbrock, Tensor([-1.2, 1]), MinimizationOptions(method: method(), control: control), name
    )
    let stop = SolveCancellation()
    stop.cancel()
    try expectStatus(
      .cancelled, rosenbrock, Tensor([-1.2, 1]),
      MinimizationOptions(method: method(), control: SolveControl(cancellation: stop)), name)
  }

  /// Steps that are too long: gradient descent diverges, and returns the best point.
  @Test func divergence() throws {
    let report = try minimizeWithReport(
      { x in square(square(x)).sum() }, guess: Tensor([1.0, -1]),
      options: MinimizationOptions(method: .gradientDescent(stepSize: 1.0)))
    #expect(try report.solverStatus() == .nonFinite)
    #expect(isNear(report.solution, Tensor([1.0, -1])))
  }

  /// A flat minimum has no derivative: an error, a status of the report.
  @Test func singularHessian() throws {
    let solve = { (w: Tensor) throws -> Tensor in
      try minimize({ x in square(square(x - w)).sum() }, guess: Tensor([0.6]))
    }
    #expect(throws: TensorError.self) { try jvp(solve, at: Tensor([0.2]), along: Tensor([1.0])) }
    let report = try minimizeWithReport({ x in square(x[0] - x[1]) }, guess: Tensor([0.6, 0.1]))
    #expect(try report.solverStatus() == .degenerate)
  }

  @Test func mistakes() throws {
    let objective = { (x: Tensor) in square(x).sum() }
    #expect(throws: ImplicitLayerError.self) { try minimize({ (x: Tensor) in x }, guess: Tensor([1.0, 2])) }
    #expect(throws: ImplicitLayerError.self) {
      try minimize(objective, guess: Tensor([Int32(1), 2]))
    }
    for search in [
      LineSearch.armijo(decrease: 0), .armijo(decrease: 1), .strongWolfe(decrease: 0.5, curvature: 0.1),
    ] {
      #expect(throws: ImplicitLayerError.self) {
        try minimize(objective, guess: Tensor([1.0]), options: MinimizationOptions(lineSearch: search))
      }
    }
    #expect(throws: ImplicitLayerError.self) {
      try minimize(
        objective, guess: Tensor([1.0]), options: MinimizationOptions(method: .limitedMemoryBFGS(memory: 0)))
    }
    #expect(throws: ImplicitLayerError.self) {
      try minimize(
        objective, guess: Tensor([1.0]),
        options: MinimizationOptions(method: .gradientDescent(stepSize: Tensor.zeros([2, 2]))))
    }
  }

  /// Line searches and directions combine: each pair solves Rosenbrock's problem.
  @Test(arguments: [
    LineSearch.armijo(), .strongWolfe(), .strongWolfe(curvature: 0.1),
    .strongWolfe(decrease: 0.01, curvature: 0.5),
  ]) func lineSearches(_ search: LineSearch) throws {
    for (name, method) in Self.methods where !name.hasPrefix("trust") {
      let report = try minimizeWithReport(
        { x in 100 * square(x[1] - x[0] * x[0]) + square(1 - x[0]) }, guess: Tensor([-1.2, 1]),
        options: MinimizationOptions(
          method: method(), lineSearch: search, control: SolveControl(maximumIterations: 30000)))
      #expect(try report.solverStatus() == .converged, "\(name), \(search)")
      #expect(isNear(report.solution, Tensor([1.0, 1]), absolute: 1e-5), "\(name), \(search)")
    }
  }
}
