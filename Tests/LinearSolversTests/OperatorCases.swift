import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport

/// A form of operator, made from free numbers so that every law can be checked for them.
struct OperatorCase: Sendable, CustomStringConvertible {
  var description: String
  /// Shapes of the numbers.
  var shapes: [[Int]]
  var size: Int
  var make: @Sendable ([Tensor]) throws -> LinearOperator
  /// Whether the operator is symmetric positive definite.
  var isDefinite: Bool

  init(
    _ name: String, _ shapes: [[Int]], size: Int, isDefinite: Bool = false,
    make: @escaping @Sendable ([Tensor]) throws -> LinearOperator
  ) {
    description = name
    self.shapes = shapes
    self.size = size
    self.make = make
    self.isDefinite = isDefinite
  }
  /// Numbers, and a right-hand side at the end.
  func point(columns: Int = 0, seed: UInt64 = 1) -> [Tensor] {
    var random = SeededRandom(seed: seed &+ 5)
    return (shapes + [[size] + (columns > 0 ? [columns] : [])]).map {
      Tensor(random.uniform(-1, 1, count: $0.reduce(1, *)), shape: $0)
    }
  }
}

/// A pattern of a grid of 2 x 3 points with its neighbours.
let gridPattern: SparsityPattern = {
  var entries: [(row: Int, column: Int)] = []
  for i in 0..<6 {
    entries.append((i, i))
    if i % 3 > 0 { entries.append((i, i - 1)) }
    if i % 3 < 2 { entries.append((i, i + 1)) }
    if i >= 3 { entries.append((i, i - 3)) }
    if i < 3 { entries.append((i, i + 3)) }
  }
  return try! SparsityPattern(rowCount: 6, columnCount: 6, entries: entries)
}()
private let gridDiagonal = Tensor(
  zip(gridPattern.rowIndices, gridPattern.columnIndices).map { $0 == $1 ? 5.0 : 0 })
/// For each entry the place of the one across the diagonal.
private let gridAcross = Tensor(gridPattern.transposition.places.map { Int32($0) })

private func shifted(_ x: Tensor, _ by: Double = 4) -> Tensor {
  x + by * Tensor.identity(x.shape[x.rank - 1], type: x.elementType)
}
private func definite(_ x: Tensor) -> Tensor {
  matmul(x, x.matrixTransposed) + 2.0 * Tensor.identity(x.shape[0], type: x.elementType)
}

