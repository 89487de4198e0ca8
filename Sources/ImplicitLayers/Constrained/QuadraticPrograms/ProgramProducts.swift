import Autodiff
import Lanes
import LinearAlgebra

// The products of a program's matrices with vectors, and their transposes: in one pass over the matrix each, which is most of what a
// gradient by the matrices costs.

/// M x and Mᵀ y, for one matrix or a stack. Operands: M, x, y. Of a sparse matrix M is its values.
struct MatrixVectorProducts: Primitive {
  /// Where a sparse matrix has entries; nil for dense ones.
  var pattern: SparsityPattern?

  var name: String { "matrixVectorProducts" }
  var attributes: String { pattern.map { "\($0.entryCount) entries" } ?? "" }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let shape = matrixShape(operands[0].shape, pattern)
    guard shape.count == 2 || shape.count == 3 else {
      throw TensorError(.shape, name, "\(operands[0]) where a matrix or a stack of them is wanted")
    }
    let lead = shape.dropLast(2)
    let (x, y) = (TensorType(.float64, lead + shape.suffix(1)), TensorType(.float64, shape.dropLast()))
    guard operands[0].elementType == .float64, operands[1] == x, operands[2] == y else {
      throw TensorError(.shape, name, "\(operands[0]) with \(operands[1]) and \(operands[2])")
    }
    return [y, x]
  }

  func evaluate(_ given: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let types = try resultTypes(given.map(\.type))
    let operands = given.map { $0.contiguous() }
    let results = types.map { DenseArray(uninitialized: .float64, $0.shape) }
    let (stack, rows, columns) = extent(matrixShape(operands[0].shape, pattern))
    let (matrix, x, y) = (
      Shared(value: operands[0].pointer(Double.self)), Shared(value: operands[1].pointer(Double.self)),
      Shared(value: operands[2].pointer(Double.self))
    )
    let (right, left) = (
      Shared(value: results[0].pointer(Double.self)), Shared(value: results[1].pointer(Double.self))
    )
    let entries = pattern?.entryCount ?? rows * columns
    forEachMatrix(stack, entries) { k in
      let (x, y) = (x.value + k * columns, y.value + k * rows)
      let (right, left) = (right.value + k * rows, left.value + k * columns)
      left.update(repeating: 0, count: columns)
      if let pattern {
        let values = matrix.value + k * entries
        pattern.forEachRow { i, places, columns in
          let factor = y[i]
          var sum = 0.0
          for place in places {
            let column = columns[place]
            sum += values[place] * x[column]
            left[column] += values[place] * factor
          }
          right[i] = sum
        }
        return
      }
      for i in 0..<rows {
        let row = matrix.value + (k * rows + i) * columns
        right[i] = dotProduct(row, x, columns)
        let factor = y[i]
        var j = 0
        while j < columns {
          left[j] += row[j] * factor
          j = j &+ 1
        }
      }
    }
    withExtendedLifetime(operands) {}
    return results
  }

  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(self, primals)
    var changes: [Tensor] = []
    if let matrix = tangents[0] { changes = try bindOrThrow(self, [matrix, primals[1], primals[2]]) }
    if tangents[1] != nil || tangents[2] != nil {
      let x = tangents[1] ?? Tensor.zeros(primals[1].shape)
      let y = tangents[2] ?? Tensor.zeros(primals[2].shape)
      let more = try bindOrThrow(self, [primals[0], x, y])
      changes = changes.isEmpty ? more : zip(changes, more).map { $0 + $1 }
    }
    return (results, changes)
  }

  /// ⟨c, M x⟩ + ⟨d, Mᵀ y⟩ = ⟨M, c xᵀ + y dᵀ⟩ = ⟨Mᵀ c, x⟩ + ⟨M d, y⟩.
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    let c = cotangents[0] ?? Tensor.zeros(operands[2].type.shape)
    let d = cotangents[1] ?? Tensor.zeros(operands[1].type.shape)
    if operands[0].isLinear {
      guard let x = operands[1].known, let y = operands[2].known else {
        throw TensorError(.unsupportedDerivative, name, "is linear in the matrix, or in the vectors")
      }
      return [try bindOrThrow(OuterProducts(pattern: pattern), [c, x, y, d])[0], nil, nil]
    }
    guard let matrix = operands[0].known else { return [nil, nil, nil] }
    let found = try bindOrThrow(self, [matrix, d, c])
    return [nil, operands[1].isLinear ? found[1] : nil, operands[2].isLinear ? found[0] : nil]
  }

  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) { try bindStack(self, operands, isBatched, size: size, rank: pattern == nil ? 2 : 1) }
}

/// a xᵀ + y bᵀ, one matrix or a stack. Operands: a, x, y, b. Of a sparse matrix only the values on its pattern.
struct OuterProducts: Primitive {
  /// Where a sparse matrix has entries; nil for dense ones.
  var pattern: SparsityPattern?

