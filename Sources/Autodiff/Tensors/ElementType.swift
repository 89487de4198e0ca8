/// What the numbers of a ``Tensor`` are.
public enum ElementType: UInt8, Sendable, Hashable, Codable, CaseIterable, Comparable {
  /// Truth values, one byte each.
  case bool
  /// 32-bit integers, for indices and counts. Arithmetic wraps.
  case int32
  /// Single precision.
  case float32
  /// Double precision, the default.
  case float64

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .bool: 1
    case .int32, .float32: 4
    case .float64: 8
    }
  }
  /// True for the types that derivatives are taken with respect to.
  public var isFloatingPoint: Bool { self >= .float32 }

  /// Order of promotion: an operation on two types computes in the greater one
  /// (`bool < int32 < float32 < float64`).
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A Swift type whose values are the elements of a tensor.
public protocol TensorScalar: BitwiseCopyable, Sendable {
  /// The element type that stands for it.
  static var elementType: ElementType { get }
}
extension Double: TensorScalar {
  /// The element type that stands for it.
  public static var elementType: ElementType { .float64 }
}
extension Float: TensorScalar {
  /// The element type that stands for it.
  public static var elementType: ElementType { .float32 }
}
extension Int32: TensorScalar {
  /// The element type that stands for it.
  public static var elementType: ElementType { .int32 }
}
extension Bool: TensorScalar {
  /// The element type that stands for it.
  public static var elementType: ElementType { .bool }
}

/// Element type and shape: all that a program knows of a value before it runs.
public struct TensorType: Sendable, Hashable, CustomStringConvertible {
  /// What the elements are.
  public var elementType: ElementType
  /// Extent of each axis; empty for a scalar.
  public var shape: [Int]

  /// The type with these parts.
  public init(_ elementType: ElementType, _ shape: [Int]) {
    self.elementType = elementType
    self.shape = shape
  }
  /// Number of elements.
  public var count: Int { shape.elementCount }
  /// For example `float64[2, 3]`.
  public var description: String { shape.isEmpty ? "\(elementType)" : "\(elementType)\(shape)" }
}

extension [Int] {
  /// Number of elements of an array with this shape.
  package var elementCount: Int {
    var product = 1
    for extent in self { product *= extent }
    return product
  }
  /// Strides, in elements, of a row-major array with this shape.
  package var rowMajorStrides: [Int] {
    var strides = [Int](repeating: 1, count: count)
    var step = 1
    for axis in indices.reversed() {
      strides[axis] = step
      step *= self[axis]
    }
    return strides
  }
}
