/// An n-dimensional array of numbers, or a placeholder for one while a function is being traced.
///
/// A tensor is a value: copies are independent, and views share memory until one of them is changed. Operators
/// broadcast by NumPy's rules. A function of tensors can be differentiated, batched and compiled:
///
/// ```swift
/// let slope = try grad { (x: Tensor) in sin(x).sum() }([0.0, 1.0])   // [1, 0.5403]
/// ```
///
/// Elements are `float64` unless another type is asked for. When types meet, the greater is used
/// (`bool < int32 < float32 < float64`); Swift literals take the tensor's type.
///
/// A mistake in an operator (shapes that do not broadcast, say) is thrown by the enclosing transformation or
/// ``withTensorErrors(_:)``, and stops the program with a message outside of these.
public struct Tensor: Sendable {
  enum Representation: Sendable {
    case dense(DenseArray)
    case traced(TracedValue)
    /// The result of a mistake that has been recorded.
    case failed(TensorError)
  }
  var representation: Representation
  /// True for a number literal, which takes the element type of the tensor it meets.
  var isLiteral = false

  package init(_ array: DenseArray) { representation = .dense(array) }
  init(traced value: TracedValue) { representation = .traced(value) }
  package init(failed error: TensorError) { representation = .failed(error) }

  /// The numbers, if they are known.
  package var dense: DenseArray? { if case .dense(let array) = representation { array } else { nil } }

  /// The error of the mistake that the tensor is the result of.
  package var failure: TensorError? { if case .failed(let error) = representation { error } else { nil } }

  /// Element type and shape.
  public var type: TensorType {
    switch representation {
    case .dense(let array): array.type
    case .traced(let value): value.type
    case .failed: TensorType(.float64, [])
    }
  }
  /// Extent of each axis; empty for a scalar.
  public var shape: [Int] {
    switch representation {
    case .dense(let array): array.shape
    case .traced(let value): value.type.shape
    case .failed: []
    }
  }
  /// What the elements are.
  public var elementType: ElementType {
    switch representation {
    case .dense(let array): array.elementType
    case .traced(let value): value.type.elementType
    case .failed: .float64
    }
  }
  /// Number of axes.
  public var rank: Int { shape.count }
  /// Number of elements.
  public var count: Int { shape.elementCount }
  /// True while the tensor stands for a value of a function that is being traced.
  public var isTraced: Bool { if case .traced = representation { true } else { false } }
}