  var name: String { "outerProducts" }
  var attributes: String { pattern.map { "\($0.entryCount) entries" } ?? "" }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let (rows, columns) = (operands[0].shape, operands[1].shape)
    guard rows.count == 1 || rows.count == 2, rows.count == columns.count,
      rows.dropLast() == columns.dropLast(), operands[2] == operands[0], operands[3] == operands[1],
      operands.allSatisfy({ $0.elementType == .float64 })
    else { throw TensorError(.shape, name, "\(operands)") }
    guard let pattern else { return [TensorType(.float64, rows + columns.suffix(1))] }
    guard rows.last == pattern.rowCount, columns.last == pattern.columnCount else {
      throw TensorError(.shape, name, "\(operands) do not fit \(pattern.rowCount) x \(pattern.columnCount)")
    }
    return [TensorType(.float64, rows.dropLast() + [pattern.entryCount])]
  }

  func evaluate(_ given: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let types = try resultTypes(given.map(\.type))
    let operands = given.map { $0.contiguous() }
    let result = DenseArray(uninitialized: .float64, types[0].shape)
    let (stack, rows, columns) = extent(matrixShape(types[0].shape, pattern))
    let sources = operands.map { Shared(value: $0.pointer(Double.self)) }
    let (a, x, y, b) = (sources[0], sources[1], sources[2], sources[3])
    let target = Shared(value: result.pointer(Double.self))
    let entries = pattern?.entryCount ?? rows * columns
    forEachMatrix(stack, entries) { k in
      let (x, b) = (x.value + k * columns, b.value + k * columns)
      if let pattern {
        let values = target.value + k * entries
        pattern.forEachRow { i, places, columns in
          let (first, second) = (a.value[k * rows + i], y.value[k * rows + i])
          for place in places {
            values[place] = first * x[columns[place]] + second * b[columns[place]]
          }
        }
        return
      }
      for i in 0..<rows {
        let (first, second) = (a.value[k * rows + i], y.value[k * rows + i])
        let row = target.value + (k * rows + i) * columns
        var j = 0
        while j < columns {
          row[j] = first * x[j] + second * b[j]
          j = j &+ 1
        }
      }
    }
    withExtendedLifetime(operands) {}
    return [result]
  }

  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(self, primals)
    func moved(_ k: Int) -> Tensor { tangents[k] ?? Tensor.zeros(primals[k].shape) }
    var change: Tensor?
    if tangents[0] != nil || tangents[3] != nil {
      change = try bindOrThrow(self, [moved(0), primals[1], primals[2], moved(3)])[0]
    }
    if tangents[1] != nil || tangents[2] != nil {
      let more = try bindOrThrow(self, [primals[0], moved(1), moved(2), primals[3]])[0]
      change = change.map { $0 + more } ?? more
    }
    return (results, [change])
  }

  /// ⟨M, a xᵀ + y bᵀ⟩ = ⟨M x, a⟩ + ⟨Mᵀ y, b⟩ = ⟨Mᵀ a, x⟩ + ⟨M b, y⟩.
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let matrix = cotangents[0] else { return [nil, nil, nil, nil] }
    if let x = operands[1].known, let y = operands[2].known {
      let found = try bindOrThrow(MatrixVectorProducts(pattern: pattern), [matrix, x, y])
      return [
        operands[0].isLinear ? found[0] : nil, nil, nil, operands[3].isLinear ? found[1] : nil,
      ]
    }
    guard let a = operands[0].known, let b = operands[3].known else {
      throw TensorError(.unsupportedDerivative, name, "is linear in the outer two operands, or the inner two")
    }
    let found = try bindOrThrow(MatrixVectorProducts(pattern: pattern), [matrix, b, a])
    return [nil, operands[1].isLinear ? found[1] : nil, operands[2].isLinear ? found[0] : nil, nil]
  }

  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) { try bindStack(self, operands, isBatched, size: size, rank: 1) }
}

/// The shape of the matrices that such values belong to.
private func matrixShape(_ shape: [Int], _ pattern: SparsityPattern?) -> [Int] {
  guard let pattern else { return shape }
  return shape.last == pattern.entryCount ? shape.dropLast() + [pattern.rowCount, pattern.columnCount] : []
}
extension SparsityPattern {
  /// Calls with each row, the places of its entries, and the columns of all entries.
  fileprivate func forEachRow(_ body: (Int, Range<Int>, UnsafeBufferPointer<Int>) -> Void) {
    rowOffsets.withUnsafeBufferPointer { offsets in
      columnIndices.withUnsafeBufferPointer { columns in
        for row in 0..<rowCount { body(row, offsets[row]..<offsets[row + 1], columns) }
      }
    }
  }
}

/// How many matrices, of how many rows and columns.
private func extent(_ shape: [Int]) -> (stack: Int, rows: Int, columns: Int) {
  (shape.dropLast(2).reduce(1, *), shape[shape.count - 2], shape[shape.count - 1])
}

private func forEachMatrix(_ count: Int, _ entries: Int, _ body: @Sendable (Int) -> Void) {
  // Less work than this takes less time than starting threads.
  let cores = count * entries > 1 << 18 ? processorCount : 1
  let blocks = min(count, cores * 4)
  parallelFor(count: blocks, threads: cores, makeContext: { 0 }) { _, block in
    for k in count * block / blocks..<count * (block + 1) / blocks { body(k) }
  }
}

/// Applies a primitive on stacks to operands with a batch in front, the first of which has `rank` axes without stack and batch; a batch of
/// stacks is one longer stack.
private func bindStack(
  _ primitive: some Primitive, _ operands: [Tensor], _ isBatched: [Bool], size: Int, rank: Int
) throws -> (results: [Tensor], isBatched: [Bool]) {
  var prepared = zip(operands, isBatched).map { $0.batched($1, size) }
  let inner = prepared[0].rank == rank + 2 ? prepared[0].shape[1] : nil
  if let inner { prepared = prepared.map { $0.reshaped([size * inner] + $0.shape.dropFirst(2)) } }
  var results = try bindOrThrow(primitive, prepared)
  if let inner { results = results.map { $0.reshaped([size, inner] + $0.shape.dropFirst()) } }
  return (results, results.map { _ in true })
}
