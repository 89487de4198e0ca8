import Autodiff

// A solution as an operation on rows, by the contract of a hand-written step: its jvp binds an operation that is linear in the
// tangents, whose transpose is the reverse sweep, whose derivative is the sweep of the equation of tangents. Between them travels the
// tape, as an `int32` array whose memory keeps it alive. Operands: initial states `[rows, n]`, parameters `[blocks, p]` (a block of
// neighbouring rows shares them), initial times `[rows]`, times of output `[rows, m]`. Derivatives are with respect to the first two.

/// Solves. Results: `[rows, m, n]`, and if the tape is kept its number.
struct EquationCall: Primitive {
  let kernel: EquationKernel
  let rows: Int
  let blocks: Int
  var keepsTape = false

  var name: String { kernel.name }
  var attributes: String { "rows: \(rows)" + (keepsTape ? ", with tape" : "") }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireTypes(operands, kernel.operandTypes(rows: rows, blocks: blocks), name)
    return [kernel.resultType(rows: rows)] + kernel.constantTypes(rows: rows)
      + (keepsTape ? [tapeType(rows)] : [])
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let (states, endTimes, tape) = try kernel.solve(
      operands, rows: rows, blocks: blocks, keepsTape: keepsTape)
    let results = kernel.endsAtEvent ? [states, endTimes] : [states]
    guard keepsTape else { return results }
    let number = TapeNumbers.next()
    return results + [
      DenseArray(
        (0..<rows).flatMap { [number, Int32($0)] }, shape: [rows, 2],
        objects: tape.map { [number: $0] } ?? [:])
    ]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    try requireConstant(tangents.dropFirst(2), "times", name)
    var call = self
    call.keepsTape = true
    let results = try bindOrThrow(call, primals)
    let directions = zip(primals, tangents).prefix(2).map { $1 ?? Tensor.zeros($0.shape) }
    let tangent = try bindOrThrow(
      EquationTangent(kernel: kernel, rows: rows, blocks: blocks),
      [results[results.count - 1], results[0]] + primals + directions)
    let all = keepsTape ? results : Array(results.dropLast())
    return (all, all.indices.map { $0 == 0 ? tangent[0] : nil })
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    try batchRows(
      EquationCall(kernel: kernel, rows: size * rows, blocks: size * blocks, keepsTape: keepsTape), operands,
      isBatched, size)
  }
}

/// The derivative. Operands: tape, solution, the operands of the call, tangents of initial states and parameters.
struct EquationTangent: Primitive {
  let kernel: EquationKernel
  let rows: Int
  let blocks: Int
  private let linearStart = 6

  init(kernel: EquationKernel, rows: Int, blocks: Int) {
    self.kernel = kernel
    self.rows = rows
    self.blocks = blocks
  }
  var name: String { "\(kernel.name)Tangent" }
  var attributes: String { "rows: \(rows)" }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    try requireTypes(
      operands, [tapeType(rows), kernel.resultType(rows: rows)] + types + types.prefix(2), name)
    return [kernel.resultType(rows: rows)]
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let primals = Array(operands[2..<linearStart])
    let directions = Array(operands.dropFirst(linearStart))
    return [
      try kernel.collect(operands[0], primals, rows, blocks) { tape, part throws(TensorError) in
        [try kernel.pushforward(tape, directions.map { part($0) })]
      }[0]
    ]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let directions = zip(primals, tangents).dropFirst(linearStart).map { $1 ?? Tensor.zeros($0.shape) }
    let results = try bindOrThrow(self, primals)
    let linear = try bindOrThrow(self, primals.prefix(linearStart) + directions)
    let moved = tangents.prefix(linearStart)
    if moved.allSatisfy({ $0 == nil }) { return (results, linear.map { $0 }) }
    // The second forward derivative is the first one of the equation of state and tangent; only its tangent is new.
    try requireConstant(tangents[4..<linearStart], "times", kernel.name)
    throw TensorError(
      .unsupportedDerivative, kernel.name,
      "has no second forward derivative (jvp of jvp). There are jvp, grad, hvp, hessian and grad of grad")
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    let cotangent = cotangents[0] ?? Tensor.zeros(kernel.resultType(rows: rows).shape)
    let results = try bindOrThrow(
      EquationCotangent(kernel: kernel, rows: rows, blocks: blocks),
      operands.prefix(linearStart).map { $0.known! } + [cotangent])
    return operands.enumerated().map { index, operand in
      operand.isLinear ? results[index - linearStart] : nil
    }
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    try batchRows(
      EquationTangent(kernel: kernel, rows: size * rows, blocks: size * blocks), operands, isBatched, size)
  }
}

