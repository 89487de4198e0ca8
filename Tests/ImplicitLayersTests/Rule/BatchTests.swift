import Autodiff
import ImplicitLayers
import TestSupport
import Testing

/// Batches of solves: the worlds share compiled functions and are divided among threads, and give what each gives alone.
@Suite struct BatchTests {
  /// A layer of one world's parameters: three numbers of its own, and a matrix that all share.
  struct Layer: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var report: @Sendable (_ w: Tensor, _ control: SolveControl) throws -> ImplicitSolution<Tensor>
    func callAsFunction(_ w: Tensor) throws -> Tensor { try report(w, SolveControl()).solution }
  }
  private static let matrix = Tensor([4, 1, 0.5, 0.3, 5, 0.2, 0.1, 0.7, 3], shape: [3, 3])

  @Sendable private static func residual(_ x: Tensor, _ w: Tensor) -> Tensor {
    x * x * x * w + matmul(matrix, x) - w * 3.0
  }
  private static func objective(_ x: Tensor, _ w: Tensor) -> Tensor {
    (exp(x * w) - x * 2.0).sum() + 0.1 * (x * matmul(matrix, x)).sum()
  }

  static let layers: [Layer] =
    [
      RootMethod.automatic, .newton(), .newton(lineSearch: false), .chord, .broyden, .dogleg,
      .levenbergMarquardt,
    ]
    .map { method in
      Layer(testDescription: "root, \(method)") { w, control in
        try rootWithReport(
          { x in residual(x, w) }, guess: Tensor.ones([3]),
          options: RootOptions(method: method, control: control), traceLength: 5)
      }
    }
    + [JacobianStructure.sparse, .matrixFree].map { structure in
      Layer(testDescription: "root, \(structure)") { w, control in
        try rootWithReport(
          { x in residual(x, w) }, guess: Tensor.ones([3]),
          options: RootOptions(method: .newton(), jacobian: structure, control: control), traceLength: 5)
      }
    }
    + [
      Layer(testDescription: "root, bounds") { w, control in
        try rootWithReport(
          { x in residual(x, w) }, guess: Tensor.ones([3]), lower: -w, upper: w + 1.0,
          options: RootOptions(control: control), traceLength: 5)
      }
    ]
    + [LeastSquaresMethod.levenbergMarquardt, .dogleg, .gaussNewton].map { method in
      Layer(testDescription: "least squares, \(method)") { w, control in
        try nonlinearLeastSquaresWithReport(
          { x in concatenate([residual(x, w), x * 0.1]) }, guess: Tensor.ones([3]),
          options: LeastSquaresOptions(method: method, control: control), traceLength: 5)
      }
    }
    + [
      Layer(testDescription: "least squares, robust and bounded") { w, control in
        try nonlinearLeastSquaresWithReport(
          { x in concatenate([residual(x, w), x * 0.1]) }, guess: Tensor.ones([3]), lower: Tensor.zeros([3]),
          options: LeastSquaresOptions(loss: .cauchy(scale: 2), control: control), traceLength: 5)
      },
      Layer(testDescription: "least squares, sparse") { w, control in
        try nonlinearLeastSquaresWithReport(
          { x in concatenate([residual(x, w), x * 0.1]) }, guess: Tensor.ones([3]),
          options: LeastSquaresOptions(jacobian: .sparse, control: control), traceLength: 5)
      },
    ]
    + [
      ("automatic", MinimizationMethod.automatic), ("bfgs", .bfgs), ("L-BFGS", .limitedMemoryBFGS()),
      ("L-BFGS-B", .boundedBFGS()), ("conjugate gradients", .conjugateGradients()),
      ("Newton", .newtonConjugateGradients), ("truncated region", .trustRegionConjugateGradients),
      ("descent", .gradientDescent(stepSize: 0.1, momentum: 0.3)),
    ].map { name, method in
      Layer(testDescription: "minimize, \(name)") { w, control in
        try minimizeWithReport(
          { x in objective(x, w) }, guess: Tensor.ones([3]),
          options: MinimizationOptions(method: method, control: control), traceLength: 5)
      }
    }
    + [("picard", FixedPointMethod.picard()), ("anderson", .anderson())].map { name, method in
      Layer(testDescription: "fixed point, \(name)") { w, control in
        try fixedPointWithReport(
          { y in tanh(matmul(matrix, y) * 0.1 + w) }, guess: Tensor.zeros([3]),
          options: FixedPointOptions(method: method, tolerance: 1e-13, control: control), traceLength: 5)
      }
    }
    + [
      Layer(testDescription: "brackets") { w, control in
        try bracketedRootWithReport(
          { x in x * x * x * w + x - w * 3.0 }, lower: Tensor.zeros([3]), upper: Tensor.ones([3]) * 5.0,
          options: BracketOptions(control: control))
      }
    ]

  /// Parameters of so many worlds; some are easy and some need more steps.
  private static func worlds(_ count: Int) -> Tensor {
    var random = SeededRandom(seed: 5)
    return Tensor((0..<count * 3).map { _ in random.uniform(0.2, 2) }, shape: [count, 3])
  }

  /// Every number of every result has the bits that the world has alone, on several threads and on one.
  @Test(arguments: layers) func singles(_ layer: Layer) throws {
    let w = Self.worlds(37)
    let control = SolveControl(maximumIterations: 500)
    // A monitor is called in the order of the worlds, on one thread.
    let serial = SolveControl(maximumIterations: 500, monitor: { _ in true })
    let batch = try vmap { (w: Tensor) in try layer.report(w, control) }(w)
    let ordered = try vmap { (w: Tensor) in try layer.report(w, serial) }(w)
    let compiled = try jit(vmap { (w: Tensor) in try layer.report(w, control) })(w)
    let isBracket = layer.testDescription == "brackets"
    for k in 0..<37 {
      // The same program for a batch of one; numbers that are no batch are constants of another program, which rounds in its own way.
      let alone = try vmap { (w: Tensor) in try layer.report(w, control) }(w[k..<k + 1])
      let constant = try layer.report(w[k], control)
      for others in [batch, ordered, compiled] {
        #expect(distance(others.solution[k], constant.solution) < 1e-6)
        // Equations in brackets share their iterations with the whole batch.
        for (mine, single) in zip(others.leaves, alone.leaves).prefix(isBracket ? 1 : 8) {
          #expect(mine[k].values == single[0].values)
        }
      }
    }
    #expect(batch.status.values.allSatisfy { $0 == 0 })
    if !isBracket { #expect(Set(batch.iterations.values).count > 1) }
  }

  /// First derivatives in both modes and second ones, of the batch and of each world.
  @Test(arguments: layers) func derivatives(_ layer: Layer) throws {
    let count = 9
    let w = Self.worlds(count)
    let control = SolveControl(maximumIterations: 5000)
    let solve = { (w: Tensor) in try layer.report(w, control).solution }
    let loss = { (w: Tensor) in try square(solve(w) + w).sum() }
    let total = { (w: Tensor) in try vmap(loss)(w).sum() }
    let direction = Self.worlds(count + 1)[1...]
    let outer = try grad(total)(w)
    let inner = try vmap(grad(loss))(w)
    let compiled = try jit(grad(total))(w)
    let tangent = try jvp(vmap(solve), at: w, along: direction).tangent
    let curved = try jit { (w: Tensor) in try hvp(total, at: w, along: direction) }(w)
    for k in 0..<count {
      let gradient = try grad(loss)(w[k])
      #expect(abs(gradient).max().scalar > 0.1)
      for others in [outer, inner, compiled] {
        #expect(isNear(others[k], gradient, relative: 1e-9, absolute: 1e-9))
      }
      let alone = try jvp(solve, at: w[k], along: direction[k]).tangent
      #expect(isNear(tangent[k], alone, relative: 1e-9, absolute: 1e-9))
      let second = try hvp(loss, at: w[k], along: direction[k])
      #expect(abs(second).max().scalar > 0.01)
      #expect(isNear(curved[k], second, relative: 1e-7, absolute: 1e-7))
    }
  }

  /// The first world without a solution is named, however many there are and whichever thread meets one first.
  @Test(arguments: [2, 8, 64, 500]) func failures(count: Int) throws {
    for first in [0, count / 2, count - 1] {
      let w = Tensor((0..<count).map { (k: Int) -> Double in k < first ? 1 + Double(k) : -1 - Double(k) })
      func error(_ solve: @escaping (Tensor) throws -> Tensor) -> TensorError? {
        tensorError { _ = try vmap(solve)(w) }
      }
      for error in [
        error { w in try root({ x in x * x - w }, guess: 1.0) },
        error { w in try nonlinearLeastSquares({ x in x - sqrt(w) }, guess: 1.0) },
        error { w in try minimize({ x in w * x * x }, guess: 1.0) },
        error { w in try fixedPoint({ y in sqrt(w) + 0.5 * tanh(y) }, guess: 1.0) },
        error { w in try bracketedRoot({ x in x * x - w }, lower: 0.0, upper: 1e3) },
        error { w in try implicitRoot({ x, w in x - w }, guess: w, parameters: w) { _, w in sqrt(w) } },
      ] {
        #expect(
          error?.message.contains("element \(first) of the batch: ") == true, "\(String(describing: error))")
      }
    }
  }

  /// Arguments that one world has wrong are named with it; options that no world can be solved with are not.
  @Test func arguments() throws {
    func error(_ values: [Double], _ solve: @escaping (Tensor) throws -> Tensor) -> String {
      tensorError { _ = try vmap(solve)(Tensor(values)) }?.message ?? "none"
    }
    var values = [Double](repeating: 3, count: 64)
    values[40] = -1
    let messages = [
      error(values) { b in try minimize({ x in square(x - 5.0) }, guess: 0.5, lower: 0.0, upper: b) },
      error(values) { b in
        try bracketedRoot({ x in x - [1.0, 1] }, lower: Tensor([0.0, 0]), upper: stack([3.0, b])).sum()
      },
      error(values) { b in
        try fixedPoint(
          { y in 0.5 * cos(y) }, guess: 0.0,
          options: .init(method: .picard(damping: select(b .> 0.0, Tensor(0.5), Tensor(0.0)))))
      },
      error(values) { g in try root({ x in x * x - 4.0 }, guess: g / (g + 1.0)) },
    ]
    for message in messages { #expect(message.contains("element 40 of the batch"), "\(message)") }
    #expect(messages[1].contains("equation 1,"))
    let options = error(values) { w in
      try root({ x in x - w }, guess: 1.0, options: .init(method: .broyden, jacobian: .sparse))
    }
    #expect(options.contains("dense Jacobian") && !options.contains("element"), "\(options)")
  }

  /// With reports failures are statuses of their worlds.
  @Test func statuses() throws {
    let kinds: [Double] = [1, -1, .nan, 0, 16]
    let values: [Double] = (0..<100).map { (k: Int) -> Double in kinds[k % 5] + (k % 5 == 4 ? Double(k) : 0) }
    let w = Tensor(values)
    let report = try vmap { (w: Tensor) in try rootWithReport({ x in x * x - w }, guess: 3.0) }(w)
    for k in 0..<100 {
      let alone = try rootWithReport({ x in x * x - w[k] }, guess: 3.0)
      #expect(report.status[k].scalar == alone.status.scalar)
      let expected: SolverStatus = [.converged, .stalled, .nonFinite, .degenerate, .converged][k % 5]
      #expect(try alone.solverStatus() == expected)
    }
    #expect(Set(report.iterations.values).count > 3)
  }

  /// One world at which the Jacobian is singular: its derivative is refused by name, those of the others are taken.
  @Test func singularWorld() throws {
    let w = Tensor((0..<40).map { (k: Int) -> Double in k == 23 ? 0 : 1 + Double(k) })
    let solve = { (w: Tensor) in try root({ x in x * x - w }, guess: 1.0) }
    let error = tensorError { _ = try vmap(grad(solve))(w) }
    #expect(error?.reason == .singular && error?.message.contains("element 23 of the batch") == true)
    let outer = tensorError { _ = try grad { (w: Tensor) in try vmap(solve)(w).sum() }(w) }
    #expect(outer?.reason == .singular && outer?.message.contains("element 23 of the batch") == true)
    let regular = try vmap(grad(solve))(w[24...])
    #expect(distance(regular, 0.5 / sqrt(w[24...])) < 1e-12)
    // A matrix that is exactly singular in one world, for a fit as well as for a root.
    let zero = Tensor((0..<20).map { (k: Int) -> Double in k == 7 ? 0 : 2 })
    let fit = tensorError {
      _ = try vmap(
        grad { (w: Tensor) in try minimize({ x in (w * square(x - w)).sum() }, guess: Tensor.zeros([2])).sum()
        })(
          zero)
    }
    #expect(
      fit?.reason == .singular && fit?.message.contains("7 of the batch") == true,
      "\(String(describing: fit))")
  }

  @Test func emptyAndSingleBatches() throws {
    let solve = { (w: Tensor) in try root({ x in x * x - w }, guess: 1.0) }
    let none = try vmap(solve)(Tensor.zeros([0]))
    #expect(none.shape == [0])
    #expect(try vmap(grad(solve))(Tensor.zeros([0])).shape == [0])
    #expect(try vmap(solve)(Tensor([9.0])).values == [3])
    // Worlds without unknowns.
    let empty = try vmap { (w: Tensor) in try root({ x in x * w }, guess: Tensor.zeros([0])) }(
      Tensor.ones([64]))
    #expect(empty.shape == [64, 0])
    // Nothing of the problem is batched but the guess.
    let guesses = try vmap { (x: Tensor) in try root({ x in x * x - 4.0 }, guess: x) }([1, -1, 9, -30])
    #expect(distance(guesses, [2, -2, 2, -2]) < 1e-12)
  }

  /// Single precision, several tensors of unknowns, integers that the residual captures.
  @Test func mixedTypes() throws {
    let w = Self.worlds(33)
    let powers = Tensor((0..<33).map { Int32(1 + $0 % 3) })
    let solve = { (p: [Tensor]) throws -> [Tensor] in
      try root(
        { (x: [Tensor]) in
          [
            x[0] + 0.1 * x[1].sum().converted(to: .float32) - p[0][0].converted(to: .float32),
            x[1] * p[1].converted(to: .float64) + 0.1 * x[0].converted(to: .float64) - p[0],
          ]
        }, guess: [Tensor(0.0).converted(to: .float32), Tensor.zeros([3])])
    }
    let batch = try vmap(solve)([w, powers])
    #expect(batch[0].elementType == .float32 && batch[1].elementType == .float64)
    for k in 0..<33 {
      let alone = try solve([w[k], powers[k]])
      #expect(batch[0][k].values == alone[0].values && batch[1][k].values == alone[1].values)
    }
  }

  /// Operations that must give finite numbers are checked inside of batches too.
  @Test func finiteChecks() throws {
    let error = tensorError {
      _ = try withFiniteChecks {
        try vmap { (w: Tensor) in try root({ x in x + log(w) }, guess: 1.0) }(
          Tensor((0..<64).map { Double($0) }))
      }
    }
    #expect(error?.reason == .nonFinite, "\(String(describing: error))")
  }

  /// A mistake inside of another solver that worlds call on other threads is thrown.
  @Test func nestedMistakes() throws {
    let inner: @Sendable (Tensor, [Tensor]) -> Tensor = { _, p in
      // Shapes that do not fit, in one world.
      if p[1].scalar == 40 { return Tensor([1.0, 2]) + Tensor([1.0, 2, 3]) }
      return p[0] * p[1]
    }
    let residual = { (x: Tensor, w: Tensor) throws -> Tensor in
      let y = try implicitRoot({ y, p in y - p[0] * p[1] }, guess: x, parameters: [x, w], solve: inner)
      return y - 1.0
    }
    let solve = { (w: Tensor) throws -> Tensor in try root({ x in try residual(x, w) }, guess: 0.5) }
    let error = tensorError { _ = try vmap(solve)(Tensor((1...64).map { Double($0) })) }
    #expect(error != nil)
    #expect(error?.message.contains("element 39 of the batch") == true, "\(String(describing: error))")
  }

  @Test func cancellation() async throws {
    // A cancelled object stops all worlds.
    let cancellation = SolveCancellation()
    cancellation.cancel()
    let solve = { (w: Tensor) in
      try rootWithReport(
        { x in x * x - w }, guess: 1.0,
        options: RootOptions(control: SolveControl(cancellation: cancellation)))
    }
    let statuses = try vmap(solve)(Tensor.ones([200]) * 7.0).status
    #expect(statuses.values.allSatisfy { $0 == Double(SolverStatus.cancelled.rawValue) })
    // So does a task that is cancelled, whichever thread solves.
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try vmap { (w: Tensor) in try rootWithReport({ x in x * x - w }, guess: 1.0) }(
        Tensor.ones([200]) * 7.0
      ).status.values
    }
    #expect(try await task.value.allSatisfy { $0 == Double(SolverStatus.cancelled.rawValue) })
    // A later call of the same compiled function is not.
    let compiled = jit(vmap { (w: Tensor) in try root({ x in x * x - w }, guess: 1.0) })
    let stopped = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return tensorError { _ = try compiled(Tensor.ones([200]) * 4.0) }
    }
    #expect(await stopped.value?.message.contains("element 0 of the batch: cancelled") == true)
    #expect(try compiled(Tensor.ones([200]) * 4.0).values.allSatisfy { abs($0 - 2) < 1e-12 })
  }

  /// Many tasks call one compiled batch at the same time.
  @Test func concurrentCalls() async throws {
    let compiled = jit(vmap { (w: Tensor) in try root({ x in x * x * x + x - w }, guess: 1.0) })
    let expected = try compiled(Tensor((0..<100).map { Double($0) })).values
    await withTaskGroup(of: [Double]?.self) { group in
      for _ in 0..<16 {
        group.addTask { try? compiled(Tensor((0..<100).map { Double($0) })).values }
      }
      for await found in group { #expect(found == expected) }
    }
  }
}
