import Lanes

/// Functions of two numbers, element by element. Both operands have one type; broadcasting happens before.
package enum Binary: UInt8, CaseIterable, Sendable {
  case add, subtract, multiply, divide
  case power, arcTangent2, minimum, maximum
  /// With the sign of the divisor, as in Python.
  case remainder
}

extension Binary: Primitive {
  package var name: String { "\(self)" }
  package var internalCode: Int? { 64 + Int(rawValue) }
  /// The function with this code.
  init?(internalCode: Int) {
    guard (64..<96).contains(internalCode) else { return nil }
    self.init(rawValue: UInt8(internalCode - 64))
  }
  package var zeroPattern: ZeroPattern { .elementwise }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    [try resultType(operands[0], operands[1])]
  }
  func resultType(_ a: TensorType, _ b: TensorType) throws(TensorError) -> TensorType {
    guard a == b else {
      throw TensorError(.shape, name, "operands of types \(a) and \(b) do not fit together")
    }
    let isFloatingOnly = self == .divide || self == .power || self == .arcTangent2
    guard a.elementType.isFloatingPoint || (a.elementType == .int32 && !isFloatingOnly) else {
      throw TensorError(
        .elementType, name, "is not defined for \(a); convert the operands with converted(to:) first")
    }
    return a
  }

  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] { [evaluate(operands[0], operands[1])] }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let (a, b) = (primals[0], primals[1])
    let result = apply(self, a, b)
    if self == .divide, let s = tangents[0], let t = tangents[1] {
      // One division for both, also when it is transposed.
      return ([result], [(s - t * result) / b])
    }
    let first = tangents[0].map { firstTangent($0, a, b, result) }
    let second = tangents[1].map { secondTangent($0, a, b, result) }
    return ([result], [sum(first, second)])
  }

  private func firstTangent(_ t: Tensor, _ a: Tensor, _ b: Tensor, _ result: Tensor) -> Tensor {
    switch self {
    case .add, .subtract, .remainder: t
    case .multiply: t * b
    case .divide: t / b
    case .power: t * select(b .== 0.0, Tensor.zeros(b.type), b * apply(.power, a, b - 1.0))
    case .arcTangent2: t * (b / (apply(.square, a) + apply(.square, b)))
    case .minimum, .maximum: t * share(a, result, b)
    }
  }
  private func secondTangent(_ t: Tensor, _ a: Tensor, _ b: Tensor, _ result: Tensor) -> Tensor {
    switch self {
    case .add: t
    case .subtract: -t
    case .multiply: t * a
    case .divide: t * (-(result / b))
    // The limit of log(a) a^b as a goes to zero is zero for positive b.
    case .power: t * (log(select(a .== 0.0, Tensor.ones(a.type), a)) * result)
    case .arcTangent2: t * (-(a / (apply(.square, a) + apply(.square, b))))
    case .minimum, .maximum: t * share(b, result, a)
    case .remainder: t * (-floor(a / b))
    }
  }
  /// One where an operand is the extremum, one half where both are.
  private func share(_ operand: Tensor, _ result: Tensor, _ other: Tensor) -> Tensor {
    let one = Tensor.ones(result.type)
    return select(operand .== result, select(other .== result, one * 0.5, one), Tensor.zeros(result.type))
  }

  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil] }
    switch (self, operands[0], operands[1]) {
    case (.add, _, _): return [operands[0].isLinear ? c : nil, operands[1].isLinear ? c : nil]
    case (.subtract, _, _): return [operands[0].isLinear ? c : nil, operands[1].isLinear ? -c : nil]
    case (.multiply, .linear, .known(let b)): return [c * b, nil]
    case (.multiply, .known(let a), .linear): return [nil, a * c]
    case (.divide, .linear, .known(let b)): return [c / b, nil]
    default:
      throw TensorError(
        .unsupportedDerivative, name, "is not linear in these operands, so that it has no transpose")
    }
  }

  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    ([apply(self, operands[0].batched(isBatched[0], size), operands[1].batched(isBatched[1], size))], [true])
  }
}

/// The sum of two tangents or cotangents, each possibly zero.
package func sum(_ a: Tensor?, _ b: Tensor?) -> Tensor? {
  guard let a else { return b }
  guard let b else { return a }
  return a + b
}

