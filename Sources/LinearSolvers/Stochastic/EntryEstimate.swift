public import Autodiff
import LinearAlgebra

/// One number of a solution as random walks see it.
public struct EntryEstimate: Sendable {
  /// The mean over the walks, without bias.
  public var value: Double
  /// The standard deviation of the mean, estimated from the same walks; zero if all walks agree.
  public var standardError: Double
  /// The rows that were read, over all walks.
  public var visits: Int
}

/// Element `index` of A⁻¹ b, without the others: by random walks over the rows of A (von Neumann and Ulam; Forsythe and Leibler 1950).
///
/// With the diagonal D of A, H = 1 − D⁻¹ A and c = D⁻¹ b the solution is the series Σₖ Hᵏ c. A walk starts at `index`, goes from row i to row j with
/// probability |hᵢⱼ|, and ends with what is left, 1 − Σⱼ |hᵢⱼ|; the sum of c over its rows, each with the product of the signs
/// so far, has the element as its mean. Only rows that a walk comes to are read, so that the time does not depend on the number of unknowns: it
/// is proportional to the entries of a row and to `walks` / (1 − the greatest sum). The error falls with the root of the walks: this is for one number of a
/// very large system to few digits, and has no derivative.
///
/// ```swift
/// let estimate = try estimatedEntry(of: .sparse(pattern, values: k), b, at: 17, walks: 10_000, key: RandomKey(seed: 1))
/// ```
///
/// - Parameters:
///   - a: a sparse or dense operator, strictly dominated by its diagonal in the rows that walks come to.
///   - b: the right-hand side, `[rows]`.
///   - index: the element.
///   - walks: the number of walks, two or more.
///   - key: chooses the walks.
///   - longestWalk: the number of rows after which a walk is an error.
/// - Throws: `TensorError` if shapes do not fit, the operator has another form or is tagged triangular, or a tensor is traced; for a row that is
///   read: if its diagonal is zero (`TensorError.Reason.singular`), a number is not finite, or Σⱼ |hᵢⱼ| is not less than one
///   (`TensorError.Reason.notConverged`), which is also the reason of a walk that is too long.
public func estimatedEntry(
  of a: LinearOperator, _ b: Tensor, at index: Int, walks: Int, key: RandomKey, longestWalk: Int = 1_000_000
) throws -> EntryEstimate {
  let operation = "estimatedEntry"
  if let error = a.error ?? b.failure { throw error }
  guard a.rows == a.columns, b.shape == [a.rows] else {
    throw TensorError(
      .shape, operation,
      "a right-hand side of shape \(b.shape) does not belong to an operator of \(a.rows) x \(a.columns)")
  }
  guard index >= 0, index < a.rows else {
    throw TensorError(.range, operation, "element \(index) of \(a.rows)")
  }
  guard walks >= 2, longestWalk >= 1 else {
    throw TensorError(
      .argument, operation, "needs two walks or more, of a row or more; not \(walks) and \(longestWalk)")
  }
  guard !a.tags.isTriangular else {
    throw TensorError(.argument, operation, "triangular systems are solved by substitution: use solve(_:_:)")
  }
  let pattern: SparsityPattern?
  switch a.node.kind {
  case .sparse(let known): pattern = known
  case .dense: pattern = nil
  default:
    throw TensorError(
      .argument, operation, "reads the rows of sparse and dense operators; this one is a \(a.node.label)")
  }
  let numbers = try a.parameters[0].denseValue(operation).converted(to: .float64).contiguous()
  let right = try b.denseValue(operation).converted(to: .float64).contiguous()
  let seed = try key.bits.denseValue(operation)
  guard key.bits.shape == [2] else {
    throw TensorError(.shape, operation, "needs one key, not a stack of them")
  }
  let halves = Tensor(seed).values.map { UInt64(UInt32(truncatingIfNeeded: Int($0))) }
  let walker = Walker(
    pattern: pattern, size: a.rows, values: numbers.pointer(Double.self), b: right.pointer(Double.self))
  return try withExtendedLifetime((numbers, right)) {
    try walker.estimate(
      index, walks: walks, longestWalk: longestWalk, state: halves[0] << 32 | halves[1])
  }
}

private struct Walker {
  let pattern: SparsityPattern?
  let size: Int
  let values: UnsafePointer<Double>
  let b: UnsafePointer<Double>

  func estimate(_ index: Int, walks: Int, longestWalk: Int, state: UInt64) throws -> EntryEstimate {
    var random = SplitMix(state: state)
    // Welford's recurrence for mean and sum of squared deviations.
    var (mean, squares, visits) = (0.0, 0.0, 0)
    for walk in 0..<walks {
      var (row, sign, sum, length) = (index, 1.0, 0.0, 0)
      while true {
        guard length < longestWalk else {
          throw TensorError(
            .notConverged, "estimatedEntry",
            "a walk came to \(longestWalk) rows: the iteration hardly contracts; solve the system")
        }
        length += 1
        let step = try step(from: row, random.nextUnit())
        sum += sign * step.share
        guard let next = step.next else { break }
        (row, sign) = (next, sign * step.sign)
      }
      visits += length
      let deviation = sum - mean
      mean += deviation / Double(walk + 1)
      squares += deviation * (sum - mean)
    }
    let count = Double(walks)
    return EntryEstimate(
      value: mean, standardError: (squares / (count * (count - 1))).squareRoot(), visits: visits)
  }

  /// c of the row, and where to go from it: to the column in whose part of the row's sum `unit` falls, or nowhere.
  private func step(from row: Int, _ unit: Double) throws -> (share: Double, next: Int?, sign: Double) {
    let (start, end) =
      pattern.map { ($0.rowOffsets[row], $0.rowOffsets[row + 1]) } ?? (row * size, (row + 1) * size)
    func column(_ place: Int) -> Int { pattern?.columnIndices[place] ?? place - start }
    var diagonal = 0.0
    for place in start..<end where column(place) == row { diagonal = values[place] }
    guard diagonal != 0 else {
      throw TensorError(
        .singular, "estimatedEntry", "the diagonal of row \(row) is zero: there is no iteration by it")
    }
    let share = b[row] / diagonal
    var sum = 0.0
    var next: (column: Int, sign: Double)?
    for place in start..<end where column(place) != row {
      let h = -values[place] / diagonal
      sum += h.magnitude
      if next == nil, unit < sum { next = (column(place), h < 0 ? -1 : 1) }
    }
    guard share.isFinite, sum.isFinite else {
      throw TensorError(
        .nonFinite, "estimatedEntry", "row \(row), or the right-hand side there, is not finite")
    }
    guard sum < 1 else {
      throw TensorError(
        .notConverged, "estimatedEntry",
        "beside the diagonal, row \(row) has \(sum) times its size: the iteration need not contract where this is not less than one. Solve "
          + "the system, or scale its columns so that the diagonal dominates")
    }
    return (share, next?.column, next?.sign ?? 1)
  }
}

/// Steele, Lea and Flood's generator (2014): cheap, one number at a time.
private struct SplitMix {
  var state: UInt64
  mutating func nextUnit() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var x = state
    x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
    x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((x ^ (x >> 31)) >> 11) * 0x1p-53
  }
}