/// The reverse sweep. Operands: tape, solution, the operands of the call, the solution's cotangent. Results: cotangents of initial states
/// and parameters.
struct EquationCotangent: Primitive {
  let kernel: EquationKernel
  let rows: Int
  let blocks: Int
  private let linearStart = 6

  init(kernel: EquationKernel, rows: Int, blocks: Int) {
    self.kernel = kernel
    self.rows = rows
    self.blocks = blocks
  }
  var name: String { "\(kernel.name)Cotangent" }
  var attributes: String { "rows: \(rows)" }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    let result = kernel.resultType(rows: rows)
    try requireTypes(operands, [tapeType(rows), result] + types + [result], name)
    return Array(types.prefix(2))
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let (states, cotangent) = (operands[1], operands[linearStart])
    return try kernel.collect(operands[0], Array(operands[2..<linearStart]), rows, blocks) {
      tape, part throws(TensorError) in
      try kernel.pullback(tape, part(cotangent), states: part(states))
    }
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(self, primals)
    let rate = tangents[linearStart] ?? Tensor.zeros(primals[linearStart].shape)
    // What the solution's own tangent says is contained in those of the operands.
    try requireConstant(tangents[4..<linearStart], "times", kernel.name)
    if tangents[2] == nil && tangents[3] == nil {
      return (results, try bindOrThrow(self, primals.prefix(linearStart) + [rate]).map { $0 })
    }
    let directions = [2, 3].map { tangents[$0] ?? Tensor.zeros(primals[$0].shape) }
    let second = EquationSecondDerivative(kernel: kernel, rows: rows, blocks: blocks)
    return (results, try bindOrThrow(second, primals + directions + [rate]).map { $0 })
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    // The transpose of the transpose: cotangents of gradients are tangents of operands.
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    let directions = zip(cotangents, types).map { $0 ?? Tensor.zeros($1.shape) }
    let result = try bindOrThrow(
      EquationTangent(kernel: kernel, rows: rows, blocks: blocks),
      operands.prefix(linearStart).map { $0.known! } + directions)
    return operands.prefix(linearStart).map { _ in nil } + [result[0]]
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    try batchRows(
      EquationCotangent(kernel: kernel, rows: size * rows, blocks: size * blocks), operands, isBatched, size)
  }
}

/// The derivative of the reverse sweep, linear in tangents of operands and of the cotangent: H ẋ + Sᵀ ċ, with H the Hessian of the
/// solution weighted by the cotangent. Operands: those of the sweep, tangents of initial states and parameters, tangent of the
/// cotangent. H is symmetric, so that the transpose takes w to H w and S w.
struct EquationSecondDerivative: Primitive {
  let kernel: EquationKernel
  let rows: Int
  let blocks: Int
  private let linearStart = 7

  init(kernel: EquationKernel, rows: Int, blocks: Int) {
    self.kernel = kernel
    self.rows = rows
    self.blocks = blocks
  }
  var name: String { "\(kernel.name)SecondDerivative" }
  var attributes: String { "rows: \(rows)" }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    let result = kernel.resultType(rows: rows)
    try requireTypes(
      operands, [tapeType(rows), result] + types + [result] + types.prefix(2) + [result], name)
    return Array(types.prefix(2))
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let directions = Array(operands[linearStart..<linearStart + 2])
    let (cotangent, rate) = (operands[6], operands[9])
    return try kernel.collect(operands[0], Array(operands[2..<6]), rows, blocks) {
      tape, part throws(TensorError) in
      try kernel.pullbackRates(tape, directions.map { part($0) }, part(cotangent), part(rate))
    }
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    guard tangents.prefix(linearStart).allSatisfy({ $0 == nil }) else {
      throw TensorError(
        .unsupportedDerivative, kernel.name,
        "has no third derivative; hold what must be differentiated once more constant with stopGradient")
    }
    let directions = zip(primals, tangents).dropFirst(linearStart).map { $1 ?? Tensor.zeros($0.shape) }
    return (
      try bindOrThrow(self, primals),
      try bindOrThrow(self, primals.prefix(linearStart) + directions).map { $0 }
    )
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    let known = operands.prefix(linearStart).map { $0.known! }
    let types = kernel.operandTypes(rows: rows, blocks: blocks)
    let directions = zip(cotangents, types).map { $0 ?? Tensor.zeros($1.shape) }
    let byOperand = try bindOrThrow(
      self, known + directions + [Tensor.zeros(kernel.resultType(rows: rows).shape)])
    let byCotangent = try bindOrThrow(
      EquationTangent(kernel: kernel, rows: rows, blocks: blocks), known.prefix(6) + directions)
    let all = byOperand + byCotangent
    return known.map { _ in nil }
      + operands.dropFirst(linearStart).enumerated().map { $1.isLinear ? all[$0] : nil }
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    try batchRows(
      EquationSecondDerivative(kernel: kernel, rows: size * rows, blocks: size * blocks), operands,
      isBatched, size)
  }
}

