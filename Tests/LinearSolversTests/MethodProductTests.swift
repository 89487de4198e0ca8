import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

private let tight = StoppingCriterion(relativeTolerance: 1e-14)
private let symmetricNames: Set = ["dense, symmetric", "sparse, symmetric"]

/// What `MethodLawTests` leaves of the product of operators, methods and tags.
@Suite struct MethodProductTests {
  /// Batches of operators, of right-hand sides and of both, with their gradients, against loops.
  private func checkBatches(_ example: OperatorCase, _ options: LinearSolveOptions) throws {
    let (point, other) = (example.point(), example.point(seed: 4))
    let (numbers, b) = (Array(point.dropLast()), point.last!)
    let near = zip(numbers, other).map { $0 + 0.03 * $1 }
    let solution = { (numbers: [Tensor], b: Tensor) throws -> Tensor in
      solve(try example.make(numbers), b, options)
    }
    let slope = { (numbers: [Tensor], b: Tensor) throws -> [Tensor] in
      try grad { (x: [Tensor]) in square(try solution(Array(x.dropLast()), x.last!)).sum() }(numbers + [b])
    }
    let operators = zip(numbers, near).map { stack([$0, $1, $0]) }
    let rightSides = stack([b, other.last!, 2.0 * b])
    func compare(_ batched: [Tensor], _ single: [[Tensor]], _ label: String) {
      for (k, values) in batched.enumerated() {
        let expected = stack(single.map { $0[k] })
        let scale = max(1, abs(expected).max().scalar)
        #expect(distance(values, expected) < 1e-10 * scale, "\(label) \(k)")
      }
    }
    let several = [numbers, near, numbers]
    let sides = [b, other.last!, 2.0 * b]
    compare(
      [try vmap { (x: [Tensor]) in try solution(x, b) }(operators)],
      try several.map { [try solution($0, b)] },
      "operators")
    compare(
      [try vmap { (x: Tensor) in try solution(numbers, x) }(rightSides)],
      try sides.map { [try solution(numbers, $0)] }, "right-hand sides")
    compare(
      [try vmap { (x: [Tensor]) in try solution(Array(x.dropLast()), x.last!) }(operators + [rightSides])],
      try zip(several, sides).map { [try solution($0, $1)] }, "both")
    compare(
      try vmap { (x: [Tensor]) in try slope(Array(x.dropLast()), x.last!) }(operators + [rightSides]),
      try zip(several, sides).map { try slope($0, $1) }, "gradients of both")
  }

  @Test(
    arguments: operatorCases,
    [LinearMethod.lu, .qr, .svd, .bicgstab, .gmres(), .fgmres()])
  func batches(_ example: OperatorCase, method: LinearMethod) throws {
    try checkBatches(example, LinearSolveOptions(method: method, stopping: tight))
  }
  @Test(
    arguments: operatorCases.filter(\.isDefinite),
    [LinearMethod.cholesky, .symmetricIndefinite, .conjugateGradients, .minres])
  func batchesOfDefiniteOperators(_ example: OperatorCase, method: LinearMethod) throws {
    try checkBatches(example, LinearSolveOptions(method: method, stopping: tight))
  }

  /// Methods for symmetric operators that are not definite.
  @Test(
    arguments: operatorCases.filter { symmetricNames.contains($0.description) },
    [LinearMethod.symmetricIndefinite, .minres])
  func symmetricOperators(_ example: OperatorCase, method: LinearMethod) throws {
    let options = LinearSolveOptions(method: method, stopping: tight)
    let violations = try GradientLaws(step: 4e-3, order: method == .minres ? 1 : 2).violations(
      of: { solve(try example.make(Array($0.dropLast())), $0.last!, options) }, at: example.point())
    #expect(violations.isEmpty, "\(violations)")
    try checkBatches(example, options)
  }

