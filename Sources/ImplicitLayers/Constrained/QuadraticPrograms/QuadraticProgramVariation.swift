import LinearAlgebra

/// Numbers that belong to each datum of a program: changes of it, or derivatives with respect to it. Matrices have their entries in the order of
/// the program's patterns.
public struct QuadraticProgramVariation: Sendable {
  /// For Q. Derivatives are symmetric: that of an entry and that of the one across the diagonal share equally.
  public var quadratic: [Double]
  /// For q.
  public var linear: [Double]
  /// For A.
  public var equalities: [Double]
  /// For b.
  public var equalityValues: [Double]
  /// For G.
  public var inequalities: [Double]
  /// For l.
  public var lower: [Double]
  /// For u.
  public var upper: [Double]
  /// For the lower bounds.
  public var lowerBounds: [Double]
  /// For the upper bounds.
  public var upperBounds: [Double]

  /// Zeros for a program.
  public init(zerosFor program: QuadraticProgram) {
    func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }
    let (n, p, m) = (program.variableCount, program.equalityCount, program.inequalityCount)
    quadratic = zeros(program.quadratic.values.count)
    linear = zeros(n)
    equalities = zeros(program.equalities.values.count)
    equalityValues = zeros(p)
    inequalities = zeros(program.inequalities.values.count)
    (lower, upper) = (zeros(m), zeros(m))
    (lowerBounds, upperBounds) = (zeros(n), zeros(n))
  }
}
