extension Tensor: CustomStringConvertible, CustomDebugStringConvertible {
  /// The numbers, in nested brackets, long axes abbreviated; a traced tensor shows its type.
  public var description: String {
    switch representation {
    case .dense(let array): Self.text(array, axis: 0, place: 0, indent: 1)
    case .traced(let value): "traced \(value.type)"
    case .failed(let error): "failed (\(error))"
    }
  }
  /// The numbers after the type.
  public var debugDescription: String { "\(type) \(description)" }

  private static func text(_ array: DenseArray, axis: Int, place: Int, indent: Int) -> String {
    if axis == array.rank { return number(array, place) }
    let extent = array.shape[axis]
    // Of long axes the first and last three entries are shown.
    let isLong = extent > 8 && array.count > 1000
    let shown: [Int?] = isLong ? [0, 1, 2, nil, extent - 3, extent - 2, extent - 1] : (0..<extent).map { $0 }
    let parts = shown.map { k in
      k.map { text(array, axis: axis + 1, place: place + $0 * array.strides[axis], indent: indent + 1) }
        ?? "…"
    }
    let isInnermost = axis == array.rank - 1
    let separator = isInnermost ? ", " : ",\n" + String(repeating: " ", count: indent)
    return "[" + parts.joined(separator: separator) + "]"
  }
  private static func number(_ array: DenseArray, _ place: Int) -> String {
    switch array.elementType {
    case .bool: "\(array.pointer(Bool.self)[place])"
    case .int32: "\(array.pointer(Int32.self)[place])"
    case .float32: "\(array.pointer(Float.self)[place])"
    case .float64: "\(array.pointer(Double.self)[place])"
    }
  }
}
