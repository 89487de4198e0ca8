/// What is known of a matrix beyond its form: it chooses the solver.
///
/// Tags are promises. Those of explicit matrices are checked where that costs little (symmetry; positive pivots); those of functions
/// are not, except where an iteration meets a contradiction.
public struct OperatorTags: OptionSet, Sendable, Hashable {
  /// The bits.
  public let rawValue: Int
  /// The tags with these bits.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// A = Aᵀ.
  public static let symmetric = OperatorTags(rawValue: 1)
  /// A = Aᵀ and xᵀ A x > 0.
  public static let positiveDefinite = OperatorTags(rawValue: 2 | 1)
  /// Nothing above the diagonal counts.
  public static let lowerTriangular = OperatorTags(rawValue: 4)
  /// Nothing below the diagonal counts.
  public static let upperTriangular = OperatorTags(rawValue: 8)
  /// The diagonal of a triangular matrix counts as ones.
  public static let unitDiagonal = OperatorTags(rawValue: 16)

  /// Of the transposed matrix.
  var transposed: OperatorTags {
    var result = subtracting([.lowerTriangular, .upperTriangular])
    if contains(.lowerTriangular) { result.insert(.upperTriangular) }
    if contains(.upperTriangular) { result.insert(.lowerTriangular) }
    return result
  }
  var isTriangular: Bool { contains(.lowerTriangular) || contains(.upperTriangular) }
}