let operatorCases: [OperatorCase] = [
  OperatorCase("dense", [[4, 4]], size: 4) { .dense(shifted($0[0])) },
  OperatorCase("dense, symmetric", [[4, 4]], size: 4) {
    .dense($0[0] + $0[0].transposed + Tensor([5, -5, 5, -5]) * Tensor.identity(4), tags: .symmetric)
  },
  OperatorCase("dense, positive definite", [[4, 4]], size: 4, isDefinite: true) {
    .dense(definite($0[0]), tags: .positiveDefinite)
  },
  OperatorCase("lower triangle", [[4, 4]], size: 4) { .triangular(shifted($0[0]), isLower: true) },
  OperatorCase("upper triangle, unit diagonal", [[4, 4]], size: 4) {
    .triangular($0[0], isLower: false, isUnitDiagonal: true)
  },
  OperatorCase("sparse", [[gridPattern.entryCount]], size: 6) {
    .sparse(gridPattern, values: $0[0] + gridDiagonal.converted(to: $0[0].elementType))
  },
  OperatorCase("sparse, positive definite", [[gridPattern.entryCount]], size: 6, isDefinite: true) { x in
    let values = x[0] + gridDiagonal.converted(to: x[0].elementType)
    return .sparse(gridPattern, values: values + values.taking(gridAcross), tags: .positiveDefinite)
  },
  OperatorCase("sparse, symmetric", [[gridPattern.entryCount]], size: 6) { x in
    let signs = Tensor(gridPattern.rowIndices.map { $0 % 2 == 0 ? 1.0 : -1.0 })
    return .sparse(
      gridPattern, values: x[0] + x[0].taking(gridAcross) + signs * gridDiagonal, tags: .symmetric)
  },
  OperatorCase("sparse, lower triangle", [[gridPattern.entryCount]], size: 6) {
    .sparse(gridPattern, values: $0[0] + gridDiagonal, tags: .lowerTriangular)
  },
  OperatorCase("sparse, upper triangle, unit diagonal", [[gridPattern.entryCount]], size: 6) {
    .sparse(gridPattern, values: $0[0], tags: [.upperTriangular, .unitDiagonal])
  },
  OperatorCase("coordinates", [[7]], size: 3) { x in
    .sparse(
      rowCount: 3, columnCount: 3, rows: [2, 0, 1, 0, 2, 0, 1], columns: [2, 0, 1, 2, 0, 0, 2],
      values: x[0] + Tensor([3, 2, 3, 0, 0, 2, 0]))
  },
  OperatorCase("compressed columns", [[5]], size: 3) { x in
    .sparseColumns(
      rowCount: 3, columnCount: 3, columnOffsets: [0, 2, 3, 5], rowIndices: [0, 2, 1, 0, 2],
      values: x[0] + Tensor([3, 0, 3, 0, 3]))
  },
  OperatorCase("diagonal", [[4]], size: 4) { .diagonal($0[0] + Tensor([2, -3, 4, 2])) },
  OperatorCase("banded", [[4, 5]], size: 5) {
    .banded($0[0] + Tensor([0, 0, 5, 0]).expandingAxis(-1), lower: 1, upper: 2)
  },
  OperatorCase("tridiagonal", [[4], [5], [4]], size: 5) {
    .tridiagonal(lower: $0[0], diagonal: $0[1] + 4.0, upper: $0[2])
  },
  OperatorCase("banded, positive definite", [[2, 5], [5]], size: 5, isDefinite: true) { x in
    // The diagonals above are those below, moved to where they stand.
    let rows = [2, 1].map { k -> Tensor in
      concatenate([Tensor.zeros([k], type: x[0].elementType), x[0][k - 1][..<(5 - k)]])
    }
    return .banded(
      stack([rows[0], rows[1], x[1] + 5.0, x[0][0], x[0][1]]), lower: 2, upper: 2, tags: .positiveDefinite)
  },
  OperatorCase("tridiagonal, positive definite", [[4], [5]], size: 5, isDefinite: true) {
    .tridiagonal(lower: $0[0], diagonal: $0[1] + 3.5, upper: $0[0], tags: .positiveDefinite)
  },
  OperatorCase("diagonal, positive definite", [[4]], size: 4, isDefinite: true) {
    .diagonal(square($0[0]) + 0.5, tags: .positiveDefinite)
  },
  OperatorCase("block-diagonal, positive definite", [[2, 3, 3]], size: 6, isDefinite: true) {
    .blockDiagonal(
      matmul($0[0], $0[0].matrixTransposed) + 2.0 * Tensor.identity(3, type: $0[0].elementType),
      tags: .positiveDefinite)
  },
  OperatorCase("Kronecker product, positive definite", [[2, 2], [2, 2]], size: 4, isDefinite: true) {
    .kronecker([
      .dense(definite($0[0]), tags: .positiveDefinite), .dense(definite($0[1]), tags: .positiveDefinite),
    ])
  },
  OperatorCase("sum, positive definite", [[4, 4], [4]], size: 4, isDefinite: true) {
    .dense(definite($0[0]), tags: .positiveDefinite)
      + 0.5 * LinearOperator.diagonal(square($0[1]) + 1.0, tags: .positiveDefinite)
  },
  OperatorCase("product, positive definite", [[4, 4], [4]], size: 4, isDefinite: true) { x in
    let factor = LinearOperator.triangular(shifted(x[0], 2.5), isLower: true)
    return (factor * .diagonal(square(x[1]) + 1.0) * factor.transposed).tagged(.positiveDefinite)
  },
  OperatorCase("block-diagonal", [[2, 3, 3]], size: 6) { .blockDiagonal(shifted($0[0])) },
  OperatorCase("low-rank update", [[5], [5, 2], [5, 2]], size: 5) {
    .lowRankUpdate(of: .diagonal($0[0] + 4.0), $0[1], $0[2])
  },
  OperatorCase("low-rank update, definite", [[5], [5, 2]], size: 5, isDefinite: true) {
    .lowRankUpdate(of: .diagonal(square($0[0]) + 2.0), $0[1], $0[1], tags: .positiveDefinite)
  },
  OperatorCase("Kronecker product", [[2, 2], [3, 3]], size: 6) {
    .kronecker([.dense(shifted($0[0])), .dense(shifted($0[1]))])
  },
  OperatorCase("function", [[4, 4], [4]], size: 4) { p in
    try .function(columns: 4, type: p[0].elementType) { x in matmul(shifted(p[0]), x) + p[1] * x }
  },
  OperatorCase("function, definite", [[4, 4]], size: 4, isDefinite: true) { p in
    try .function(columns: 4, type: p[0].elementType, tags: .positiveDefinite) { x in
      matmul(p[0], matmul(p[0].transposed, x)) + 2.0 * x
    }
  },
  OperatorCase("Jacobian", [[4], [4]], size: 4) { p in
    try .jacobian(of: { x in p[1] * sin(x) + 3.0 * x + x * x.sum() * 0.1 }, at: p[0])
  },
  OperatorCase("sum", [[gridPattern.entryCount], [6], [6, 6]], size: 6) {
    .sparse(gridPattern, values: $0[0]) + .diagonal($0[1] + 8.0) + .dense($0[2])
  },
  OperatorCase("sum of sparse forms", [[gridPattern.entryCount], [6], []], size: 6) {
    .sparse(gridPattern, values: $0[0] + gridDiagonal) + (1.5 + $0[2]) * .diagonal($0[1] + 3.0)
  },
  OperatorCase("difference with a transpose", [[4, 4], [4, 4]], size: 4) {
    .dense(shifted($0[0], 6)) - LinearOperator.dense($0[1]).transposed
  },
  OperatorCase("product", [[4, 4], [4]], size: 4) { .dense(shifted($0[0])) * .diagonal($0[1] + 3.0) },
  OperatorCase("transposed product", [[4, 4], [3], [4], [3]], size: 4) { x in
    let second = LinearOperator.tridiagonal(lower: x[1], diagonal: x[2] + 3.0, upper: x[3])
    return (LinearOperator.dense(shifted(x[0])) * second).transposed
  },
]
