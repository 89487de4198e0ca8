import Autodiff
import Foundation
import TestSupport
import Testing

/// Patterns found from programs, against dense Jacobians.
@Suite struct SparsityDetectionTests {
  /// The function of all arguments in one vector.
  static func flat(_ example: DerivativeCase) -> (Tensor) throws -> Tensor {
    let shapes = example.shapes
    return { x in
      let parts = x.split(sizes: shapes.map { $0.reduce(1, *) })
      return try example.function(zip(parts, shapes).map { $0.reshaped($1) })
    }
  }
  static func flatPoint(_ example: DerivativeCase, seed: UInt64 = 1) -> Tensor {
    concatenate(example.point(seed: seed).map(\.flattened))
  }
  static func matrix(_ jacobian: Tensor, _ pattern: SparsityPattern) -> Tensor {
    jacobian.reshaped([pattern.rowCount, pattern.columnCount])
  }

  /// The pattern of every primitive and control flow holds every entry, so that the matrix is the dense one.
  @Test(arguments: PrimitiveCoverageTests.all) func everyPrimitive(_ example: DerivativeCase) throws {
    let f = Self.flat(example)
    let x = Self.flatPoint(example)
    let expected = try jacobian(f)(x)
    for mode in [JacobianMode.forward, .reverse] {
      let found = try sparseJacobian(f, mode: mode)(x)
      let difference = abs(found.dense() - Self.matrix(expected, found.pattern)).flattened
      let error = difference.count == 0 ? 0 : difference.max().scalar
      #expect(error <= 1e-12 * max(1, expected.count == 0 ? 0 : abs(expected).max().scalar), "\(mode)")
    }
  }