/// Applies an elementwise function of two arguments of one type.
func apply(_ operation: Binary, _ a: Tensor, _ b: Tensor) -> Tensor {
  do throws(TensorError) {
    if case .failed = a.representation { return a }
    if case .failed = b.representation { return b }
    if let x = a.dense, let y = b.dense {
      _ = try operation.resultType(x.type, y.type)
      let result = operation.evaluate(x, y)
      if TensorContext.current.checksFinite { try operation.requireFinite([result], [x, y]) }
      return Tensor(result)
    }
    let type = try operation.resultType(a.type, b.type)
    guard let trace = TensorContext.current.trace else { throw Trace.escaped }
    return try trace.record(operation, a, b, type)
  } catch { return error.report() }
}

/// Brings operands to one type and shape by NumPy's rules, then applies the function.
func broadcastApply(_ operation: Binary, _ a: Tensor, _ b: Tensor) -> Tensor {
  // The type checker may take `1.0 / 6` in an expression of tensors for a quotient of tensors.
  if a.isLiteral && b.isLiteral {
    var result = apply(operation, a, b)
    result.isLiteral = true
    return result
  }
  if a.isLiteral != b.isLiteral {
    if a.isLiteral, let value = a.dense?.read(at: 0) { return applyLiteral(operation, value, b) }
    if b.isLiteral, let value = b.dense?.read(at: 0) { return applyLiteral(operation, a, value) }
  }
  let needsFloating = operation == .divide || operation == .power || operation == .arcTangent2
  guard let (x, y) = unified(operation.name, a, b, needsFloating: needsFloating) else {
    return failed(a, b)
  }
  return apply(operation, x, y)
}

/// The result of an operation one of whose operands failed.
func failed(_ operands: Tensor...) -> Tensor {
  for operand in operands { if case .failed = operand.representation { return operand } }
  // The mistake was in this operation, and has been recorded.
  return Tensor(failed: TensorContext.current.failures?.first ?? TensorError(.shape, "operation", "failed"))
}

/// Operands converted to the greater of their types and broadcast against each other; nil after a mistake.
func unified(_ operation: @autoclosure () -> String, _ a: Tensor, _ b: Tensor, needsFloating: Bool = false)
  -> (Tensor, Tensor)?
{
  if case .failed = a.representation { return nil }
  if case .failed = b.representation { return nil }
  var (a, b) = (a, b)
  if a.isLiteral && !b.isLiteral { a = b.like(a.scalar) }
  if b.isLiteral && !a.isLiteral { b = a.like(b.scalar) }
  var type = max(a.elementType, b.elementType)
  if type == .bool { type = .int32 }
  if needsFloating && !type.isFloatingPoint { type = .float64 }
  let x = a.converted(to: type)
  let y = b.converted(to: type)
  if x.shape == y.shape { return (x, y) }
  guard let shape = broadcastShape(x.shape, y.shape) else {
    TensorError(
      .shape, operation(),
      "the shapes \(a.shape) and \(b.shape) do not broadcast: from the last axis backwards, extents must agree or one "
        + "of them must be 1"
    ).record()
    return nil
  }
  return (x.broadcast(to: shape), y.broadcast(to: shape))
}

/// The shape that both broadcast to, or nil.
func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int]? {
  let rank = max(a.count, b.count)
  var shape = [Int](repeating: 1, count: rank)
  for k in 1...max(rank, 1) where k <= rank {
    let x = k <= a.count ? a[a.count - k] : 1
    let y = k <= b.count ? b[b.count - k] : 1
    guard x == y || x == 1 || y == 1 else { return nil }
    shape[rank - k] = x == 1 ? y : x
  }
  return shape
}

/// A tensor and a Swift number, which takes the tensor's shape without being written out.
func applyLiteral(_ operation: Binary, _ a: Tensor, _ b: Double) -> Tensor {
  if case .failed = a.representation { return a }
  guard a.elementType.isFloatingPoint else { return broadcastApply(operation, a, a.like(b)) }
  return apply(operation, a, Tensor(DenseArray(filling: b, a.type)))
}
func applyLiteral(_ operation: Binary, _ a: Double, _ b: Tensor) -> Tensor {
  if case .failed = b.representation { return b }
  guard b.elementType.isFloatingPoint else { return broadcastApply(operation, b.like(a), b) }
  return apply(operation, Tensor(DenseArray(filling: a, b.type)), b)
}
