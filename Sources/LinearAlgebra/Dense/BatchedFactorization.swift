import Foundation
import Lanes

/// Decompositions of many small dense matrices at once, eight in the lanes of a vector register.
///
/// P A = L U with partial pivoting, every lane with its own pivots, or A = L Lᵀ.
/// - Complexity: O(count · size³) to make, in about an eighth of the time of as many single ones.
public final class BatchedFactorization: Sendable {
  /// Which decomposition.
  public enum Kind: Sendable, Hashable {
    /// P A = L U.
    case lu
    /// A = L Lᵀ.
    case cholesky
  }
  /// Rows of a matrix.
  public let size: Int
  /// Number of matrices.
  public let count: Int
  private let kind: Kind
  /// Groups of eight matrices, an element of all eight after the other.
  private let factor: NumberBuffer
  /// For LU the row of A that is row k of P A, for every lane.
  private let order: [Int32]

  private typealias Group = SIMD8<Double>
  private static let lanes = 8
  private var groupCount: Int { (count + Self.lanes - 1) / Self.lanes }

  /// - Parameters:
  ///   - size: the number of rows.
  ///   - count: how many systems there are.
  ///   - kind: which factorisation.
  ///   - matrices: row-major, one after the other.
  ///   - limit: matrices below it are refused as nearly singular; estimated where pivots leave a doubt. Zero: no
  ///     limit.
  /// - Throws: the number of the first matrix that cannot be decomposed, and why.
  public init(
    _ matrices: UnsafePointer<Double>, size: Int, count: Int, kind: Kind,
    minimumReciprocalCondition limit: Double = workingPrecision
  ) throws(BatchedFactorizationError) {
    (self.size, self.count, self.kind) = (size, count, kind)
    let groups = (count + Self.lanes - 1) / Self.lanes
    let memory = NumberBuffer(count: groups * size * size * Self.lanes)
    factor = memory
    let permutations = Permutations(count: kind == .lu ? groups * size * Self.lanes : 0)
    let failed = Shared(value: NumberBuffer(zeros: groups))
    let source = Shared(value: matrices)
    Self.forEachGroup(groups, work: count * size * size * size) { group in
      let first = group * Self.lanes
      let base = UnsafeMutableRawPointer(memory.base + group * size * size * Self.lanes)
        .assumingMemoryBound(to: Group.self)
      loadRows(
        source.value + first * size * size, stride: size * size, count: size * size,
        lanes: min(Self.lanes, count - first), into: base, repeatsLast: true)
      let isSafe =
        kind == .lu
        ? decomposeLU(base, size, permutations.base + group * size * Self.lanes)
        : decomposeCholesky(base, size)
      failed.value.base[group] = isSafe ? 0 : 1
    }
    order = permutations.values
    // Groups with a small pivot are looked at one matrix at a time; there the errors say what is wrong.
    for group in 0..<groups where failed.value.base[group] != 0 {
      for system in group * Self.lanes..<min(count, (group + 1) * Self.lanes) {
        let matrix = matrices + system * size * size
        do throws(LinearAlgebraError) {
          switch kind {
          case .lu: _ = try LUFactorization(matrix, size: size, minimumReciprocalCondition: limit)
          case .cholesky:
            _ = try CholeskyFactorization(matrix, size: size, minimumReciprocalCondition: limit)
          }
        } catch { throw BatchedFactorizationError(system: system, error: error) }
      }
    }
  }

