import Autodiff

/// The element type that all of some tensors have.
/// - Throws: `TensorError` if it is not a floating-point type, or the tensors differ.
func floatingType(_ tensors: [(name: String, tensor: Tensor)], _ operation: String) throws -> ElementType {
  let type = tensors[0].tensor.elementType
  for (name, tensor) in tensors {
    guard tensor.elementType.isFloatingPoint else {
      throw TensorError(
        .elementType, operation, "\(name) are \(tensor.elementType); float64 or float32 are needed")
    }
    guard tensor.elementType == type else {
      throw TensorError(
        .elementType, operation,
        "\(name) are \(tensor.elementType) where \(tensors[0].name) are \(type); convert one of them")
    }
  }
  return type
}

/// The axes before the last, which must have a number of entries.
/// - Throws: `TensorError` for another shape.
func worldShape(_ tensor: Tensor, width: Int, _ name: String, _ operation: String) throws -> [Int] {
  guard tensor.shape.last == width else {
    throw TensorError(
      .shape, operation, "\(name) have the shape \(tensor.shape); the model needs […, \(width)]")
  }
  return Array(tensor.shape.dropLast())
}
