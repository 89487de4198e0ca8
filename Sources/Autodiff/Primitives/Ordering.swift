/// Where things stand along the last axis: the order that sorts it, or the place of an extremum. No derivative.
package enum Ordering: UInt8, Sendable {
  /// The stable ascending order; NaN comes last.
  case argumentSort
  /// The first place of the largest element; of a NaN if there is one.
  case argumentMaximum
  /// The first place of the smallest element; of a NaN if there is one.
  case argumentMinimum
}

extension Ordering: Primitive {
  package var name: String { "\(self)" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let shape = operands[0].shape
    guard let extent = shape.last, operands[0].elementType != .bool else {
      throw TensorError(.shape, name, "needs numbers along at least one axis, not \(operands[0])")
    }
    if self == .argumentSort { return [TensorType(.int32, shape)] }
    guard extent > 0 else {
      throw TensorError(.shape, name, "an empty axis of the shape \(shape) has no extremum")
    }
    return [TensorType(.int32, shape.dropLast())]
  }

  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let result = DenseArray(uninitialized: try resultTypes(operands.map(\.type))[0])
    let source = operands[0].contiguous()
    switch source.elementType {
    case .float64: order(source, result, Double.self)
    case .float32: order(source, result, Float.self)
    case .int32: order(source, result, Int32.self)
    case .bool: preconditionFailure("the result type of \(name) excludes bool")
    }
    return [result]
  }
  private func order<T: Comparable>(_ x: DenseArray, _ result: DenseArray, _ type: T.Type) {
    let extent = x.shape.last!
    let out = result.pointer(Int32.self)
    // A NaN is not equal to itself.
    func isBefore(_ a: T, _ b: T) -> Bool { a < b || (a == a && b != b) }
    for row in 0..<(extent == 0 ? 0 : x.count / extent) {
      let values = x.pointer(T.self) + row * extent
      switch self {
      case .argumentSort:
        // The standard library's sort is stable.
        let order = (0..<Int32(extent)).sorted { isBefore(values[Int($0)], values[Int($1)]) }
        (out + row * extent).update(from: order, count: extent)
      case .argumentMaximum, .argumentMinimum:
        var best = 0
        for k in 1..<max(extent, 1) where values[best] == values[best] {
          let isBetter = self == .argumentMaximum ? values[k] > values[best] : values[k] < values[best]
          if isBetter || values[k] != values[k] { best = k }
        }
        out[row] = Int32(best)
      }
    }
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [nil])
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { (bind(self, operands), [true]) }
}