  /// X = A⁻¹ B or A⁻ᵀ B for every system: row-major matrices of so many columns, one after the other.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, columns: Int, transposed: Bool
  ) { solve(b, into: x, columns: columns, transposed: transposed, systems: 0..<count) }

  /// The same for some of the systems; `b` and `x` begin with the first of them.
  package func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, columns: Int, transposed: Bool,
    systems: Range<Int>
  ) {
    if systems.isEmpty || size == 0 || columns == 0 { return }
    let length = size * columns
    let groups = systems.lowerBound / Self.lanes..<(systems.upperBound + Self.lanes - 1) / Self.lanes
    let (source, target) = (Shared(value: b), Shared(value: x))
    let (size, kind, factor, count) = (size, kind, factor, count)
    order.withUnsafeBufferPointer { rows in
      let rows = Shared(value: rows)
      Self.forEachGroup(groups.count, work: systems.count * size * length) { place in
        let group = groups.lowerBound + place
        let work = NumberBuffer(zeros: 2 * length * Self.lanes)
        let y = UnsafeMutableRawPointer(work.base).assumingMemoryBound(to: Group.self)
        let scratch = y + length
        let base = UnsafeRawPointer(factor.base + group * size * size * Self.lanes)
          .assumingMemoryBound(to: Group.self)
        let first = max(group * Self.lanes, systems.lowerBound)
        let end = min((group + 1) * Self.lanes, systems.upperBound, count)
        let lane = first - group * Self.lanes
        // A part of a group stands in its own lanes.
        if lane == 0 {
          loadRows(
            source.value + (first - systems.lowerBound) * length, stride: length, count: length,
            lanes: end - first, into: y)
        } else {
          for system in first..<end {
            for k in 0..<length {
              work.base[k * Self.lanes + system - group * Self.lanes] =
                source.value[(system - systems.lowerBound) * length + k]
            }
          }
        }
        switch kind {
        case .lu:
          let own = rows.value.baseAddress! + group * size * Self.lanes
          if !transposed {
            permute(y, into: scratch, size, columns, own, isInverse: false)
            substitute(base, scratch, size, columns, lower: true, transposed: false, isUnit: true)
            substitute(base, scratch, size, columns, lower: false, transposed: false, isUnit: false)
            y.update(from: scratch, count: length)
          } else {
            substitute(base, y, size, columns, lower: false, transposed: true, isUnit: false)
            substitute(base, y, size, columns, lower: true, transposed: true, isUnit: true)
            permute(y, into: scratch, size, columns, own, isInverse: true)
            y.update(from: scratch, count: length)
          }
        case .cholesky:
          substitute(base, y, size, columns, lower: true, transposed: false, isUnit: false)
          substitute(base, y, size, columns, lower: true, transposed: true, isUnit: false)
        }
        if lane == 0 {
          storeRows(
            UnsafePointer(y), count: length, lanes: end - first,
            into: target.value + (first - systems.lowerBound) * length, stride: length)
        } else {
          for system in first..<end {
            for k in 0..<length {
              target.value[(system - systems.lowerBound) * length + k] =
                work.base[k * Self.lanes + system - group * Self.lanes]
            }
          }
        }
        withExtendedLifetime((work, factor)) {}
      }
    }
  }

  private static func forEachGroup(_ groups: Int, work: Int, _ body: @Sendable (Int) -> Void) {
    // Less work than this takes less time than starting threads.
    let threads = work > 1 << 21 ? ProcessInfo.processInfo.activeProcessorCount : 1
    let chunk = max(1, min(16, groups / (4 * threads)))
    parallelFor(count: (groups + chunk - 1) / chunk, threads: threads, makeContext: { 0 }) { _, index in
      for group in index * chunk..<min(groups, (index + 1) * chunk) { body(group) }
    }
  }
}

/// A matrix of a batch that cannot be decomposed.
public struct BatchedFactorizationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Its number.
  public let system: Int
  /// Why.
  public let error: LinearAlgebraError
  /// Number and reason.
  public var description: String { "system \(system) of the batch: \(error)" }
}

/// Row orders while they are written by several threads.
private final class Permutations: @unchecked Sendable {
  let base: UnsafeMutablePointer<Int32>
  let count: Int
  init(count: Int) {
    self.count = count
    base = .allocate(capacity: max(count, 1))
  }
  deinit { base.deallocate() }
  var values: [Int32] { Array(UnsafeBufferPointer(start: base, count: count)) }
}

/// In place, row by row; false if a pivot of some lane is zero, not finite, or small beside the largest.
private func decomposeLU(
  _ a: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int, _ order: UnsafeMutablePointer<Int32>
) -> Bool {
  let lanes = 8
  let scalars = UnsafeMutableRawPointer(a).assumingMemoryBound(to: Double.self)
  for k in 0..<n { for lane in 0..<lanes { order[k &* lanes &+ lane] = Int32(k) } }
  var least = SIMD8<Double>(repeating: .infinity)
  var most = SIMD8<Double>(repeating: 0)
  var k = 0
  while k < n {
    var best = a[k &* n &+ k].magnitude
    var place = SIMD8<Double>(repeating: Double(k))
    var i = k &+ 1
    while i < n {
      let candidate = a[i &* n &+ k].magnitude
      let isLarger = best .< candidate
      best = best.replacing(with: candidate, where: isLarger)
      place = place.replacing(with: SIMD8(repeating: Double(i)), where: isLarger)
      i = i &+ 1
    }
    least = SIMD8.minimum(best, least)
    most = SIMD8.maximum(best, most)
    if any(place .!= SIMD8(repeating: Double(k))) {
      for lane in 0..<lanes {
        let row = Int(place[lane])
        if row == k { continue }
        let first = scalars + (k &* n &* lanes &+ lane)
        let second = scalars + (row &* n &* lanes &+ lane)
        var j = 0
        while j < n {
          let kept = first[j &* lanes]
          first[j &* lanes] = second[j &* lanes]
          second[j &* lanes] = kept
          j = j &+ 1
        }
        let kept = order[k &* lanes &+ lane]
        order[k &* lanes &+ lane] = order[row &* lanes &+ lane]
        order[row &* lanes &+ lane] = kept
      }
    }
    let inverse = 1.0 / a[k &* n &+ k]
    i = k &+ 1
    while i < n {
      let factor = a[i &* n &+ k] * inverse
      a[i &* n &+ k] = factor
      let negative = -factor
      var j = k &+ 1
      while j < n {
        a[i &* n &+ j] = SIMD8.multiplyAdd(negative, a[k &* n &+ j], a[i &* n &+ j])
        j = j &+ 1
      }
      i = i &+ 1
    }
    k = k &+ 1
  }
  // NaN compares false.
  return n == 0 || all((least .>= 1e-8 * most) .& (most .< SIMD8(repeating: .infinity)))
}