private func tapeType(_ rows: Int) -> TensorType { TensorType(.int32, [rows, 2]) }

extension EquationKernel {
  /// Applies a function to each tape of a batch and the rows it covers, and puts the results together. A tape that got lost on the way
  /// is made again: solutions are the same each time.
  func collect(
    _ note: DenseArray, _ primals: [DenseArray], _ rows: Int, _ blocks: Int,
    _ body: (Tape, (DenseArray) -> DenseArray) throws(TensorError) -> [DenseArray]
  ) throws(TensorError) -> [DenseArray] {
    if rows == 0 {
      let none = EquationData(
        initialStates: [], parameters: [], startTimes: [], outputTimes: [], rows: 0, blocks: 0)
      return try body(Tape(none, RecordedSteps([StepRecord]()), []), { $0 })
    }
    let numbers = note.values(Int32.self)
    let objects = note.objects
    let rowsPerBlock = rows / blocks
    /// The tape whose rows are those from `first` on.
    func tape(at first: Int) -> Tape? {
      guard let tape = objects[numbers[2 * first]] as? Tape, tape.data.rows % rowsPerBlock == 0,
        tape.data.blocks * rowsPerBlock == tape.data.rows, first + tape.data.rows <= rows,
        (0..<tape.data.rows).allSatisfy({
          numbers[2 * (first + $0)] == numbers[2 * first] && numbers[2 * (first + $0) + 1] == Int32($0)
        })
      else { return nil }
      return tape
    }
    var parts: [[DenseArray]] = []
    var first = 0
    while first < rows {
      let known = tape(at: first)
      let count = known?.data.rows ?? rowsPerBlock
      func part(_ array: DenseArray) -> DenseArray {
        if count == rows { return array }
        let values = array.values(Double.self)
        // As many elements for each row, or for each block of rows.
        let isBlocked = array.shape[0] == blocks && blocks != rows
        let extent = isBlocked ? count / rowsPerBlock : count
        let perUnit = values.count / array.shape[0]
        let start = (isBlocked ? first / rowsPerBlock : first) * perUnit
        return DenseArray(
          Array(values[start..<start + extent * perUnit]), shape: [extent] + array.shape.dropFirst())
      }
      let tape: Tape
      if let known {
        tape = known
      } else {
        tape = try solve(primals.map(part), rows: count, blocks: count / rowsPerBlock, keepsTape: true).tape!
      }
      parts.append(try body(tape, part))
      first += count
    }
    if parts.count == 1 { return parts[0] }
    return parts[0].indices.map { k in
      let arrays = parts.map { $0[k] }
      return DenseArray(
        arrays.flatMap { $0.values(Double.self) },
        shape: [arrays.reduce(0) { $0 + $1.shape[0] }] + arrays[0].shape.dropFirst())
    }
  }
}

private func requireTypes(
  _ operands: [TensorType], _ expected: [TensorType], _ operation: String
) throws(TensorError) {
  guard operands == expected else {
    throw TensorError(.shape, operation, "operands of types \(operands) where \(expected) are expected")
  }
}
private func requireConstant(_ tangents: some Sequence<Tensor?>, _ what: String, _ operation: String)
  throws(TensorError)
{
  guard tangents.allSatisfy({ $0 == nil }) else {
    throw TensorError(
      .unsupportedDerivative, operation, "\(what) are held constant here; this is a defect of the library")
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
