/// Why a matrix, a factorisation or an iteration was refused. Each case's description names the likely causes.
public enum LinearAlgebraError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Sizes do not fit together.
  case shape(String)
  /// An argument lies outside of its range, or is not supported by what it was given to.
  case argument(String)
  /// A number that must be finite is not.
  case nonFinite(String)
  /// A pivot is zero: the matrix has no inverse.
  case singular(String)
  /// The matrix has an inverse, but rounding decides what it is.
  case nearlySingular(reciprocalCondition: Double, limit: Double)
  /// The matrix is singular whatever the values of its entries: rank and size.
  case structurallySingular(rank: Int, size: Int)
  /// The matrix is said to be symmetric, and is not.
  case notSymmetric(row: Int, column: Int, difference: Double)
  /// The matrix is said to be positive definite, and is not.
  case notPositiveDefinite(String)
  /// An iteration did not reach its tolerance.
  case notConverged(method: String, iterations: Int, residual: Double, target: Double)
  /// An iteration cannot go on.
  case breakdown(method: String, iteration: Int, cause: String)
  /// A file is malformed.
  case format(line: Int, message: String)

  /// What happened, why that may be, and what to do.
  public var description: String {
    switch self {
    case .shape(let message), .argument(let message): message
    case .nonFinite(let what):
      "\(what) is not finite; an earlier computation has overflowed or divided by zero"
    case .singular(let place):
      "the matrix is singular: \(place). Likely causes: a row or column of zeros, two equations that say the same, "
        + "an unknown that no equation determines. Least squares (leastSquares) gives the shortest solution"
    case .nearlySingular(let reciprocal, let limit):
      "the matrix is singular to working precision: its reciprocal condition number is about \(reciprocal), below the "
        + "limit of \(limit), so that no digit of the solution means anything. Likely causes: unknowns of very different "
        + "scale, almost dependent rows, a missing regularisation. Scale the unknowns, add a small multiple of the "
        + "identity, or use least squares with a tolerance for the rank"
    case .structurallySingular(let rank, let size):
      "the sparse matrix is singular whatever its values: entries can be matched to only \(rank) of \(size) rows and "
        + "columns. Likely causes: an empty row or column, an unknown that no equation mentions, entries missing in the "
        + "pattern"
    case .notSymmetric(let row, let column, let difference):
      "the matrix is tagged symmetric, but its elements (\(row), \(column)) and (\(column), \(row)) differ by \(difference). "
        + "Remove the tag, or make it symmetric as (A + Aᵀ) / 2"
    case .notPositiveDefinite(let place):
      "the matrix is tagged positive definite and is not: \(place). Likely causes: a wrong sign, a missing "
        + "regularisation, a Hessian at a saddle. Remove the tag, or add a multiple of the identity"
    case .notConverged(let method, let iterations, let residual, let target):
      "\(method) did not converge in \(iterations) iterations: the residual's norm is \(residual), the target \(target). "
        + "Likely causes: an ill-conditioned matrix without a preconditioner, too few iterations, a tolerance below what "
        + "rounding allows, a wrong tag (symmetric, positive definite)"
    case .breakdown(let method, let iteration, let cause):
      "\(method) broke down in iteration \(iteration): \(cause)"
    case .format(let line, let message): "line \(line): \(message)"
    }
  }
}
