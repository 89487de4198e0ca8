import Autodiff

/// Hand-written code as an operation on tensors, by the contract of a linearised operation: its forward derivative is
/// an operation that is linear in the tangents, whose transpose is the hand-written reverse sweep.
///
/// Operands and results are stacks of rows, one row per world; batching adds rows. Operands that worlds share, the
/// model's parameters, come one for each block of neighbouring rows.
protocol RowKernel: Hashable, Sendable {
  var name: String { get }
  /// Types of one row of each operand, and of one block's share.
  var rowTypes: [TensorType] { get }
  var blockTypes: [TensorType] { get }
  /// Types of one row of each result.
  var resultTypes: [TensorType] { get }
  /// Whether the reverse sweep needs what the forward pass leaves.
  var keepsTapes: Bool { get }

  /// Results, and if tapes are kept, `[rows, 2]` numbers: for each row the tape that holds it and the row's place
  /// there.
  func evaluate(_ operands: KernelOperands, _ tapes: TapeExtent) throws(TensorError) -> (
    results: [DenseArray], tapes: DenseArray?
  )
  /// Tangents of the results; a tangent that is nil is zero.
  func pushforward(_ operands: KernelOperands, _ tangents: [DenseArray?]) throws(TensorError) -> [DenseArray]
  /// Cotangents of the wanted operands.
  func pullback(
    _ tapes: DenseArray?, _ operands: KernelOperands, _ cotangents: [DenseArray], isWanted: [Bool]
  ) throws(TensorError) -> [DenseArray]
  /// How the pullback's results change when operands and cotangents do; a tangent that is nil is zero.
  func pullbackRates(
    _ operands: KernelOperands, _ tangents: [DenseArray?], _ cotangents: [DenseArray], _ rates: [DenseArray],
    isWanted: [Bool]
  ) throws(TensorError) -> [DenseArray]
}

extension RowKernel {
  /// Types of the operands of a stack.
  func operandTypes(rows: Int, blocks: Int) -> [TensorType] {
    rowTypes.map { $0.stacked(rows) } + blockTypes.map { $0.stacked(blocks) }
  }
  func resultTypes(rows: Int) -> [TensorType] { resultTypes.map { $0.stacked(rows) } }
}

/// Operands of a kernel, and how many rows and blocks they have.
struct KernelOperands {
  var arrays: [DenseArray]
  var rows: Int
  var blocks: Int
}

/// Which rows one tape covers.
enum TapeExtent: Hashable {
  /// None is kept.
  case none
  /// Neighbouring rows, across blocks whose shares are equal.
  case whole
  /// One block: then the gradients of blocks come apart.
  case block
}

extension TensorType {
  /// A stack of such values.
  func stacked(_ count: Int) -> TensorType { TensorType(elementType, [count] + shape) }
}

/// The operation itself.
struct KernelCall<Kernel: RowKernel>: Primitive {
  let kernel: Kernel
  let rows: Int
  let blocks: Int
  /// Where tapes are kept, the last result says which.
  var tapes = TapeExtent.none

  var name: String { kernel.name }
  var attributes: String { "rows: \(rows)" + (tapes == .none ? "" : ", with tape") }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireTypes(operands, kernel.operandTypes(rows: rows, blocks: blocks), name)
    return kernel.resultTypes(rows: rows) + (tapes == .none ? [] : [TensorType(.int32, [rows, 2])])
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let (results, tapes) = try kernel.evaluate(
      KernelOperands(arrays: operands, rows: rows, blocks: blocks), tapes)
    return results + [tapes].compactMap { $0 }
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let sharesAreActive = tangents.dropFirst(kernel.rowTypes.count).contains { $0 != nil }
    var call = self
    if kernel.keepsTapes { call.tapes = sharesAreActive || tapes == .block ? .block : .whole }
    let results = try bindOrThrow(call, primals)
    let count = kernel.resultTypes.count
    let linear = KernelTangent(
      kernel: kernel, rows: rows, blocks: blocks, isActive: tangents.map { $0 != nil })
    let resultTangents = try bindOrThrow(
      linear, results.dropFirst(count) + primals + tangents.compactMap { $0 })
    // The note of the tapes is no number: it has no derivative.
    return tapes == .none
      ? (Array(results.prefix(count)), resultTangents) : (results, resultTangents + [nil])
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    var call = KernelCall(kernel: kernel, rows: size * rows, blocks: kernel.batched(blocks, size))
    call.tapes = tapes
    return try batchRows(call, operands, isBatched, size)
  }
}

/// The derivative as a linear operation. Operands: the note of the tapes, the operands of the call, tangents of those
/// that are active.
struct KernelTangent<Kernel: RowKernel>: Primitive {
  let kernel: Kernel
  let rows: Int
  let blocks: Int
  let isActive: [Bool]

