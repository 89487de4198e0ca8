public import LinearAlgebra

/// minimise ½ xᵀQx + qᵀx subject to A x = b, l ≤ G x ≤ u and lo ≤ x ≤ hi, with convex Q.
///
/// Sides may be infinite (or at least 1e20 in size, ``QuadraticProgramOptions/infinity``): then there is none. Sides may be equal.
/// Multipliers have the sign of the Lagrangian L = ½ xᵀQx + qᵀx + yᵀ(A x − b) + zᵀ G x + wᵀ x: positive where an upper side holds, negative
/// where a lower one does, and at the solution Q x + q + Aᵀ y + Gᵀ z + w = 0.
public struct QuadraticProgram: Sendable {
  /// Q, n x n, both halves.
  public var quadratic: CompressedMatrix
  /// q, n.
  public var linear: [Double]
  /// A, p x n.
  public var equalities: CompressedMatrix
  /// b, p.
  public var equalityValues: [Double]
  /// G, m x n.
  public var inequalities: CompressedMatrix
  /// l, m.
  public var lower: [Double]
  /// u, m.
  public var upper: [Double]
  /// lo, n.
  public var lowerBounds: [Double]
  /// hi, n.
  public var upperBounds: [Double]

  /// Number of variables, n.
  public var variableCount: Int { linear.count }
  /// Number of equations, p.
  public var equalityCount: Int { equalityValues.count }
  /// Number of rows with two sides, m.
  public var inequalityCount: Int { lower.count }

  /// A program with sparse matrices. What is left out does not constrain.
  /// - Throws: ``QuadraticProgramError`` if shapes do not fit, a number is NaN, a coefficient infinite, or Q not symmetric.
  public init(
    quadratic: CompressedMatrix? = nil, linear: [Double], equalities: CompressedMatrix? = nil,
    equalityValues: [Double] = [], inequalities: CompressedMatrix? = nil, lower: [Double]? = nil,
    upper: [Double]? = nil, lowerBounds: [Double]? = nil, upperBounds: [Double]? = nil
  ) throws(QuadraticProgramError) {
    let n = linear.count
    func empty(_ rows: Int) throws(QuadraticProgramError) -> CompressedMatrix {
      do throws(LinearAlgebraError) {
        return try CompressedMatrix(rowCount: rows, columnCount: n, entries: [])
      } catch { throw .shape(error.description) }
    }
    if let quadratic { self.quadratic = quadratic } else { self.quadratic = try empty(n) }
    self.linear = linear
    if let equalities { self.equalities = equalities } else { self.equalities = try empty(0) }
    self.equalityValues = equalityValues
    if let inequalities { self.inequalities = inequalities } else { self.inequalities = try empty(0) }
    let m = self.inequalities.rows
    self.lower = lower ?? [Double](repeating: -.infinity, count: m)
    self.upper = upper ?? [Double](repeating: .infinity, count: m)
    self.lowerBounds = lowerBounds ?? [Double](repeating: -.infinity, count: n)
    self.upperBounds = upperBounds ?? [Double](repeating: .infinity, count: n)
    try validate()
  }

  /// A program with dense, row-major matrices. Every entry is kept, zero or not.
  /// - Throws: ``QuadraticProgramError`` as for sparse matrices.
  public init(
    denseQuadratic: [Double], linear: [Double], denseEqualities: [Double] = [], equalityValues: [Double] = [],
    denseInequalities: [Double] = [], lower: [Double]? = nil, upper: [Double]? = nil,
    lowerBounds: [Double]? = nil, upperBounds: [Double]? = nil
  ) throws(QuadraticProgramError) {
    let n = linear.count
    func matrix(_ values: [Double], rows: Int, _ name: String) throws(QuadraticProgramError)
      -> CompressedMatrix
    {
      guard values.count == rows * n else {
        throw .shape("\(name) has \(values.count) elements where \(rows) x \(n) are wanted")
      }
      let indices = (0..<rows).flatMap { _ in 0..<n }
      do throws(LinearAlgebraError) {
        let pattern = try SparsityPattern(
          rowCount: rows, columnCount: n, rowOffsets: (0...rows).map { $0 * n }, columnIndices: indices)
        return try CompressedMatrix(pattern, values: values)
      } catch { throw .shape("\(name): \(error)") }
    }
    let m = lower?.count ?? upper?.count ?? 0
    try self.init(
      quadratic: matrix(denseQuadratic, rows: n, "Q"), linear: linear,
      equalities: matrix(denseEqualities, rows: equalityValues.count, "A"), equalityValues: equalityValues,
      inequalities: matrix(denseInequalities, rows: m, "G"), lower: lower, upper: upper,
      lowerBounds: lowerBounds, upperBounds: upperBounds)
  }