/// L in the lower half, in place; false if a pivot of some lane is not positive, not finite, or small beside the largest, or the matrix
/// is not symmetric.
private func decomposeCholesky(_ a: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int) -> Bool {
  var least = SIMD8<Double>(repeating: .infinity)
  var most = SIMD8<Double>(repeating: 0)
  var difference = SIMD8<Double>(repeating: 0)
  var largest = SIMD8<Double>(repeating: 0)
  for i in 0..<n {
    for j in 0..<i {
      difference = SIMD8.maximum(difference, (a[i &* n &+ j] - a[j &* n &+ i]).magnitude)
      largest = SIMD8.maximum(largest, a[i &* n &+ j].magnitude)
    }
    largest = SIMD8.maximum(largest, a[i &* n &+ i].magnitude)
  }
  for i in 0..<n {
    for j in 0...i {
      var sum = a[i &* n &+ j]
      var k = 0
      while k < j {
        sum = SIMD8.multiplyAdd(-a[i &* n &+ k], a[j &* n &+ k], sum)
        k = k &+ 1
      }
      if i == j {
        least = SIMD8.minimum(sum, least)
        most = SIMD8.maximum(sum, most)
        a[i &* n &+ i] = sum.squareRoot
      } else {
        a[i &* n &+ j] = sum / a[j &* n &+ j]
      }
    }
  }
  let isSymmetric = difference .<= 1e-10 * largest
  return n == 0
    || all(
      (least .>= 1e-8 * most) .& (least .> SIMD8(repeating: 0)) .& (most .< SIMD8(repeating: .infinity))
        .& isSymmetric)
}

/// Rows in the order of P A, or back.
private func permute(
  _ y: UnsafePointer<SIMD8<Double>>, into z: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int, _ columns: Int,
  _ order: UnsafePointer<Int32>, isInverse: Bool
) {
  let lanes = 8
  let source = UnsafeRawPointer(y).assumingMemoryBound(to: Double.self)
  let target = UnsafeMutableRawPointer(z).assumingMemoryBound(to: Double.self)
  for k in 0..<n {
    for lane in 0..<lanes {
      let row = Int(order[k &* lanes &+ lane])
      let (from, to) = isInverse ? (k, row) : (row, k)
      for c in 0..<columns {
        target[(to &* columns &+ c) &* lanes &+ lane] = source[(from &* columns &+ c) &* lanes &+ lane]
      }
    }
  }
}

/// In place: T⁻¹ y or T⁻ᵀ y with a half of a.
private func substitute(
  _ a: UnsafePointer<SIMD8<Double>>, _ y: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int, _ columns: Int,
  lower: Bool, transposed: Bool, isUnit: Bool
) {
  // Lower, or upper transposed: from the first row to the last.
  let isForward = lower != transposed
  for step in 0..<n {
    let i = isForward ? step : n &- 1 &- step
    let (first, last) = isForward ? (0, i) : (i &+ 1, n)
    for c in 0..<columns {
      var sum = y[i &* columns &+ c]
      var j = first
      while j < last {
        let element = transposed ? a[j &* n &+ i] : a[i &* n &+ j]
        sum = SIMD8.multiplyAdd(-element, y[j &* columns &+ c], sum)
        j = j &+ 1
      }
      y[i &* columns &+ c] = isUnit ? sum : sum / a[i &* n &+ i]
    }
  }
}
