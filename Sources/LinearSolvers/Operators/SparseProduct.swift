package import Autodiff
import LinearAlgebra

/// A x or Aᵀ x with a sparse A. Operands: the values on the pattern, and x as a matrix of columns; stacked, both have an axis more
/// in front. Linear in each. Its transpose in the values is ``SampledProducts``, so that the two are closed under every order.
struct SparseProduct: Primitive {
  let pattern: SparsityPattern
  let isTransposed: Bool
  let isStacked: Bool

  var name: String { "sparseProduct" }
  var attributes: String {
    "\(pattern.rowCount) x \(pattern.columnCount), \(pattern.entryCount) entries"
      + (isTransposed ? ", transposed" : "")
      + (isStacked ? ", stacked" : "")
  }
  private var inner: Int { isTransposed ? pattern.rowCount : pattern.columnCount }
  private var outer: Int { isTransposed ? pattern.columnCount : pattern.rowCount }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let (values, x) = (operands[0], operands[1])
    let lead = isStacked ? 1 : 0
    guard values.shape.count == 1 + lead, values.shape.last == pattern.entryCount, x.shape.count == 2 + lead,
      x.shape[lead] == inner, values.shape.prefix(lead) == x.shape.prefix(lead),
      values.elementType == x.elementType,
      x.elementType.isFloatingPoint
    else {
      throw TensorError(
        .shape, name,
        "values \(values) and vectors \(x) do not fit a pattern of \(pattern.rowCount) x \(pattern.columnCount) with "
          + "\(pattern.entryCount) entries")
    }
    return [TensorType(x.elementType, x.shape.prefix(lead) + [outer, x.shape[lead + 1]])]
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let values = try operands[0].converted(to: .float64).contiguous()
    let x = try operands[1].converted(to: .float64).contiguous()
    let type = try resultTypes(operands.map(\.type))[0]
    let result = DenseArray(uninitialized: .float64, type.shape)
    let count = isStacked ? x.shape[0] : 1
    let columns = type.shape[type.shape.count - 1]
    withExtendedLifetime((values, x)) {
      for k in 0..<count {
        pattern.multiply(
          values.pointer(Double.self) + k * pattern.entryCount, x.pointer(Double.self) + k * inner * columns,
          into: result.pointer(Double.self) + k * outer * columns, columns: columns, transposed: isTransposed)
      }
    }
    return [try result.converted(to: type.elementType)]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let first = tangents[0].map { bind1(self, $0, primals[1]) }
    let second = tangents[1].map { bind1(self, primals[0], $0) }
    return (bind(self, primals), [sum(first, second)])
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil] }
    switch (operands[0], operands[1]) {
    case (.known(let values), .linear):
      return [
        nil,
        bind1(SparseProduct(pattern: pattern, isTransposed: !isTransposed, isStacked: isStacked), values, c),
      ]
    case (.linear, .known(let x)):
      let sampled = SampledProducts(pattern: pattern, isStacked: isStacked)
      return [isTransposed ? bind1(sampled, x, c) : bind1(sampled, c, x), nil]
    default: throw TensorError(.unsupportedDerivative, name, "is not linear in both operands jointly")
    }
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    if !isBatched[0] {
      // More columns of one matrix.
      let x = operands[1].movingAxis(0, to: -1)
      let columns = x.shape[x.rank - 2]
      let wide = x.reshaped(x.shape.dropLast(2) + [columns * size])
      let product = try bindOrThrow(self, [operands[0], wide])[0]
      return ([product.reshaped(product.shape.dropLast() + [columns, size]).movingAxis(-1, to: 0)], [true])
    }
    let stacked = SparseProduct(pattern: pattern, isTransposed: isTransposed, isStacked: true)
    return try bindStacked(stacked, operands, isBatched, size: size, wasStacked: isStacked)
  }
}

/// For each entry (i, j) of a pattern the inner product of row i of U and row j of V: the derivative of a sparse product in its
/// values, O(entries). Operands: U and V; stacked, both have an axis more in front.
struct SampledProducts: Primitive {
  let pattern: SparsityPattern
  let isStacked: Bool

  var name: String { "sampledProducts" }
  var attributes: String { "\(pattern.entryCount) entries" + (isStacked ? ", stacked" : "") }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let (u, v) = (operands[0], operands[1])
    let lead = isStacked ? 1 : 0
    guard u.shape.count == 2 + lead, v.shape.count == 2 + lead, u.shape[lead] == pattern.rowCount,
      v.shape[lead] == pattern.columnCount, u.shape.last == v.shape.last,
      u.shape.prefix(lead) == v.shape.prefix(lead),
      u.elementType == v.elementType, u.elementType.isFloatingPoint
    else { throw TensorError(.shape, name, "\(u) and \(v) do not fit the pattern") }
    return [TensorType(u.elementType, u.shape.prefix(lead) + [pattern.entryCount])]
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let u = try operands[0].converted(to: .float64).contiguous()
    let v = try operands[1].converted(to: .float64).contiguous()
    let type = try resultTypes(operands.map(\.type))[0]
    let result = DenseArray(uninitialized: .float64, type.shape)
    let count = isStacked ? u.shape[0] : 1
    let columns = u.shape[u.rank - 1]
    withExtendedLifetime((u, v)) {
      for k in 0..<count {
        pattern.sampleProducts(
          u.pointer(Double.self) + k * pattern.rowCount * columns,
          v.pointer(Double.self) + k * pattern.columnCount * columns, columns: columns,
          into: result.pointer(Double.self) + k * pattern.entryCount)
      }
    }
    return [try result.converted(to: type.elementType)]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let first = tangents[0].map { bind1(self, $0, primals[1]) }
    let second = tangents[1].map { bind1(self, primals[0], $0) }
    return (bind(self, primals), [sum(first, second)])
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil] }
    switch (operands[0], operands[1]) {
    case (.linear, .known(let v)):
      return [bind1(SparseProduct(pattern: pattern, isTransposed: false, isStacked: isStacked), c, v), nil]
    case (.known(let u), .linear):
      return [nil, bind1(SparseProduct(pattern: pattern, isTransposed: true, isStacked: isStacked), c, u)]
    default: throw TensorError(.unsupportedDerivative, name, "is not linear in both operands jointly")
    }
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    try bindStacked(
      SampledProducts(pattern: pattern, isStacked: true), operands, isBatched, size: size,
      wasStacked: isStacked)
  }
}

/// Applies a stacked primitive to operands with a batch in front; a batch of stacks is one longer stack.
package func bindStacked(
  _ primitive: some Primitive, _ operands: [Tensor], _ isBatched: [Bool], size: Int, wasStacked: Bool
) throws -> (results: [Tensor], isBatched: [Bool]) {
  var prepared = zip(operands, isBatched).map { $0.batched($1, size) }
  let inner = wasStacked ? prepared[0].shape[1] : 1
  if wasStacked { prepared = prepared.map { $0.reshaped([size * inner] + $0.shape.dropFirst(2)) } }
  var results = try bindOrThrow(primitive, prepared)
  if wasStacked { results = results.map { $0.reshaped([size, inner] + $0.shape.dropFirst()) } }
  return (results, results.map { _ in true })
}
