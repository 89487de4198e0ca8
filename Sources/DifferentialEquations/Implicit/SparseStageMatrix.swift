import Lanes
import LinearAlgebra

/// A sparse matrix of stages' equations: solved with by its LU decomposition or, where that would fill up, by GMRES with an incomplete one.
///
/// Which of them is better depends on step sizes: short steps make the matrix nearly the unit matrix. So large systems begin with
/// iterations, and when these take too long the decomposition takes over for good.
final class SparseStageMatrix {
  let pattern: SparsityPattern
  /// Places of block (i, j), entry e: `places[(i * blocks + j) * entries + e]`.
  let places: [Int]
  let diagonal: [Int]
  var values: [Double]
  private let size: Int
  private let scratch: UnsafeMutablePointer<Double>
  private let product: UnsafeMutablePointer<Double>
  private var matrix: CompressedMatrix?
  private var decomposition: SparseLUFactorization?
  private var incomplete: IncompleteLUPreconditioner?
  private(set) var prefersIterations: Bool

  /// Systems of at least this size begin with iterations.
  private static let iterativeSize = 512
  /// Iterations take less time than a decomposition up to about this many, for corrections and for the reverse sweep.
  private static let iterationLimits = (corrections: 25, exact: 60)
  /// What corrections of Newton's method need, which has a Jacobian of some other place anyway.
  private static let correctionTolerance = 0.1
  private static let exactTolerance = 1e-13

  init(_ jacobian: SparsityPattern, blocks: Int) {
    let n = jacobian.rowCount
    var rows: [Int] = []
    var columns: [Int] = []
    let entryRows = jacobian.rowIndices
    for i in 0..<blocks {
      for j in 0..<blocks {
        rows += entryRows.map { $0 + i * n }
        columns += jacobian.columnIndices.map { $0 + j * n }
      }
    }
    let count = rows.count
    rows += 0..<n * blocks
    columns += 0..<n * blocks
    guard
      let (pattern, places) = try? SparsityPattern.coordinates(
        rowCount: n * blocks, columnCount: n * blocks, rows: rows, columns: columns)
    else { preconditionFailure("the Jacobian's pattern is not square") }
    self.pattern = pattern
    self.places = Array(places.prefix(count))
    diagonal = Array(places.dropFirst(count))
    values = [Double](repeating: 0, count: pattern.entryCount)
    size = n * blocks
    scratch = .allocate(capacity: max(size, 1))
    product = .allocate(capacity: max(size, 1))
    prefersIterations = size >= Self.iterativeSize
  }
  deinit {
    scratch.deallocate()
    product.deallocate()
  }

  /// Prepares for solving with the values.
  /// - Returns: false if the matrix is singular or not finite.
  func factor() -> Bool {
    matrix = try? CompressedMatrix(pattern, values: values)
    decomposition = nil
    incomplete = nil
    guard let matrix else { return false }
    if prefersIterations { incomplete = try? IncompleteLUPreconditioner(matrix) }
    return incomplete != nil || decompose()
  }
  private func decompose() -> Bool {
    incomplete = nil
    decomposition = matrix.flatMap { try? SparseLUFactorization($0, minimumReciprocalCondition: 0) }
    return decomposition != nil
  }

  /// Solves with the incomplete decomposition alone, in place.
  /// - Returns: whether that is enough for a correction.
  private func apply(
    _ incomplete: IncompleteLUPreconditioner, _ matrix: CompressedMatrix, _ x: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) -> Bool {
    incomplete.apply(scratch, into: x, transposed: transposed)
    matrix.multiply(x, into: product, transposed: transposed)
    var (rest, whole) = (0.0, 0.0)
    var c = 0
    while c < size {
      let difference = scratch[c] - product[c]
      rest += difference * difference
      whole += scratch[c] * scratch[c]
      c = c &+ 1
    }
    return rest <= Self.correctionTolerance * Self.correctionTolerance * whole
  }

  /// x = A⁻¹ b, or A⁻ᵀ b, in place; NaN if that cannot be.
  /// - Parameter isExact: to rounding, and not only as Newton's method needs it.
  func solve(_ x: UnsafeMutablePointer<Double>, transposed: Bool, isExact: Bool) {
    scratch.update(from: x, count: size)
    if let incomplete, let matrix {
      if !isExact && apply(incomplete, matrix, x, transposed: transposed) { return }
      let stopping = StoppingCriterion(
        relativeTolerance: isExact ? Self.exactTolerance : Self.correctionTolerance,
        maximumIterations: isExact ? Self.iterationLimits.exact : Self.iterationLimits.corrections)
      let report = try? generalizedMinimumResidual(
        matrix, scratch, x, restart: isExact ? 30 : 12, preconditioner: incomplete, stopping: stopping,
        transposed: transposed)
      if report?.isConverged == true { return }
      // Where the right-hand side is not finite, a decomposition does not help either.
      guard areFinite(UnsafePointer(scratch), count: size), decompose() else {
        x.update(repeating: .nan, count: size)
        return
      }
      prefersIterations = false
    }
    guard let decomposition else {
      x.update(repeating: .nan, count: size)
      return
    }
    decomposition.solve(scratch, into: x, count: 1, transposed: transposed)
  }
}