  /// A preconditioner decides the way and not the solution, in every derivative: here one that is not symmetric, which the way back must
  /// transpose.
  @Test(arguments: [LinearMethod.gmres(), .gmres(restart: 3), .fgmres(), .bicgstab])
  func transposedPreconditioners(method: LinearMethod) throws {
    let example = try #require(operatorCases.first { $0.description == "dense" })
    let inverse: Tensor = [[0.2, 0.1, 0, 0], [0, 0.2, 0.1, 0], [0, 0, 0.2, 0.1], [0.05, 0, 0, 0.2]]
    for side in [PreconditionerSide.left, .right] where method == .gmres() || side == .right {
      let options = LinearSolveOptions(method: method, stopping: tight, preconditionerSide: side)
      let violations = try GradientLaws(step: 4e-3, order: 1).violations(
        of: { x in
          solve(try example.make(Array(x.dropLast())), x.last!, options, preconditioner: .dense(inverse))
        }, at: example.point())
      #expect(violations.isEmpty, "\(side) \(violations)")
    }
    // The exact inverse ends at once, forwards and backwards; its transpose would not.
    let point = example.point()
    let a = try example.make(Array(point.dropLast()))
    let exact = Autodiff.solve(a.denseMatrix(), Tensor.identity(4))
    let once = LinearSolveOptions(
      method: method, stopping: StoppingCriterion(relativeTolerance: 1e-11, maximumIterations: 2))
    let slope = try grad { (b: Tensor) in solve(a, b, once, preconditioner: .dense(exact)).sum() }(
      point.last!)
    #expect(distance(slope, Autodiff.solve(a.denseMatrix().transposed, Tensor.ones([4]))) < 1e-10)
  }

  /// Refined solutions have the derivatives of solutions.
  @Test(arguments: operatorCases) func refinement(_ example: OperatorCase) throws {
    let point = example.point()
    let options = LinearSolveOptions(method: .lu, refinementSteps: 2)
    let violations = try GradientLaws(step: 4e-3, order: 1).violations(
      of: { solve(try example.make(Array($0.dropLast())), $0.last!, options) }, at: point)
    #expect(violations.isEmpty, "\(violations)")
  }

  /// Estimates against the norms of the matrix and of its inverse.
  @Test(arguments: operatorCases) func conditions(_ example: OperatorCase) throws {
    let a = try example.make(Array(example.point().dropLast()))
    let matrix = a.denseMatrix()
    let inverse = Autodiff.solve(matrix, Tensor.identity(example.size))
    let exact = 1 / (abs(matrix).sum(axis: 0).max().scalar * abs(inverse).sum(axis: 0).max().scalar)
    for operation in [a, a.transposed] {
      let estimate = try operation.reciprocalCondition()
      #expect(estimate <= 1 && estimate > 0)
    }
    let estimate = try a.reciprocalCondition()
    #expect(estimate > 0.999 * exact && estimate < 4 * exact, "\(estimate) \(exact)")
    #expect(abs(try a.reciprocalCondition(method: .lu) - estimate) < 1e-9)
  }
  @Test func conditionsOfSpecialOperators() throws {
    #expect(try LinearOperator.dense([[1, 2], [2, 4]]).reciprocalCondition() == 0)
    #expect(try LinearOperator.diagonal([1, 0]).reciprocalCondition() == 0)
    #expect(try LinearOperator.identity(0).reciprocalCondition() == 1)
    #expect(abs(try LinearOperator.diagonal([4, 1e-6, 2]).reciprocalCondition() - 2.5e-7) < 1e-20)
    // numpy.linalg.cond(scipy.linalg.hilbert(8), 1)
    let estimate = try LinearOperator.dense(hilbertMatrix(8)).reciprocalCondition()
    #expect(abs(estimate * 3.387279e10 - 1) < 1e-3)
    #expect(failure { _ = try LinearOperator.dense([[1, 2]]).reciprocalCondition() }?.reason == .shape)
    #expect(
      failure { _ = try LinearOperator.identity(2).reciprocalCondition(method: .minres) }?.reason == .argument
    )
    #expect(
      failure { _ = try LinearOperator.diagonal([1, .init(Double.nan)]).reciprocalCondition() }?.reason
        == .nonFinite)
    #expect(
      failure {
        _ = try LinearOperator.dense([[1, 2], [2, 1]], tags: .positiveDefinite).reciprocalCondition()
      }?.reason == .notPositiveDefinite)
    #expect(
      failure {
        _ = try grad { (x: Tensor) in x.sum() * (try LinearOperator.diagonal(x).reciprocalCondition()) }([
          1, 2,
        ])
      }?.reason == .tracedValue)
  }
}
