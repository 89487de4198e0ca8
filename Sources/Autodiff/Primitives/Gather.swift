/// Rows of an array by their numbers: `[n, …]` and indices of shape `I` give `I + […]`. Batched, both have a leading
/// axis in common. An index outside of 0..<n is an error.
package struct Gather: Primitive {
  let isBatched: Bool

  package var name: String { "gather" }
  package var attributes: String { isBatched ? "batched" : "" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let (x, indices) = (operands[0].shape, operands[1].shape)
    let lead = isBatched ? 1 : 0
    guard x.count > lead, indices.count >= lead, x.prefix(lead) == indices.prefix(lead) else {
      throw TensorError(.shape, name, "\(operands[0]) has no rows for indices \(operands[1])")
    }
    guard operands[1].elementType == .int32 else {
      throw TensorError(
        .elementType, name, "indices must be int32, not \(operands[1]); use converted(to: .int32)")
    }
    return [TensorType(operands[0].elementType, indices + x.dropFirst(lead + 1))]
  }

  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let type = try resultTypes(operands.map(\.type))[0]
    let rows = RowIndices(operands[1], isBatched: isBatched, of: operands[0].shape)
    try rows.check(name)
    let source = operands[0].contiguous()
    defer { withExtendedLifetime(source) {} }
    let result = DenseArray(uninitialized: type)
    let bytes = rows.rowLength * type.elementType.byteCount
    let from = source.buffer.base + source.offset * type.elementType.byteCount
    rows.forEach { place, row in
      (result.buffer.base + place * bytes).copyMemory(from: from + row * bytes, byteCount: bytes)
    }
    return [result]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[0].map { bind1(self, $0, primals[1]) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil] }
    let indices = try coefficients(operands.suffix(1), "an index")[0]
    let count = operands[0].type.shape[isBatched ? 1 : 0]
    return [bind1(ScatterAdd(count: count, isBatched: isBatched), indices, c), nil]
  }
  package func batch(_ operands: [Tensor], _ flags: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    var (x, indices) = (operands[0], operands[1])
    if isBatched {
      // Two batch axes become one.
      x = x.batched(flags[0], size)
      indices = indices.batched(flags[1], size)
      let joined = bind1(
        self, x.reshaped([size * x.shape[1]] + x.shape.dropFirst(2)),
        indices.reshaped([size * indices.shape[1]] + indices.shape.dropFirst(2)))
      return ([joined.reshaped([size, x.shape[1]] + joined.shape.dropFirst())], [true])
    }
    switch (flags[0], flags[1]) {
    case (true, true): return ([bind1(Gather(isBatched: true), x, indices)], [true])
    case (false, _): return ([bind1(self, x, indices)], [true])
    default: return ([bind1(self, x.movingAxis(0, to: 1), indices).movingAxis(indices.rank, to: 0)], [true])
    }
  }
}

/// Adds rows to rows of an array of zeros: the transpose of ``Gather``. Operands are indices and rows.
package struct ScatterAdd: Primitive {
  /// Number of rows of the result.
  let count: Int
  let isBatched: Bool

  package var name: String { "scatterAdd" }
  package var attributes: String { "count: \(count)" + (isBatched ? ", batched" : "") }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let (indices, rows) = (operands[0].shape, operands[1].shape)
    guard rows.starts(with: indices), !isBatched || !indices.isEmpty, operands[1].elementType != .bool else {
      throw TensorError(.shape, name, "rows \(operands[1]) do not belong to indices \(operands[0])")
    }
    guard operands[0].elementType == .int32 else {
      throw TensorError(
        .elementType, name, "indices must be int32, not \(operands[0]); use converted(to: .int32)")
    }
    return [
      TensorType(
        operands[1].elementType, indices.prefix(isBatched ? 1 : 0) + [count] + rows.dropFirst(indices.count))
    ]
  }

  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let type = try resultTypes(operands.map(\.type))[0]
    let rows = RowIndices(operands[0], isBatched: isBatched, of: type.shape)
    try rows.check(name)
    let source = operands[1].contiguous()
    let result = DenseArray(uninitialized: type)
    switch type.elementType {
    case .float64: add(source, to: result, rows, Double.self)
    case .float32: add(source, to: result, rows, Float.self)
    case .int32: add(source, to: result, rows, Int32.self)
    case .bool: preconditionFailure("the result type of \(name) excludes bool")
    }
    return [result]
  }
  private func add<T: Numeric & BitwiseCopyable>(
    _ source: DenseArray, to result: DenseArray, _ rows: RowIndices, _ type: T.Type
  ) {
    let (from, to) = (source.pointer(T.self), result.pointer(T.self))
    to.update(repeating: 0, count: result.count)
    let length = rows.rowLength
    rows.forEach { place, row in for k in 0..<length { to[row &* length &+ k] += from[place &* length &+ k] }
    }
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[1].map { bind1(self, primals[0], $0) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil] }
    let indices = try coefficients(operands.prefix(1), "an index")[0]
    return [nil, bind1(Gather(isBatched: isBatched), c, indices)]
  }
  package func batch(_ operands: [Tensor], _ flags: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    var (indices, rows) = (operands[0], operands[1])
    if isBatched {
      indices = indices.batched(flags[0], size)
      rows = rows.batched(flags[1], size)
      let lead = indices.shape[1]
      let joined = bind1(
        self, indices.reshaped([size * lead] + indices.shape.dropFirst(2)),
        rows.reshaped([size * lead] + rows.shape.dropFirst(2)))
      return ([joined.reshaped([size, lead] + joined.shape.dropFirst())], [true])
    }
    if !flags[0] {
      return ([bind1(self, indices, rows.movingAxis(0, to: indices.rank)).movingAxis(1, to: 0)], [true])
    }
    return ([bind1(ScatterAdd(count: count, isBatched: true), indices, rows.batched(flags[1], size))], [true])
  }
}

/// Which row of a (stack of) row arrays each index names.
private struct RowIndices {
  let indices: DenseArray
  let stacks: Int
  let perStack: Int
  let rowCount: Int
  let rowLength: Int

  init(_ indices: DenseArray, isBatched: Bool, of shape: [Int]) {
    let lead = isBatched ? 1 : 0
    self.indices = indices.contiguous()
    stacks = isBatched ? shape[0] : 1
    perStack = indices.shape.dropFirst(lead).reduce(1, *)
    rowCount = shape[lead]
    rowLength = shape.dropFirst(lead + 1).reduce(1, *)
  }
  func check(_ operation: String) throws(TensorError) {
    let numbers = indices.pointer(Int32.self)
    for k in 0..<indices.count where !(0..<rowCount).contains(Int(numbers[k])) {
      throw TensorError(
        .range, operation,
        "index \(numbers[k]) (number \(k) of indices of shape \(indices.shape)) is not in 0..<\(rowCount)")
    }
  }
  @inline(__always) func forEach(_ body: (_ place: Int, _ row: Int) -> Void) {
    let numbers = indices.pointer(Int32.self)
    for stack in 0..<stacks {
      for k in 0..<perStack {
        let place = stack &* perStack &+ k
        body(place, stack &* rowCount &+ Int(numbers[place]))
      }
    }
  }
}
