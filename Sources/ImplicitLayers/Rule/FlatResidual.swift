import Autodiff

/// A residual as a function of one vector: the unknowns' elements, leaf by leaf.
struct FlatResidual {
  let program: Program
  let unknownTypes: [TensorType]
  let parameters: [Tensor]

  /// The type of the vector: the greatest of the unknowns'.
  var elementType: ElementType { unknownTypes.map(\.elementType).max() ?? .float64 }
  var count: Int { unknownTypes.map(\.count).reduce(0, +) }

  /// Tensors as one vector.
  func joined(_ parts: [Tensor]) -> Tensor {
    if parts.count == 1 { return parts[0].flattened.converted(to: elementType) }
    return concatenate(parts.map { $0.flattened.converted(to: elementType) })
  }
  /// A vector as the unknowns' tensors.
  func separated(_ vector: Tensor) -> [Tensor] {
    let parts =
      unknownTypes.count == 1 ? [vector] : vector.split(sizes: unknownTypes.map(\.count), axis: 0)
    return zip(parts, unknownTypes).map { $0.reshaped($1.shape).converted(to: $1.elementType) }
  }
  /// F(x).
  func callAsFunction(_ x: Tensor) throws -> Tensor { joined(try program(separated(x) + parameters)) }
  /// The same residual, of which no derivative is taken.
  var constant: FlatResidual {
    FlatResidual(
      program: program, unknownTypes: unknownTypes, parameters: parameters.map { stopGradient($0) })
  }
}
