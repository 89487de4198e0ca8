import Autodiff
import LinearAlgebra

extension OperatorNode {
  /// A x or Aᵀ x for the columns of a matrix x, with tensor functions: it computes, or is recorded.
  func apply(_ parameters: ArraySlice<Tensor>, _ x: Tensor, transposed: Bool) throws -> Tensor {
    let p = Array(parameters)
    switch kind {
    case .dense:
      let matrix = triangular(p[0])
      return matmul(transposed ? matrix.matrixTransposed : matrix, x)
    case .sparse(let pattern):
      if tags.isTriangular { return try sparseTriangle(pattern, p[0], x, transposed: transposed) }
      return bind1(SparseProduct(pattern: pattern, isTransposed: transposed, isStacked: false), p[0], x)
    case .diagonal: return p[0].expandingAxis(-1) * x
    case .banded, .tridiagonal:
      let (pattern, places) = bandForm
      let values = concatenate(p.map(\.flattened)).taking(places)
      return bind1(SparseProduct(pattern: pattern, isTransposed: transposed, isStacked: false), values, x)
    case .blockDiagonal(let count):
      let blocks = transposed ? p[0].matrixTransposed : p[0]
      let parts = x.reshaped([count, blocks.shape[2], x.shape[1]])
      return matmul(blocks, parts).reshaped([count * blocks.shape[1], x.shape[1]])
    case .lowRankUpdate(let base, _):
      let (u, v) = (p[p.count - 2], p[p.count - 1])
      let first = try base.apply(parameters.dropLast(2), x, transposed: transposed)
      return first
        + (transposed ? matmul(v, matmul(u.matrixTransposed, x)) : matmul(u, matmul(v.matrixTransposed, x)))
    case .kronecker(let children):
      // Along each axis of the vector by itself; the axis that was worked on moves to the end.
      let extents = children.map { transposed ? $0.rows : $0.columns }
      var y = x.reshaped(extents + [x.shape[1]]).movingAxis(-1, to: 0)
      let count = x.shape[1]
      for (child, own) in Self.pairs(children, parameters) {
        let length = transposed ? child.rows : child.columns
        let front = y.movingAxis(1, to: 0)
        let product = try child.apply(own, front.reshaped([length, -1]), transposed: transposed)
        y = product.reshaped([product.shape[0]] + front.shape.dropFirst()).movingAxis(0, to: -1)
      }
      return y.reshaped([count, -1]).transposed
    case .function(let map): return try map.apply(p, x, transposed: transposed && !isSymmetric)
    case .sum(let children):
      let terms = try Self.pairs(children, parameters).map { try $0.apply($1, x, transposed: transposed) }
      return terms.dropFirst().reduce(terms[0]) { $0 + $1 }
    case .product(let children):
      let pairs = Self.pairs(children, parameters)
      return try (transposed ? pairs : pairs.reversed()).reduce(x) {
        try $1.0.apply($1.1, $0, transposed: transposed)
      }
    case .scaled(let child): return try child.apply(parameters.dropFirst(), x, transposed: transposed) * p[0]
    case .transposed(let child): return try child.apply(parameters, x, transposed: !transposed)
    }
  }

  /// The half of a matrix that counts.
  private func triangular(_ matrix: Tensor) -> Tensor {
    guard tags.isTriangular else { return matrix }
    let isUnit = tags.contains(.unitDiagonal)
    let half =
      tags.contains(.lowerTriangular)
      ? matrix.lowerTriangle(offset: isUnit ? -1 : 0) : matrix.upperTriangle(offset: isUnit ? 1 : 0)
    return isUnit ? half + Tensor.identity(rows, type: matrix.elementType) : half
  }
  /// Likewise of a sparse one: the values of the other half count as zeros.
  private func sparseTriangle(
    _ pattern: SparsityPattern, _ values: Tensor, _ x: Tensor, transposed: Bool
  ) throws -> Tensor {
    let isUnit = tags.contains(.unitDiagonal)
    let isLower = tags.contains(.lowerTriangular)
    let mask = zip(pattern.rowIndices, pattern.columnIndices).map { row, column in
      row == column ? !isUnit : (column < row) == isLower
    }
    let half = values * Tensor(mask.map { $0 ? 1.0 : 0.0 }).converted(to: values.elementType)
    let product = bind1(SparseProduct(pattern: pattern, isTransposed: transposed, isStacked: false), half, x)
    return isUnit ? product + x : product
  }

  /// The pattern of a banded matrix, and the number that stands at each entry.
  var bandForm: (pattern: SparsityPattern, places: Tensor) {
    let form = bandForms.form {
      let (lower, upper) = bandwidth
      var (offsets, columns, places): ([Int], [Int], [Int]) = ([0], [], [])
      for i in 0..<rows {
        for j in max(0, i - lower)..<max(min(rows, i + upper + 1), max(0, i - lower)) {
          columns.append(j)
          if case .banded = kind {
            places.append((upper + i - j) * rows + j)
          } else {
            places.append(j < i ? j : j == i ? rows - 1 + i : 2 * rows - 1 + i)
          }
        }
        offsets.append(columns.count)
      }
      // Columns ascend by construction.
      let pattern = try! SparsityPattern(
        rowCount: rows, columnCount: rows, rowOffsets: offsets, columnIndices: columns)
      return SparseFormCache.Form(pattern: pattern, places: places)
    }
    return (form.pattern, Tensor(form.places.map { Int32($0) }))
  }
  private var bandwidth: (lower: Int, upper: Int) {
    if case .banded(let lower, let upper) = kind { (lower, upper) } else { (1, 1) }
  }
}