  var name: String { "\(kernel.name)Tangent" }
  var attributes: String { "rows: \(rows)" }
  private var linearStart: Int { (kernel.keepsTapes ? 1 : 0) + isActive.count }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    let expected = kernel.tapeTypes(rows) + types + zip(types, isActive).filter(\.1).map(\.0)
    try requireTypes(operands, expected, name)
    return kernel.resultTypes(rows: rows)
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let primals = Array(operands[linearStart - isActive.count..<linearStart])
    var tangents = operands.dropFirst(linearStart).makeIterator()
    return try kernel.pushforward(
      KernelOperands(arrays: primals, rows: rows, blocks: blocks),
      isActive.map { $0 ? tangents.next()! : nil })
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    try requireConstant(tangents.prefix(linearStart), "second forward", kernel.name)
    let directions = zip(primals, tangents).dropFirst(linearStart).map { $1 ?? zeros($0.type) }
    return (
      try bindOrThrow(self, primals),
      try bindOrThrow(self, primals.prefix(linearStart) + directions).map { $0 }
    )
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    var isWanted = isActive
    let active = isActive.indices.filter { isActive[$0] }
    for (k, operand) in zip(active, operands.dropFirst(linearStart)) { isWanted[k] = operand.isLinear }
    let adjoint = KernelCotangent(kernel: kernel, rows: rows, blocks: blocks, isWanted: isWanted)
    let filled = zip(cotangents, kernel.resultTypes(rows: rows)).map { $0 ?? zeros($1) }
    var results = try bindOrThrow(adjoint, operands.prefix(linearStart).map { $0.known! } + filled)
      .makeIterator()
    return operands.map { $0.isLinear ? results.next()! : nil }
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    try batchRows(
      KernelTangent(
        kernel: kernel, rows: size * rows, blocks: kernel.batched(blocks, size), isActive: isActive),
      operands, isBatched, size)
  }
}

/// The transposed derivative: the reverse sweep. Operands: the note of the tapes, the operands of the call,
/// cotangents of the results. Results: cotangents of the operands that are wanted.
struct KernelCotangent<Kernel: RowKernel>: Primitive {
  let kernel: Kernel
  let rows: Int
  let blocks: Int
  let isWanted: [Bool]

  var name: String { "\(kernel.name)Cotangent" }
  var attributes: String { "rows: \(rows)" }
  private var linearStart: Int { (kernel.keepsTapes ? 1 : 0) + isWanted.count }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    try requireTypes(operands, kernel.tapeTypes(rows) + types + kernel.resultTypes(rows: rows), name)
    return zip(types, isWanted).filter(\.1).map(\.0)
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    try kernel.pullback(
      kernel.keepsTapes ? operands[0] : nil,
      KernelOperands(
        arrays: Array(operands[linearStart - isWanted.count..<linearStart]), rows: rows, blocks: blocks),
      Array(operands.dropFirst(linearStart)), isWanted: isWanted)
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(self, primals)
    let rates = zip(primals, tangents).dropFirst(linearStart).map { $1 ?? zeros($0.type) }
    let active = tangents[linearStart - isWanted.count..<linearStart].map { $0 != nil }
    if !active.contains(true) {
      return (results, try bindOrThrow(self, primals.prefix(linearStart) + rates).map { $0 })
    }
    let second = KernelSecondDerivative(
      kernel: kernel, rows: rows, blocks: blocks, isActive: active, isWanted: isWanted)
    let directions = tangents.prefix(linearStart).compactMap { $0 }
    return (results, try bindOrThrow(second, primals + directions + rates).map { $0 })
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    // The transpose of the transpose: cotangents of gradients are tangents of operands.
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    var next = cotangents.makeIterator()
    let tangents = zip(types, isWanted).map { $1 ? next.next()! ?? zeros($0) : nil }
    let linear = KernelTangent(kernel: kernel, rows: rows, blocks: blocks, isActive: isWanted)
    let results = try bindOrThrow(
      linear, operands.prefix(linearStart).map { $0.known! } + tangents.compactMap { $0 })
    return operands.prefix(linearStart).map { _ in nil }
      + zip(operands.dropFirst(linearStart), results).map { $0.isLinear ? $1 : nil }
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    try batchRows(
      KernelCotangent(
        kernel: kernel, rows: size * rows, blocks: kernel.batched(blocks, size), isWanted: isWanted),
      operands, isBatched, size)
  }
}

/// The derivative of the reverse sweep, linear in tangents of operands and of cotangents. Operands: the note of the
/// tapes, the operands of the call, cotangents of the results, tangents of the operands that are active, tangents of
/// the cotangents.
///
/// With `J` the derivative and `H` the Hessian of the results weighted by the cotangents, it computes `H ẋ + Jᵀ ċ`.
/// The Hessian is symmetric, so that the transpose takes `w` to `H w` and `J w`.
struct KernelSecondDerivative<Kernel: RowKernel>: Primitive {
  let kernel: Kernel
  let rows: Int
  let blocks: Int
  let isActive: [Bool]
  let isWanted: [Bool]