  /// Throws if the program is malformed. Solvers call it too, as the members can be changed.
  public func validate() throws(QuadraticProgramError) {
    let (n, p, m) = (variableCount, equalityCount, inequalityCount)
    func require(_ size: (Int, Int), _ expected: (Int, Int), _ name: String) throws(QuadraticProgramError) {
      guard size == expected else {
        throw .shape("\(name) is \(size.0) x \(size.1) where \(expected.0) x \(expected.1) is wanted")
      }
    }
    try require((quadratic.rows, quadratic.columns), (n, n), "Q")
    try require((equalities.rows, equalities.columns), (p, n), "A")
    try require((inequalities.rows, inequalities.columns), (m, n), "G")
    for (values, expected, name) in [
      (upper, m, "u"), (lowerBounds, n, "the lower bounds"), (upperBounds, n, "the upper bounds"),
    ] where values.count != expected {
      throw .shape("\(name) has \(values.count) elements where \(expected) are wanted")
    }
    for (values, name) in [
      (quadratic.values, "Q"), (linear, "q"), (equalities.values, "A"), (equalityValues, "b"),
      (inequalities.values, "G"),
    ] {
      if let place = values.firstIndex(where: { !$0.isFinite }) {
        throw .nonFinite("number \(place) of \(name) is \(values[place])")
      }
    }
    for (low, high, name, lowName, highName) in [
      (lower, upper, "row", "l", "u"), (lowerBounds, upperBounds, "variable", "lower bound", "upper bound"),
    ] {
      for k in low.indices {
        if low[k].isNaN { throw .nonFinite("the \(lowName) of \(name) \(k) is NaN") }
        if high[k].isNaN { throw .nonFinite("the \(highName) of \(name) \(k) is NaN") }
        if low[k] == .infinity { throw .nonFinite("the \(lowName) of \(name) \(k) is +infinity") }
        if high[k] == -.infinity { throw .nonFinite("the \(highName) of \(name) \(k) is -infinity") }
        if low[k] > high[k] {
          throw .crossedSides(
            "the \(lowName) of \(name) \(k), \(low[k]), lies above its \(highName), \(high[k])")
        }
      }
    }
    do throws(LinearAlgebraError) { try quadratic.requireSymmetric() } catch {
      throw .notSymmetric("Q: \(error)")
    }
  }

  /// ½ xᵀQx + qᵀx.
  public func objective(_ x: [Double]) -> Double {
    guard let product = try? quadratic.multiply(x) else { return .nan }
    return zip(x, zip(product, linear)).reduce(0) { $0 + $1.0 * (0.5 * $1.1.0 + $1.1.1) }
  }
}

/// Why a quadratic program was refused, or has no solution.
public enum QuadraticProgramError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Sizes do not fit together.
  case shape(String)
  /// A number is NaN, or infinite where it must not be.
  case nonFinite(String)
  /// A lower side lies above its upper side.
  case crossedSides(String)
  /// Q is not symmetric.
  case notSymmetric(String)
  /// Q is not positive semidefinite: the variable at which its elimination met a negative pivot.
  case notConvex(variable: Int, pivot: Double)
  /// The solver ended without a solution.
  case notSolved(SolverStatus, String)
  /// The derivative does not exist at the solution.
  case degenerate(String)

  /// What happened, why that may be, and what to do.
  public var description: String {
    switch self {
    case .shape(let message), .nonFinite(let message), .crossedSides(let message), .notSymmetric(let message),
      .degenerate(let message):
      message
    case .notConvex(let variable, let pivot):
      "Q is not positive semidefinite: eliminating its variables in turn, that of variable \(variable) meets the pivot "
        + "\(pivot). Likely causes: a wrong sign, a maximisation. Non-convex programs have local solutions: use "
        + "NonlinearProgram"
    case .notSolved(let status, let detail): detail.isEmpty ? "\(status)" : "\(status); \(detail)"
    }
  }
}
