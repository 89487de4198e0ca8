import Autodiff
import COpenBLAS
import LinearAlgebra

/// An operator with its numbers: what iterations multiply with.
final class NumericOperator: LinearMap, @unchecked Sendable {
  let node: OperatorNode
  /// Double precision, row-major.
  let parameters: [DenseArray]
  private let children: [NumericOperator]

  init(_ node: OperatorNode, _ parameters: [DenseArray]) {
    self.node = node
    self.parameters = parameters
    switch node.kind {
    case .sum(let nodes), .product(let nodes):
      children = OperatorNode.pairs(nodes, parameters[...]).map { NumericOperator($0, Array($1)) }
    case .scaled(let child): children = [NumericOperator(child, Array(parameters.dropFirst()))]
    case .transposed(let child): children = [NumericOperator(child, parameters)]
    case .lowRankUpdate(let base, _): children = [NumericOperator(base, Array(parameters.dropLast(2)))]
    default: children = []
    }
  }
  var rows: Int { node.rows }
  var columns: Int { node.columns }

  func multiply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) throws {
    let (length, size) = transposed ? (rows, columns) : (columns, rows)
    if size == 0 || length == 0 {
      y.update(repeating: 0, count: size)
      return
    }
    switch node.kind {
    case .dense where !node.tags.isTriangular:
      cblas_dgemv(
        CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, Int32(rows), Int32(columns), 1,
        parameters[0].pointer(Double.self), Int32(columns), x, 1, 0, y, 1)
    case .sparse(let pattern) where !node.tags.isTriangular:
      pattern.multiply(parameters[0].pointer(Double.self), x, into: y, columns: 1, transposed: transposed)
    case .diagonal:
      let d = parameters[0].pointer(Double.self)
      for k in 0..<size { y[k] = d[k] * x[k] }
    case .scaled:
      let factor = parameters[0].pointer(Double.self).pointee
      try children[0].multiply(x, into: y, transposed: transposed)
      for k in 0..<size { y[k] *= factor }
    case .transposed: try children[0].multiply(x, into: y, transposed: !transposed)
    case .sum:
      let term = NumberBuffer(count: size)
      for (k, child) in children.enumerated() {
        try child.multiply(x, into: k == 0 ? y : term.base, transposed: transposed)
        if k > 0 { for i in 0..<size { y[i] += term.base[i] } }
      }
    case .product:
      var current = NumberBuffer(copying: x, count: length)
      for child in transposed ? children : children.reversed() {
        let next = NumberBuffer(count: transposed ? child.columns : child.rows)
        try child.multiply(current.base, into: next.base, transposed: transposed)
        current = next
      }
      y.update(from: current.base, count: size)
    default:
      let vector = DenseArray(uninitialized: .float64, [length, 1])
      vector.pointer(Double.self).update(from: x, count: length)
      let result = try withTensorErrors {
        try node.apply(parameters.map { Tensor($0) }[...], Tensor(vector), transposed: transposed)
      }
      let product = try result.denseValue(node.label).contiguous()
      y.update(from: product.pointer(Double.self), count: size)
      withExtendedLifetime(product) {}
    }
  }

  /// All elements, row-major.
  func denseMatrix() throws -> DenseArray {
    if case .dense = node.kind, !node.tags.isTriangular { return parameters[0] }
    let matrix = try withTensorErrors {
      try node.apply(parameters.map { Tensor($0) }[...], Tensor.identity(columns), transposed: false)
    }
    return try matrix.denseValue(node.label).contiguous()
  }

  /// The operator as a sparse matrix; nil if it has no such form.
  func sparseMatrix() throws -> CompressedMatrix? {
    if case .sparse(let pattern) = node.kind, !node.tags.isTriangular {
      return try CompressedMatrix(pattern, values: parameters[0].values(Double.self))
    }
    guard node.hasSparseForm else { return nil }
    let form = try node.sparseForms.form {
      var (rows, columns): ([Int], [Int]) = ([], [])
      node.appendEntries(&rows, &columns)
      let (pattern, places) = try SparsityPattern.coordinates(
        rowCount: node.rows, columnCount: node.columns, rows: rows, columns: columns)
      return SparseFormCache.Form(pattern: pattern, places: places)
    }
    var numbers: [Double] = []
    numbers.reserveCapacity(form.places.count)
    appendNumbers(&numbers)
    var values = [Double](repeating: 0, count: form.pattern.entryCount)
    for (place, number) in zip(form.places, numbers) { values[place] += number }
    return try CompressedMatrix(form.pattern, values: values)
  }

  /// The numbers that belong to `appendEntries`.
  private func appendNumbers(_ numbers: inout [Double]) {
    switch node.kind {
    case .sparse(let pattern):
      let values = parameters[0].values(Double.self)
      guard node.tags.isTriangular else {
        numbers += values
        return
      }
      let isUnit = node.tags.contains(.unitDiagonal)
      let isLower = node.tags.contains(.lowerTriangular)
      for row in 0..<rows {
        for k in pattern.rowOffsets[row]..<pattern.rowOffsets[row + 1] {
          let column = pattern.columnIndices[k]
          numbers.append(column == row ? (isUnit ? 0 : values[k]) : (column < row) == isLower ? values[k] : 0)
        }
      }
      if isUnit { numbers += [Double](repeating: 1, count: rows) }
    case .diagonal, .blockDiagonal: numbers += parameters[0].values(Double.self)
    case .banded, .tridiagonal:
      let all = parameters.flatMap { $0.values(Double.self) }
      for place in node.bandForm.places.values(Int32.self) { numbers.append(all[Int(place)]) }
    case .scaled:
      let start = numbers.count
      children[0].appendNumbers(&numbers)
      let factor = parameters[0].pointer(Double.self).pointee
      for k in start..<numbers.count { numbers[k] *= factor }
    case .transposed, .sum: for child in children { child.appendNumbers(&numbers) }
    default: break
    }
  }

  /// The diagonal, for preconditioners.
  func diagonal() throws -> [Double] {
    if let sparse = try sparseMatrix() {
      return (0..<rows).map { row in
        sparse.pattern.place(row: row, column: row).map { sparse.values[$0] } ?? 0
      }
    }
    let matrix = try denseMatrix()
    return (0..<rows).map { matrix.pointer(Double.self)[$0 * (columns + 1)] }
  }
}

