import Autodiff
import Foundation
import ImplicitLayers
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

@Suite struct FixedPointTests {
  static let methods: [FixedPointMethod] = [
    .picard(), .picard(damping: 0.7), .anderson(), .anderson(depth: 2, damping: 0.5),
  ]
  /// A layer tanh(W y + U x + b) of five neurons with ‖W‖ < 1.
  static func parameters() -> [Tensor] {
    var random = SeededRandom(seed: 21)
    return [
      Tensor(random.uniform(-0.35, 0.35, count: 25), shape: [5, 5]),
      Tensor(random.uniform(-1, 1, count: 15), shape: [5, 3]),
      Tensor(random.uniform(-1, 1, count: 5)), Tensor(random.uniform(-1, 1, count: 3)),
    ]
  }
  static func layer(_ options: FixedPointOptions) -> ([Tensor]) throws -> Tensor {
    { p in
      try fixedPoint(
        { y in tanh(matmul(p[0], y) + matmul(p[1], p[3]) + p[2]) }, guess: Tensor.zeros([5]), options: options
      )
    }
  }

  @Test(arguments: methods) func laws(method: FixedPointMethod) throws {
    let layer = Self.layer(.init(method: method, tolerance: 1e-14))
    let y = try layer(Self.parameters())
    let p = Self.parameters()
    #expect(distance(tanh(matmul(p[0], y) + matmul(p[1], p[3]) + p[2]), y) < 1e-14)
    #expect(try GradientLaws(tolerance: 1e-7).violations(of: layer, at: p) == [])
  }
  /// The transposed system by an iteration, which never forms f_y.
  @Test func matrixFree() throws {
    let exact = LinearSolveOptions(method: .gmres(), stopping: StoppingCriterion(relativeTolerance: 1e-14))
    let layer = Self.layer(.init(tolerance: 1e-14, differentiation: .matrixFree(exact)))
    #expect(try GradientLaws(tolerance: 1e-7).violations(of: layer, at: Self.parameters()) == [])
  }
  /// All ways find one point, and one derivative; a root finder too.
  @Test func agreement() throws {
    let p = Self.parameters()
    let weight: Tensor = [1, -2, 0.5, 3, 1]
    let reference = { (p: [Tensor]) in
      try root({ y in tanh(matmul(p[0], y) + matmul(p[1], p[3]) + p[2]) - y }, guess: Tensor.zeros([5]))
    }
    let expected = try grad { (p: [Tensor]) in dot(weight, try reference(p)) }(p)
    for method in Self.methods {
      let layer = Self.layer(.init(method: method, tolerance: 1e-13))
      #expect(distance(try layer(p), try reference(p)) < 1e-12)
      for (a, b) in zip(try grad { (p: [Tensor]) in dot(weight, try layer(p)) }(p), expected) {
        #expect(distance(a, b) < 1e-11)
      }
    }
    for gradient in expected { #expect(abs(gradient).max().scalar > 0.1) }
  }

  /// Anderson's method needs a fraction of Picard's steps on a slow linear map, and with enough memory as many as there are unknowns.
  @Test func acceleration() throws {
    let n = 6
    let diagonal = Tensor((0..<n).map { 0.99 - 0.13 * Double($0) })
    func iterations(_ method: FixedPointMethod) throws -> Double {
      let report = try fixedPointWithReport(
        { y in diagonal * y + 1.0 }, guess: Tensor.zeros([n]),
        options: .init(method: method, control: .init(maximumIterations: 5000)))
      #expect(try report.solverStatus() == .converged)
      #expect(distance(report.solution * (1.0 - diagonal), Tensor.ones([n])) < 1e-8)
      return report.iterations.scalar
    }
    let picard = try iterations(.picard())
    #expect(picard > 1000)
    #expect(try iterations(.anderson(depth: n)) <= Double(n + 4))
    #expect(try iterations(.anderson(depth: 3)) < picard / 20)
  }
  /// Anderson's method finds fixed points at which Picard's iteration is repelled; damping makes Picard's converge too.
  @Test func repelling() throws {
    // f′ = −1.5 at the fixed point.
    let f = { @Sendable (y: Tensor) in 2.5 - 1.5 * y }
    let plain = try fixedPointWithReport({ y in f(y) }, guess: Tensor(0.9), options: .init(method: .picard()))
    #expect(try plain.solverStatus() != .converged)
    for method in [FixedPointMethod.picard(damping: 0.5), .anderson()] {
      #expect(
        abs(try fixedPoint({ y in f(y) }, guess: Tensor(0.9), options: .init(method: method)).scalar - 1)
          < 1e-9)
    }
  }

