import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

private let tight = StoppingCriterion(relativeTolerance: 1e-14)

private let generalMethods: [LinearMethod] = [
  .lu, .qr, .svd, .bicgstab, .gmres(), .gmres(restart: 4), .fgmres(),
]
private let definiteMethods: [LinearMethod] = [
  .cholesky, .symmetricIndefinite, .conjugateGradients, .minres,
]

@Suite struct MethodLawTests {
  /// Every method gives the solution of the form's own solver, and its derivatives.
  private func check(_ example: OperatorCase, _ method: LinearMethod, transposed: Bool) throws {
    let point = example.point()
    let solution = { (x: [Tensor]) throws -> Tensor in
      let a = try example.make(Array(x.dropLast()))
      let options = LinearSolveOptions(method: method, stopping: tight)
      return solve(transposed ? a.transposed : a, x.last!, options)
    }
    let dense = { (x: [Tensor]) throws -> Tensor in
      let a = try example.make(Array(x.dropLast())).denseMatrix()
      return Autodiff.solve(transposed ? a.transposed : a, x.last!)
    }
    let difference = try withTensorErrors { distance(try solution(point), try dense(point)) }
    #expect(difference < 1e-11)
    let weight = cos(Tensor.range(to: Double(example.size)))
    let directions = example.point(seed: 9)
    let push = try jvp(solution, at: point, along: directions).tangent
    #expect(distance(push, try jvp(dense, at: point, along: directions).tangent) < 1e-10)
    let gradients = { (f: @escaping ([Tensor]) throws -> Tensor) in
      try grad { x in dot(weight, try f(x)) }(point)
    }
    for (a, b) in zip(try gradients(solution), try gradients(dense)) { #expect(distance(a, b) < 1e-10) }
    // Second order.
    let curvature = { (f: @escaping ([Tensor]) throws -> Tensor) in
      try hvp({ x in dot(weight, square(try f(x))) }, at: point, along: directions)
    }
    for (a, b) in zip(try curvature(solution), try curvature(dense)) {
      #expect(distance(a, b) < 1e-9 * max(1, abs(b).max().scalar))
    }
  }
  @Test(arguments: operatorCases, generalMethods) func general(_ example: OperatorCase, method: LinearMethod)
    throws
  {
    for transposed in [false, true] { try check(example, method, transposed: transposed) }
  }
  @Test(arguments: operatorCases.filter(\.isDefinite), definiteMethods)
  func definite(_ example: OperatorCase, method: LinearMethod) throws {
    for transposed in [false, true] { try check(example, method, transposed: transposed) }
  }

  @Test(arguments: [
    PreconditionerChoice.jacobi, .blockJacobi(size: 2), .ssor(relaxation: 1.2), .incompleteLU,
    .incompleteCholesky(),
    .incompleteCholesky(dropTolerance: 0.01),
  ])
  func preconditioners(choice: PreconditionerChoice) throws {
    let name: String = if case .incompleteCholesky = choice { "sparse, positive definite" } else { "sparse" }
    let example = try #require(operatorCases.first { $0.description == name })
    let methods: [LinearMethod] =
      example.isDefinite ? [.conjugateGradients, .minres] : [.gmres(), .bicgstab]
    for method in methods {
      for side in method == .gmres() ? [PreconditionerSide.left, .right, .split] : [.right] {
        if case .blockJacobi = choice, side == .split { continue }
        let options = LinearSolveOptions(
          method: method, stopping: tight, preconditioner: choice, preconditionerSide: side)
        let violations = try GradientLaws(step: 4e-3, order: 1).violations(
          of: { solve(try example.make(Array($0.dropLast())), $0.last!, options) }, at: example.point())
        #expect(violations.isEmpty, "\(method) \(side) \(violations)")
      }
    }
  }

  @Test func preconditionersOfOnesOwn() throws {
    let example = try #require(operatorCases.first { $0.description == "function" })
    let point = example.point()
    let options = LinearSolveOptions(method: .gmres(), stopping: tight)
    let inverse = Tensor((0..<4).map { 1 / (5 + Double($0)) })
    let function = { (x: [Tensor]) throws -> Tensor in
      solve(
        try example.make(Array(x.dropLast(2))), x[x.count - 2], options,
        preconditioner: .diagonal(x[x.count - 1]))
    }
    let violations = try GradientLaws(step: 4e-3, order: 1).violations(
      of: { try function($0 + [inverse]) }, at: point)
    #expect(violations.isEmpty, "\(violations)")
    // It decides the way, not the solution.
    let gradients = try grad { (x: [Tensor]) in try function(x).sum() }(point + [inverse])
    #expect(gradients.last!.values.allSatisfy { $0 == 0 })
    let batched = try vmap { (m: Tensor) in try function(point + [m]) }(
      stack([inverse, 2.0 * inverse, inverse + 0.1]))
    for k in 0..<3 { #expect(distance(batched[k], try function(point + [inverse])) < 1e-12) }
  }

  @Test func warmStarts() throws {
    let n = 60
    let a = LinearOperator.tridiagonal(
      lower: -Tensor.ones([n - 1]), diagonal: 2.05 * Tensor.ones([n]), upper: -Tensor.ones([n - 1]),
      tags: .positiveDefinite)
    let b = sin(Tensor.range(to: Double(n)))
    let options = LinearSolveOptions(
      method: .conjugateGradients, stopping: StoppingCriterion(relativeTolerance: 1e-9))
    let cold = try solveWithReport(a, b, options, historyLength: 80)
    let warm = try solveWithReport(a, b, options, initialGuess: cold.solution + 1e-6 * b)
    #expect(try Int(warm.iterations) < Int(cold.iterations))
    #expect(try Int(cold.status) == 0 && cold.residual.scalar < 1e-8)
    let steps = try Int(cold.iterations)
    #expect(cold.history.shape == [81] && cold.history[steps].scalar < 1e-8 && cold.history[0].scalar > 1)
    #expect(cold.history[80].scalar == cold.history[steps].scalar)
    // The guess has no derivative.
    let slope = try grad { (x: Tensor) in solve(a, b, options, initialGuess: x).sum() }(b)
    #expect(slope.values.allSatisfy { $0 == 0 })
    // Reports of many right-hand sides, and of batches.
    let many = try solveWithReport(a, stack([b, 0.0 * b], axis: 1), options, historyLength: 3)
    #expect(many.iterations.shape == [2] && many.history.shape == [2, 4] && many.iterations[1].scalar == 0)
    let batch = try vmap { (x: Tensor) in try solveWithReport(a, x, options, historyLength: 3) }(
      stack([b, 2.0 * b]))
    #expect(batch.iterations.shape == [2] && batch.history.shape == [2, 4])
    #expect(batch.iterations[0].scalar == Double(steps))
  }

  @Test func gradientTolerances() throws {
    let n = 80
    let b = sin(Tensor.range(to: Double(n)))
    func gradient(_ tolerance: Double?) throws -> Tensor {
      try grad { (d: Tensor) in
        let a = LinearOperator.tridiagonal(
          lower: -Tensor.ones([n - 1]), diagonal: d, upper: -Tensor.ones([n - 1]), tags: .positiveDefinite)
        return square(
          solve(
            a, b,
            LinearSolveOptions(
              method: .conjugateGradients, stopping: StoppingCriterion(relativeTolerance: 1e-12),
              gradientStopping: tolerance.map { StoppingCriterion(relativeTolerance: $0) }))
        ).sum()
      }(2.05 * Tensor.ones([n]))
    }
    let exact = try gradient(nil)
    let scale = abs(exact).max().scalar
    let loose = distance(try gradient(1e-2), exact) / scale
    #expect(loose > 1e-6 && loose < 0.2)
    #expect(distance(try gradient(1e-8), exact) / scale < 1e-6)
  }

  @Test func singlePrecision() throws {
    for example in operatorCases
    where !["dense, symmetric", "sparse, symmetric"].contains(example.description) {
      let found = try GradientLaws().singlePrecisionViolations(
        of: { x in
          let a = try example.make(Array(x.dropLast()))
          // Functions in single precision round there.
          return solve(a, x.last!, .init(stopping: StoppingCriterion(relativeTolerance: 1e-5)))
        }, at: example.point(), tolerance: 1e-3)
      // Forms whose test adds numbers in double precision compute in it.
      let held = found.filter { !$0.contains("is float64") && !$0.contains("another type") }
      #expect(held.isEmpty, "\(example): \(held)")
    }
  }
}