extension OperatorNode {
  /// Whether the operator is a sparse matrix, or made of such by sums, factors and transposition.
  var hasSparseForm: Bool {
    switch kind {
    case .sparse, .diagonal, .banded, .tridiagonal, .blockDiagonal: true
    case .scaled(let child), .transposed(let child): child.hasSparseForm
    case .sum(let children): children.allSatisfy(\.hasSparseForm)
    default: false
    }
  }
  /// Rows and columns of the numbers of its sparse form; places may repeat.
  func appendEntries(_ rowsOfEntries: inout [Int], _ columnsOfEntries: inout [Int]) {
    switch kind {
    case .sparse(let pattern):
      rowsOfEntries += pattern.rowIndices
      columnsOfEntries += pattern.columnIndices
      if tags.contains(.unitDiagonal) {
        rowsOfEntries += Array(0..<rows)
        columnsOfEntries += Array(0..<rows)
      }
    case .diagonal:
      rowsOfEntries += Array(0..<rows)
      columnsOfEntries += Array(0..<rows)
    case .banded, .tridiagonal:
      rowsOfEntries += bandForm.pattern.rowIndices
      columnsOfEntries += bandForm.pattern.columnIndices
    case .blockDiagonal(let count):
      let (height, width) = (rows / max(count, 1), columns / max(count, 1))
      for block in 0..<count {
        for i in 0..<height {
          for j in 0..<width {
            rowsOfEntries.append(block * height + i)
            columnsOfEntries.append(block * width + j)
          }
        }
      }
    case .scaled(let child): child.appendEntries(&rowsOfEntries, &columnsOfEntries)
    case .transposed(let child): child.appendEntries(&columnsOfEntries, &rowsOfEntries)
    case .sum(let children): for child in children { child.appendEntries(&rowsOfEntries, &columnsOfEntries) }
    default: break
    }
  }
}
