/// A value made of tensors: a tensor, an array of such values, or a structure of them.
///
/// Functions that are transformed may take and return any of these. A structure needs no code of its own: declare the
/// conformance, and its `Codable` synthesis lets the library take it apart and put it together again.
///
/// ```swift
/// struct Layer: TensorTree {
///   var weights: Tensor
///   var bias: Tensor
/// }
/// ```
///
/// Properties that are not tensors (counts, names, choices) stay as they are; a compiled function is traced anew when
/// they change.
public protocol TensorTree: Codable, SendableMetatype {
  /// Appends the tensors in a fixed order.
  func appendLeaves(to leaves: inout [Tensor])
  /// The same value with its tensors replaced, in that order, by the next ones of an iterator.
  func replacingLeaves(_ leaves: inout IndexingIterator<[Tensor]>) throws -> Self
  /// What tells values of the same type with different structure apart (numbers of elements, properties that are not
  /// tensors).
  func appendStructure(to structure: inout [TreeNode]) throws
}

extension TensorTree {
  /// All tensors, in order.
  public var leaves: [Tensor] {
    var result: [Tensor] = []
    result.reserveCapacity(4)
    appendLeaves(to: &result)
    return result
  }
  /// The value with its tensors replaced, in order.
  /// - Throws: ``TensorError`` if there are too few or too many.
  public func replacing(leaves: [Tensor]) throws -> Self {
    var iterator = leaves.makeIterator()
    let result = try replacingLeaves(&iterator)
    guard iterator.next() == nil else {
      throw TensorError(.format, "replacing", "\(leaves.count) tensors are more than the value holds")
    }
    return result
  }
  /// Every tensor replaced by a function of it.
  public func mapLeaves(_ transform: (Tensor) throws -> Tensor) throws -> Self {
    try replacing(leaves: try leaves.map(transform))
  }
}

extension Tensor: TensorTree {
  /// Appends the tensor.
  public func appendLeaves(to leaves: inout [Tensor]) { leaves.append(self) }
  /// The next tensor.
  public func replacingLeaves(_ leaves: inout IndexingIterator<[Tensor]>) throws -> Tensor {
    guard let next = leaves.next() else {
      throw TensorError(.format, "replacing", "there are fewer tensors than the value holds")
    }
    return next
  }
  /// One leaf.
  public func appendStructure(to structure: inout [TreeNode]) { structure.append(.leaf) }
}

extension Array: TensorTree where Element: TensorTree {
  /// The elements' tensors, one element after the other.
  public func appendLeaves(to leaves: inout [Tensor]) {
    for element in self { element.appendLeaves(to: &leaves) }
  }
  /// The elements with their tensors replaced.
  public func replacingLeaves(_ leaves: inout IndexingIterator<[Tensor]>) throws -> [Element] {
    var result: [Element] = []
    for element in self { result.append(try element.replacingLeaves(&leaves)) }
    return result
  }
  /// The count, then the elements' structure.
  public func appendStructure(to structure: inout [TreeNode]) throws {
    structure.append(.count(count))
    for element in self { try element.appendStructure(to: &structure) }
  }
}
