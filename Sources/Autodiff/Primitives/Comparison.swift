import Lanes

/// Comparisons of two numbers, element by element. They have no derivative.
package enum Comparison: UInt8, CaseIterable, Sendable {
  case less, lessOrEqual, equal, notEqual
}

extension Comparison: Primitive {
  package var name: String { "\(self)" }
  package var internalCode: Int? { 96 + Int(rawValue) }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard operands[0] == operands[1] else {
      throw TensorError(
        .shape, name, "operands of types \(operands[0]) and \(operands[1]) do not fit together")
    }
    return [TensorType(.bool, operands[0].shape)]
  }

  @inline(__always) func holds<T: Comparable>(_ a: T, _ b: T) -> Bool {
    switch self {
    case .less: a < b
    case .lessOrEqual: a <= b
    case .equal: a == b
    case .notEqual: a != b
    }
  }
  /// The comparison of one lane group.
  @inline(__always) func mask<L: Lane>(_ a: L, _ b: L) -> L.Mask {
    switch self {
    case .less: a .< b
    case .lessOrEqual: a .<= b
    case .equal: a .== b
    case .notEqual: .!(a .== b)
    }
  }

  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    let (a, b) = (operands[0], operands[1])
    let result = DenseArray(uninitialized: .bool, a.shape)
    forEachPair(a, b) { x, y, place, length in
      let out = result.pointer(Bool.self) + place
      switch a.elementType {
      case .float64:
        compare(
          x.0.assumingMemoryBound(to: Double.self), x.1, y.0.assumingMemoryBound(to: Double.self), y.1, out,
          length)
      case .float32:
        compare(
          x.0.assumingMemoryBound(to: Float.self), x.1, y.0.assumingMemoryBound(to: Float.self), y.1, out,
          length)
      case .int32:
        compare(
          x.0.assumingMemoryBound(to: Int32.self), x.1, y.0.assumingMemoryBound(to: Int32.self), y.1, out,
          length)
      case .bool:
        compare(
          x.0.assumingMemoryBound(to: UInt8.self), x.1, y.0.assumingMemoryBound(to: UInt8.self), y.1, out,
          length)
      }
    }
    return [result]
  }
  @specialized(where T == Double)
  @specialized(where T == Float)
  @specialized(where T == Int32)
  @specialized(where T == UInt8)
  private func compare<T: Comparable & BitwiseCopyable>(
    _ a: UnsafePointer<T>, _ aStep: Int, _ b: UnsafePointer<T>, _ bStep: Int, _ y: UnsafeMutablePointer<Bool>,
    _ count: Int
  ) {
    switch self {
    case .less: for k in 0..<count { y[k] = a[k &* aStep] < b[k &* bStep] }
    case .lessOrEqual: for k in 0..<count { y[k] = a[k &* aStep] <= b[k &* bStep] }
    case .equal: for k in 0..<count { y[k] = a[k &* aStep] == b[k &* bStep] }
    case .notEqual: for k in 0..<count { y[k] = a[k &* aStep] != b[k &* bStep] }
    }
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [nil])
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (bind(self, [operands[0].batched(isBatched[0], size), operands[1].batched(isBatched[1], size)]), [true])
  }
}

/// Compares after bringing the operands to one type and shape.
func broadcastCompare(_ operation: Comparison, _ a: Tensor, _ b: Tensor) -> Tensor {
  if a.elementType == .bool && b.elementType == .bool && a.shape == b.shape { return bind1(operation, a, b) }
  guard let (x, y) = unified(operation.name, a, b) else { return failed(a, b) }
  return bind1(operation, x, y)
}

/// Logic on truth values, element by element.
package enum Logical: UInt8, CaseIterable, Sendable {
  case and, or, exclusiveOr
}

extension Logical: Primitive {
  package var name: String { "\(self)" }
  package var internalCode: Int? { 112 + Int(rawValue) }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard operands[0] == operands[1], operands[0].elementType == .bool else {
      throw TensorError(
        .elementType, name, "needs two bool operands of one shape, not \(operands[0]) and \(operands[1])")
    }
    return [operands[0]]
  }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    let result = DenseArray(uninitialized: operands[0].type)
    let out = result.pointer(Bool.self)
    forEachPair(operands[0], operands[1]) { x, y, place, length in
      let (a, b) = (x.0.assumingMemoryBound(to: Bool.self), y.0.assumingMemoryBound(to: Bool.self))
      for k in 0..<length {
        let (p, q) = (a[k &* x.1], b[k &* y.1])
        out[place &+ k] =
          switch self {
          case .and: p && q
          case .or: p || q
          case .exclusiveOr: p != q
          }
      }
    }
    return [result]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [nil])
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (bind(self, [operands[0].batched(isBatched[0], size), operands[1].batched(isBatched[1], size)]), [true])
  }
}

/// Logic after broadcasting; numbers count as true unless zero.
func broadcastLogic(_ operation: Logical, _ a: Tensor, _ b: Tensor) -> Tensor {
  let (p, q) = (a.converted(to: .bool), b.converted(to: .bool))
  guard let shape = broadcastShape(p.shape, q.shape) else {
    return TensorError(.shape, operation.name, "the shapes \(a.shape) and \(b.shape) do not broadcast")
      .report()
  }
  return bind1(operation, p.broadcast(to: shape), q.broadcast(to: shape))
}
