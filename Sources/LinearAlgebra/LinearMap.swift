import Lanes

/// A linear map between vectors of numbers, known by what it does: what the iterative methods work with.
public protocol LinearMap: Sendable {
  /// Length of the results.
  var rows: Int { get }
  /// Length of the arguments.
  var columns: Int { get }
  /// y = A x, or y = Aᵀ x. The two vectors do not overlap.
  func multiply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) throws
}

/// A factorised matrix, or anything else that solves with it and with its transpose at once.
///
/// Matrices that are not square, or singular ones, may have one too: then "solving" is multiplying with the
/// pseudo-inverse A⁺, or its transpose.
public protocol Factorization: Sendable {
  /// Rows of A.
  var rows: Int { get }
  /// Columns of A.
  var columns: Int { get }
  /// x = A⁻¹ b, or x = A⁻ᵀ b, for `count` vectors that lie one after the other. `b` and `x` must not overlap.
  func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) throws
  /// An estimate of 1 / (‖A‖ ‖A⁻¹‖), zero for singular matrices; nil where there is none.
  func reciprocalCondition() -> Double?
}

extension Factorization {
  /// None.
  public func reciprocalCondition() -> Double? { nil }

  /// The solution for one right-hand side.
  /// - Throws: ``LinearAlgebraError`` if the length is wrong, a number is not finite, or the system cannot be solved.
  public func solve(_ b: [Double], transposed: Bool = false) throws -> [Double] {
    let (expected, result) = transposed ? (columns, rows) : (rows, columns)
    guard b.count == expected else {
      throw LinearAlgebraError.shape(
        "a right-hand side of \(b.count) numbers does not belong to a matrix of \(rows) x \(columns)"
          + (transposed ? ", transposed" : ""))
    }
    try requireFinite(b, "an element of the right-hand side")
    return try [Double](unsafeUninitializedCapacity: result) { buffer, count in
      buffer.initialize(repeating: 0)
      count = result
      guard result > 0 else { return }
      try b.withUnsafeBufferPointer { source in
        let base = source.baseAddress ?? UnsafePointer(buffer.baseAddress!)
        try solve(base, into: buffer.baseAddress!, count: 1, transposed: transposed)
      }
    }
  }
  /// Throws if rounding decides what the inverse is.
  func requireCondition(_ limit: Double) throws(LinearAlgebraError) {
    guard limit > 0, let reciprocal = reciprocalCondition() else { return }
    if !(reciprocal >= limit) {
      throw LinearAlgebraError.nearlySingular(reciprocalCondition: reciprocal, limit: limit)
    }
  }
}

/// The unit roundoff: the reciprocal condition number below which no digit of a solution is right.
public let workingPrecision = Double.ulpOfOne

/// Throws if one of the numbers is not finite.
package func requireFinite(_ values: [Double], _ what: String) throws(LinearAlgebraError) {
  let isFinite = values.withUnsafeBufferPointer { buffer in
    buffer.baseAddress.map { areFinite($0, count: buffer.count) } ?? true
  }
  if isFinite { return }
  let place = values.firstIndex { !$0.isFinite } ?? 0
  throw .nonFinite("\(what) (number \(place), \(values[place]))")
}