  /// Structure that must be found exactly: name, function, number of inputs, entries of the pattern.
  struct Exact: Sendable, CustomStringConvertible {
    var description: String
    var count: Int
    var entries: [(Int, Int)]
    var function: @Sendable (Tensor) throws -> Tensor
  }
  static let diagonal = (0..<4).map { ($0, $0) }
  static let lower = (0..<4).flatMap { i in (0...i).map { (i, $0) } }
  static let exact: [Exact] = [
    Exact(description: "elementwise", count: 4, entries: diagonal) { sin($0) * exp($0) / ($0 + 3.0) },
    Exact(description: "no derivative", count: 4, entries: []) { floor($0) + sign($0) + stopGradient($0) },
    Exact(description: "comparison", count: 4, entries: diagonal) { select($0 .> 0.0, $0, 1.0) },
    Exact(description: "constant mask", count: 4, entries: [(0, 0), (2, 2)]) {
      select(Tensor([true, false, true, false]), square($0), 0.0)
    },
    Exact(description: "product with zeros", count: 4, entries: [(1, 1), (3, 3)]) {
      $0 * Tensor([0.0, 2, 0, 1])
    },
    Exact(description: "constant matrix", count: 4, entries: [(0, 1), (1, 0), (1, 3)]) {
      matmul([[0, 2, 0, 0], [1, 0, 0, 5]], square($0))
    },
    Exact(description: "constant matrix on the right", count: 4, entries: [(0, 1), (1, 0), (1, 3)]) {
      matmul(sin($0), [[0, 1], [2, 0], [0, 0], [0, 3]])
    },
    Exact(description: "slices and padding", count: 4, entries: [(1, 2), (2, 3)]) {
      $0[2...].padded(before: [1], after: [1])
    },
    Exact(description: "reversal", count: 4, entries: (0..<4).map { ($0, 3 - $0) }) { $0.reversed(axis: 0) },
    Exact(description: "cumulative sum", count: 4, entries: lower) { $0.cumulativeSum() },
    Exact(
      description: "row sums", count: 4, entries: [(0, 0), (0, 1), (1, 2), (1, 3)],
      function: { square($0.reshaped([2, 2])).sum(axis: 1) }),
    Exact(
      description: "largest of columns", count: 4, entries: [(0, 0), (0, 2), (1, 1), (1, 3)],
      function: { $0.reshaped([2, 2]).max(axis: 0) }),
    Exact(description: "gather", count: 4, entries: [(0, 3), (1, 0), (2, 3)]) {
      $0.taking(Tensor([Int32(3), 0, 3]))
    },
    Exact(description: "scatter", count: 4, entries: [(0, 1), (2, 0), (2, 2), (2, 3)]) {
      Tensor.zeros([3]).addingRows(square($0), at: Tensor([Int32(2), 0, 2, 2]))
    },
    Exact(description: "sorting", count: 4, entries: (0..<16).map { ($0 / 4, $0 % 4) }) { $0.sorted() },
    Exact(description: "triangular solve", count: 4, entries: lower) { x in
      triangularSolve(Tensor.ones([4, 4]).lowerTriangle(), x.reshaped([4, 1]), lower: true)
    },
    Exact(
      description: "solve of a stack", count: 4,
      entries: [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3)],
      function: { x in
        let matrices = Tensor([2.0, 1, 1, 3, 4, 1, 1, 3], shape: [2, 2, 2])
        return solve(matrices, x.reshaped([2, 2, 1]))
      }),
    Exact(description: "batched call", count: 4, entries: diagonal) { x in try vmap { sin($0) * $0 }(x) },
    Exact(description: "loop", count: 4, entries: lower) { x in
      try scan(initial: 0.0, over: x) { sum, row in (sin(sum) + row, sum * 2.0 + row * row) }.rows
    },
    Exact(description: "loop over places", count: 4, entries: [(0, 0), (0, 1), (0, 2)]) { x in
      try forLoop(3, initial: Tensor(0.0)) { k, sum in sum + square(x.taking(k)) }.reshaped([1])
    },
    Exact(description: "choice between computations", count: 4, entries: [(0, 0), (0, 3)]) { x in
      try cond(x[1] .> 0.0, then: { square(x[0]) }, else: { x[0] * x[3] }).reshaped([1])
    },
    Exact(description: "checkpoint", count: 4, entries: diagonal) { x in
      try checkpoint { (y: Tensor) in sin(y) * y }(x)
    },
    Exact(description: "rule of one's own", count: 4, entries: diagonal) { x in
      try customVJP(
        { (y: Tensor) in y * y }, forward: { (value: $0 * $0, residuals: $0) }, backward: { $0 * 2.0 * $1 })(
          x)
    },
    Exact(description: "gradient", count: 4, entries: diagonal) { x in try grad { exp($0).sum() }(x) },
    Exact(description: "constant", count: 4, entries: []) { _ in Tensor([1.0, 2]) },
  ]
  @Test(arguments: exact) func structure(_ example: Exact) throws {
    let point = Tensor([0.3, -0.4, 0.5, 0.7])
    let found = try jacobianSparsity(of: example.function, at: point)
    let expected = try SparsityPattern(
      rowCount: found.rowCount, columnCount: example.count,
      entries: example.entries.map { (row: $0.0, column: $0.1) })
    #expect(found == expected, "\(found.rowIndices) \(found.columnIndices)")
  }

  /// A loop of unknown length joins what any number of steps can reach.
  @Test func whileLoops() throws {
    let f = { (x: Tensor) in
      try whileLoop(initial: x, condition: { $0[0] .< 2.0 }) { y in
        concatenate([y[0..<1] + y[1..<2] * y[1..<2], y[1...]])
      }
    }
    let pattern = try jacobianSparsity(of: f, at: [0.5, 1.0, 1.0])
    #expect(pattern.rowIndices == [0, 0, 1, 2] && pattern.columnIndices == [0, 1, 1, 2])
    let found = try sparseJacobian(f, mode: .forward)([0.5, 1.0, 1.0]).dense()
    #expect(found.values == (try jacobian({ try f($0) }, mode: .forward)([0.5, 1.0, 1.0])).values)
    #expect(throws: TensorError.self) { try sparseJacobian(f, mode: .reverse)([0.5, 1.0, 1.0]) }
  }
  @Test func emptyArguments() throws {
    let none = try sparseJacobian { (x: Tensor) in x * 2.0 }(Tensor.zeros([0]))
    #expect(none.pattern.rowCount == 0 && none.pattern.columnCount == 0 && none.dense().shape == [0, 0])
    let wide = try sparseJacobian { (x: Tensor) in x[0..<0] }(Tensor.zeros([3]))
    #expect(wide.dense().shape == [0, 3] && wide.values.shape == [0])
    let tall = try sparseJacobian { (x: Tensor) in concatenate([x, Tensor.zeros([2])]) }(Tensor.zeros([0]))
    #expect(tall.dense().shape == [2, 0])
    #expect(try sparseHessian { (x: Tensor) in x.sum() }(Tensor.zeros([3])).pattern.entryCount == 0)
    let scalar = try sparseJacobian { (x: Tensor) in x * x }(3.0)
    #expect(scalar.dense().values == [6] && scalar.dense().shape == [1, 1])
  }
}
