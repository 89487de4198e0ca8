import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

func distance(_ a: Tensor, _ b: Tensor) -> Double {
  guard a.shape == b.shape else { return .infinity }
  return zip(a.values, b.values).map { $0 == $1 ? 0 : abs($0 - $1) }.reduce(0) {
    $0.isNaN || $1 <= $0 ? $0 : $1
  }
}
/// The error of a closure.
func failure(_ body: () throws -> Void) -> TensorError? {
  do {
    try withTensorErrors(body)
    return nil
  } catch { return error as? TensorError }
}

@Suite struct GoldenValueTests {
  /// The design's golden values: A = [2 −2; −2 0], b = [1 0].
  @Test(arguments: [
    LinearMethod.automatic, .lu, .symmetricIndefinite, .qr, .svd, .minres, .gmres(), .bicgstab,
  ])
  func linearSystemGradient(method: LinearMethod) throws {
    let a: Tensor = [[2, -2], [-2, 0]]
    let b: Tensor = [1, 0]
    let options = LinearSolveOptions(method: method, stopping: StoppingCriterion(relativeTolerance: 1e-14))
    for (index, expected) in [[0, 0, 0, -0.25], [0, -0.25, 0, -0.25]].enumerated() {
      let gradient = try grad { (a: Tensor) in solve(.dense(a, tags: .symmetric), b, options)[index] }(a)
      #expect(zip(gradient.values, expected).allSatisfy { abs($0 - $1) < 1e-14 }, "\(gradient)")
    }
  }
  /// On the pattern without (1, 1), whose derivative is then nobody's.
  @Test func sparseGradient() throws {
    let pattern = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 0), (0, 1), (1, 0)])
    let b: Tensor = [1, 0]
    for (index, expected) in [[0, 0, 0], [0, -0.25, 0]].enumerated() {
      let gradient = try grad { (v: Tensor) in solve(.sparse(pattern, values: v), b)[index] }([2, -2, -2])
      #expect(zip(gradient.values, expected).allSatisfy { abs($0 - $1) < 1e-15 })
    }
  }
}

@Suite struct OperatorLawTests {
  /// Derivatives of the solution in the operator's numbers and the right-hand side, to second order.
  @Test(arguments: operatorCases) func solutions(_ example: OperatorCase) throws {
    let tight = LinearSolveOptions(stopping: StoppingCriterion(relativeTolerance: 1e-14))
    let violations = try GradientLaws(step: 4e-3).violations(
      of: { solve(try example.make(Array($0.dropLast())), $0.last!, tight) }, at: example.point())
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test(arguments: operatorCases) func manyRightHandSides(_ example: OperatorCase) throws {
    let point = example.point(columns: 3)
    let a = try example.make(Array(point.dropLast()))
    let tight = LinearSolveOptions(stopping: StoppingCriterion(relativeTolerance: 1e-13))
    let x = solve(a, point.last!, tight)
    #expect(distance(a(x), point.last!) < 1e-11)
    let y = solve(a.transposed, point.last!, tight)
    #expect(distance(a.transposed(y), point.last!) < 1e-11)
    #expect(distance(x[0..., 1], solve(a, point.last![0..., 1], tight)) < 1e-11)
    // The operator is the matrix that it says it is, and the transpose its transpose.
    let matrix = a.denseMatrix()
    #expect(distance(matmul(matrix, point.last!), a(point.last!)) < 1e-13)
    #expect(distance(a.transposed.denseMatrix(), matrix.transposed) < 1e-13)
    #expect(distance(Autodiff.solve(matrix, point.last!), x) < 1e-11)
    let violations = try GradientLaws(step: 4e-3, order: 1).violations(
      of: { solve(try example.make(Array($0.dropLast())), $0.last!, tight) }, at: point)
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test(arguments: operatorCases) func products(_ example: OperatorCase) throws {
    for columns in [0, 2] {
      let violations = try GradientLaws(step: 4e-3).violations(
        of: { try example.make(Array($0.dropLast()))($0.last!) }, at: example.point(columns: columns))
      #expect(violations.isEmpty, "\(violations)")
    }
  }
  @Test(arguments: operatorCases) func batchesOfOneArgument(_ example: OperatorCase) throws {
    let tight = LinearSolveOptions(stopping: StoppingCriterion(relativeTolerance: 1e-14))
    let violations = try GradientLaws().batchViolations(
      of: { solve(try example.make(Array($0.dropLast())), $0.last!, tight) }, at: example.point())
    #expect(violations.isEmpty, "\(violations)")
  }
}