  var name: String { "\(kernel.name)SecondDerivative" }
  var attributes: String { "rows: \(rows)" }
  private var operandStart: Int { kernel.keepsTapes ? 1 : 0 }
  private var cotangentStart: Int { operandStart + isActive.count }
  private var linearStart: Int { cotangentStart + kernel.resultTypes.count }
  private var activeCount: Int { isActive.filter { $0 }.count }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    let results = kernel.resultTypes(rows: rows)
    let active = zip(types, isActive).filter(\.1).map(\.0)
    try requireTypes(operands, kernel.tapeTypes(rows) + types + results + active + results, name)
    return zip(types, isWanted).filter(\.1).map(\.0)
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    var tangents = operands.dropFirst(linearStart).makeIterator()
    return try kernel.pullbackRates(
      KernelOperands(arrays: Array(operands[operandStart..<cotangentStart]), rows: rows, blocks: blocks),
      isActive.map { $0 ? tangents.next()! : nil }, Array(operands[cotangentStart..<linearStart]),
      Array(operands.dropFirst(linearStart + activeCount)), isWanted: isWanted)
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    try requireConstant(tangents.prefix(linearStart), "third", kernel.name)
    let directions = zip(primals, tangents).dropFirst(linearStart).map { $1 ?? zeros($0.type) }
    return (
      try bindOrThrow(self, primals),
      try bindOrThrow(self, primals.prefix(linearStart) + directions).map { $0 }
    )
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    let known = operands.prefix(linearStart).map { $0.known! }
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    let wanted = zip(types, isWanted).filter(\.1).map(\.0)
    let directions = zip(cotangents, wanted).map { $0 ?? zeros($1) }
    let swapped = KernelSecondDerivative(
      kernel: kernel, rows: rows, blocks: blocks, isActive: isWanted, isWanted: isActive)
    let byOperand = try bindOrThrow(
      swapped, known + directions + kernel.resultTypes(rows: rows).map { zeros($0) })
    let tangent = KernelTangent(kernel: kernel, rows: rows, blocks: blocks, isActive: isWanted)
    let byCotangent = try bindOrThrow(tangent, known.prefix(cotangentStart) + directions)
    return known.map { _ in nil }
      + zip(operands.dropFirst(linearStart), byOperand + byCotangent).map { $0.isLinear ? $1 : nil }
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    try batchRows(
      KernelSecondDerivative(
        kernel: kernel, rows: size * rows, blocks: kernel.batched(blocks, size), isActive: isActive,
        isWanted: isWanted), operands, isBatched, size)
  }
}

extension RowKernel {
  fileprivate func tapeTypes(_ rows: Int) -> [TensorType] {
    keepsTapes ? [TensorType(.int32, [rows, 2])] : []
  }
  /// Blocks of a batch. Where nothing is shared there is one.
  fileprivate func batched(_ blocks: Int, _ size: Int) -> Int { blockTypes.isEmpty ? 1 : size * blocks }
}

private func zeros(_ type: TensorType) -> Tensor { Tensor.zeros(type.shape, type: type.elementType) }

private func requireTypes(
  _ operands: [TensorType], _ expected: [TensorType], _ operation: String
) throws(TensorError) {
  guard operands == expected else {
    throw TensorError(.shape, operation, "operands of types \(operands) where \(expected) are expected")
  }
}

private func requireConstant(
  _ tangents: some Sequence<Tensor?>, _ order: String, _ operation: String
) throws(TensorError) {
  guard tangents.allSatisfy({ $0 == nil }) else {
    throw TensorError(
      .unsupportedDerivative, operation,
      "has no \(order) derivative. There are jvp, grad, hvp, hessian and grad of grad; what must be differentiated "
        + "once more can be held constant with stopGradient")
  }
}

/// Every operand of a batch gets its rows for each element, and the elements' rows follow each other.
private func batchRows(
  _ primitive: some Primitive, _ operands: [Tensor], _ isBatched: [Bool], _ size: Int
) throws -> (results: [Tensor], isBatched: [Bool]) {
  let merged = zip(operands, isBatched).map { operand, flag in
    let whole = flag ? operand : operand.broadcast(to: [size] + operand.shape)
    return whole.reshaped([size * whole.shape[1]] + whole.shape.dropFirst(2))
  }
  let results = try bindOrThrow(primitive, merged).map { result in
    // A batch of no elements has no rows to divide.
    result.reshaped([size, size == 0 ? 0 : result.shape[0] / size] + result.shape.dropFirst())
  }
  return (results, results.map { _ in true })
}
