extension Tensor {
  /// A scalar.
  public init(_ value: Double) { self.init(DenseArray(scalar: value)) }
  /// A scalar of a type that is given.
  public init<T: TensorScalar>(scalar value: T) { self.init(DenseArray(scalar: value)) }
  /// A vector.
  public init<T: TensorScalar>(_ values: [T]) { self.init(DenseArray(values, shape: [values.count])) }
  /// An array with these numbers in row-major order.
  ///
  /// If the count is not the shape's, that is a mistake.
  public init<T: TensorScalar>(_ values: [T], shape: [Int]) {
    guard shape.allSatisfy({ $0 >= 0 }), values.count == shape.elementCount else {
      self =
        TensorError(.shape, "Tensor", "\(values.count) numbers do not fill the shape \(shape)").report()
      return
    }
    self.init(DenseArray(values, shape: shape))
  }
  /// The same number everywhere.
  public init(repeating value: Double, shape: [Int], type: ElementType = .float64) {
    self.init(DenseArray(filling: value, TensorType(type, shape)))
  }
  /// Zeros.
  public static func zeros(_ shape: [Int] = [], type: ElementType = .float64) -> Tensor {
    Tensor(repeating: 0, shape: shape, type: type)
  }
  /// Ones.
  public static func ones(_ shape: [Int] = [], type: ElementType = .float64) -> Tensor {
    Tensor(repeating: 1, shape: shape, type: type)
  }
  static func zeros(_ type: TensorType) -> Tensor { Tensor(DenseArray(filling: 0, type)) }
  static func ones(_ type: TensorType) -> Tensor { Tensor(DenseArray(filling: 1, type)) }

  /// The identity matrix.
  public static func identity(_ size: Int, type: ElementType = .float64) -> Tensor {
    let array = DenseArray(uninitialized: .float64, [size, size])
    let cells = array.pointer(Double.self)
    cells.update(repeating: 0, count: size * size)
    for k in 0..<size { cells[k * size + k] = 1 }
    return Tensor(array).converted(to: type)
  }
  /// `start`, `start + step`, … below (for negative steps: above) `end`.
  public static func range(_ start: Double = 0, to end: Double, step: Double = 1) -> Tensor {
    guard step != 0, start.isFinite, end.isFinite, step.isFinite else {
      return TensorError(.argument, "range", "needs finite bounds and a step other than zero").report()
    }
    let count = Swift.max(0, Int(((end - start) / step).rounded(.up)))
    return Tensor((0..<count).map { start + Double($0) * step })
  }
  /// The integers from 0 up to, not including, `count`, as `int32`.
  public static func indices(_ count: Int) -> Tensor { Tensor((0..<Int32(count)).map { $0 }) }
  /// `count` evenly spaced numbers from `start` to `end`, both included.
  public static func linearSpace(from start: Double, to end: Double, count: Int) -> Tensor {
    guard count > 0 else { return TensorError(.argument, "linearSpace", "needs a positive count").report() }
    if count == 1 { return Tensor([start]) }
    return Tensor(
      (0..<count).map { $0 == count - 1 ? end : start + (end - start) * Double($0) / Double(count - 1) })
  }
}

extension Tensor: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  /// A `float64` scalar.
  public init(floatLiteral value: Double) {
    self.init(value)
    isLiteral = true
  }
  /// A `float64` scalar; write `Tensor(scalar: Int32(3))` for an integer.
  public init(integerLiteral value: Int) {
    self.init(Double(value))
    isLiteral = true
  }
  /// The elements stacked along a new first axis: a vector of numbers, a matrix of rows, ….
  public init(arrayLiteral elements: Tensor...) {
    if elements.isEmpty { self.init([Double]()) } else { self = stack(elements) }
  }
}