  @Test func batches() throws {
    let p = Self.parameters()
    let inputs = Tensor((0..<12).map { Double($0) / 6 - 1 }, shape: [4, 3])
    let layer = Self.layer(.init(tolerance: 1e-13))
    let gradient = { (x: Tensor) in try grad { (x: Tensor) in try layer([p[0], p[1], p[2], x]).sum() }(x) }
    let (values, slopes) = (
      try vmap { (x: Tensor) in try layer([p[0], p[1], p[2], x]) }(inputs), try vmap(gradient)(inputs)
    )
    for k in 0..<4 {
      #expect(distance(values[k], try layer([p[0], p[1], p[2], inputs[k]])) < 1e-13)
      #expect(distance(slopes[k], try gradient(inputs[k])) < 1e-12)
    }
    // Weights that a batch shares get the sum of all elements' gradients.
    let together = try grad { (w: Tensor) in
      try vmap { (x: Tensor) in try layer([w, p[1], p[2], x]).sum() }(inputs).sum()
    }(p[0])
    var sum = Tensor.zeros([5, 5])
    for k in 0..<4 {
      sum = sum + (try grad { (w: Tensor) in try layer([w, p[1], p[2], inputs[k]]).sum() }(p[0]))
    }
    #expect(distance(together, sum) < 1e-12)
    #expect(abs(sum).max().scalar > 1)
  }

  /// Guess and damping have no influence on the point, and derivatives that are zero.
  @Test func zeroDerivatives() throws {
    let y = { (p: [Tensor]) in
      try fixedPoint({ y in cos(y) * p[0] }, guess: p[1], options: .init(method: .picard(damping: p[2])))
    }
    let gradient = try grad(y)([1.0, 0.2, 0.6])
    #expect(gradient[1].scalar == 0 && gradient[2].scalar == 0)
    let d = 0.739_085_133_215_160_6
    #expect(abs(gradient[0].scalar - Foundation.cos(d) / (1 + Foundation.sin(d))) < 1e-9)
  }

  @Test func failures() throws {
    func end(_ options: FixedPointOptions, guess: Tensor = 1.0, _ f: @escaping @Sendable (Tensor) -> Tensor)
      throws -> (
        error: ImplicitLayerError?, report: ImplicitSolution<Tensor>?
      )
    {
      (
        layerError { _ = try fixedPoint({ y in f(y) }, guess: guess, options: options) },
        try? fixedPointWithReport({ y in f(y) }, guess: guess, options: options, traceLength: 8)
      )
    }
    let slow = try end(.init(method: .picard(), control: .init(maximumIterations: 5))) { y in 0.9 * y }
    #expect(slow.error?.status == .iterationLimit)
    let report = slow.report!
    #expect(try report.solverStatus() == .iterationLimit)
    #expect(abs(report.solution.scalar - pow(0.9, 5.0)) < 1e-15)
    for k in 0..<6 { #expect(abs(report.trace[k].scalar - 0.1 * pow(0.9, Double(k))) < 1e-15) }
    for method in [FixedPointMethod.picard(), .anderson()] {
      #expect(try end(.init(method: method)) { y in log(y - 2.0) }.error?.status == .nonFinite)
      #expect(
        try end(.init(method: method, control: .init(monitor: { $0.iteration < 2 }))) { y in cos(y) }.error?
          .status
          == .cancelled)
      #expect(try end(.init(method: method)) { y in y + 1.0 }.error?.status != nil)
    }
    #expect(try end(.init(method: .picard()), guess: 3.0) { y in y * y }.error?.status == .nonFinite)
    func isArgument(_ error: ImplicitLayerError?) -> Bool {
      if case .argument = error { return true }
      return false
    }
    for method in [
      FixedPointMethod.picard(damping: 0.0), .picard(damping: .init(Double.nan)), .anderson(depth: 0),
      .anderson(depth: 2, damping: 0),
    ] {
      #expect(isArgument(try end(.init(method: method)) { y in cos(y) }.error), "\(method)")
    }
    guard
      case .shape = layerError({ _ = try fixedPoint({ y in concatenate([y, y]) }, guess: Tensor([1.0])) }),
      case .shape = layerError({
        _ = try fixedPoint(
          { y in cos(y) }, guess: Tensor(1.0), options: .init(method: .picard(damping: [1, 2])))
      })
    else {
      Issue.record("wrong shapes are taken")
      return
    }
  }

  /// y = y + w − w: every point is a fixed point, and none has a derivative.
  @Test func singular() throws {
    let y = { (w: Tensor) in try fixedPoint({ y in y + 0.0 * w }, guess: Tensor([1.0, 2.0])) }
    #expect(try y(1.0).values == [1, 2])
    #expect(tensorError { _ = try grad { w in try y(w).sum() }(1.0) }?.reason == .singular)
  }
}
