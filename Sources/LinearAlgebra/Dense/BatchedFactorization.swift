import CLanes
import Foundation
import Lanes

/// Decompositions of many small dense matrices at once, eight in the lanes of a vector register.
///
/// P A = L U with partial pivoting, every lane with its own pivots, or A = L Lᵀ.
/// - Complexity: O(count · size³) to make. With AVX-512 and matrices larger than the caches in all, a ninth of the time of as many single
///   ones at 8 rows, a fifth at 16, and a third at 32, where reading and writing the matrices takes most of it.
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
  /// Groups of eight matrices, an element of all eight after the other; on the diagonal reciprocals.
  private let factor: NumberBuffer
  /// For LU the row that row k was exchanged with, for every lane.
  private let order: Permutations

  private typealias Group = SIMD8<Double>
  private static let lanes = 8
  private static let streamedSize = 8 << 20
  private var groupCount: Int { (count + Self.lanes - 1) / Self.lanes }

  /// Right-hand sides of all systems, and where their solutions go: row-major matrices, one after the other.
  package struct RightHandSides: @unchecked Sendable {
    let b: UnsafePointer<Double>
    let x: UnsafeMutablePointer<Double>
    let columns: Int
    let isTransposed: Bool
    package init(
      _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, columns: Int, transposed: Bool
    ) { (self.b, self.x, self.columns, isTransposed) = (b, x, columns, transposed) }
  }

  /// - Parameters:
  ///   - size: the number of rows.
  ///   - count: how many systems there are.
  ///   - kind: which factorisation.
  ///   - matrices: row-major, one after the other.
  ///   - limit: matrices below it are refused as nearly singular; estimated where pivots leave a doubt. Zero: no
  ///     limit.
  /// - Throws: the number of the first matrix that cannot be decomposed, and why.
  public convenience init(
    _ matrices: UnsafePointer<Double>, size: Int, count: Int, kind: Kind,
    minimumReciprocalCondition limit: Double = workingPrecision
  ) throws(BatchedFactorizationError) {
    try self.init(
      matrices, size: size, count: count, kind: kind, minimumReciprocalCondition: limit, solving: nil,
      keepsFactors: true)
  }
  /// Solves each group of systems as soon as it is factored, while the factors are in the cache. If they are not kept, nothing else
  /// can be solved with the result.
  package init(
    _ matrices: UnsafePointer<Double>, size: Int, count: Int, kind: Kind,
    minimumReciprocalCondition limit: Double, solving systems: RightHandSides?, keepsFactors: Bool
  ) throws(BatchedFactorizationError) {
    (self.size, self.count, self.kind) = (size, count, kind)
    let groups = (count + Self.lanes - 1) / Self.lanes
    let groupLength = size * size * Self.lanes
    let memory = NumberBuffer(count: keepsFactors ? groups * groupLength : 0)
    factor = memory
    // Factors that are larger than the caches are written past them, from memory that stays there.
    let isStreamed = keepsFactors && groups * groupLength * 8 >= Self.streamedSize
    let usesScratch = isStreamed || !keepsFactors
    let permutations = Permutations(count: kind == .lu ? groups * size * Self.lanes : 0)
    let failed = Shared(value: NumberBuffer(zeros: groups))
    let source = Shared(value: matrices)
    let rows = Shared(value: UnsafePointer(permutations.base))
    Self.forEachGroup(
      groups, work: count * size * size * size,
      makeContext: { NumberBuffer(count: usesScratch ? groupLength : 0) }
    ) { scratch, group in
      let first = group * Self.lanes
      let kept = memory.base + (keepsFactors ? group * groupLength : 0)
      let base = UnsafeMutableRawPointer(usesScratch ? scratch.base : kept).assumingMemoryBound(
        to: Group.self)
      loadRows(
        source.value + first * size * size, stride: size * size, count: size * size,
        lanes: min(Self.lanes, count - first), into: base, repeatsLast: true)
      let isSafe =
        areFinite(base, count: size * size)
        && (kind == .lu
          ? decomposeLU(
            base, size, permutations.base + group * size * Self.lanes,
            // Of the last group something that is there anyway.
            next: group + 1 < count / Self.lanes
              ? UnsafeRawPointer(source.value + (first + Self.lanes) * size * size) : UnsafeRawPointer(base))
          : decomposeCholesky(base, size))
      failed.value.base[group] = isSafe ? 0 : 1
      if isStreamed { costate_copy_streaming(base, kept, groupLength * 8) }
      guard let systems, size > 0, systems.columns > 0 else { return }
      let length = size * systems.columns
      Self.solveGroup(
        base, rows.value + (kind == .lu ? group * size * Self.lanes : 0), kind, size: size,
        systems.b + first * length, systems.x + first * length, columns: systems.columns,
        transposed: systems.isTransposed, lanes: 0..<min(Self.lanes, count - first))
    }
    order = permutations
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
    let (size, kind, factor, order, count) = (size, kind, factor, order, count)
    Self.forEachGroup(groups.count, work: systems.count * size * length, makeContext: {}) { _, place in
      let group = groups.lowerBound + place
      let base = UnsafeRawPointer(factor.base + group * size * size * Self.lanes)
        .assumingMemoryBound(to: Group.self)
      let first = max(group * Self.lanes, systems.lowerBound)
      let end = min((group + 1) * Self.lanes, systems.upperBound, count)
      let start = (first - systems.lowerBound) * length
      Self.solveGroup(
        base, order.base + (kind == .lu ? group * size * Self.lanes : 0), kind, size: size,
        source.value + start, target.value + start, columns: columns, transposed: transposed,
        lanes: first - group * Self.lanes..<end - group * Self.lanes)
      withExtendedLifetime((factor, order)) {}
    }
  }

  /// Solves for the systems in some lanes of a group; `b` and `x` begin with the first of them.
  private static func solveGroup(
    _ factor: UnsafePointer<Group>, _ order: UnsafePointer<Int32>, _ kind: Kind, size: Int,
    _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>, columns: Int, transposed: Bool,
    lanes: Range<Int>
  ) {
    let length = size * columns
    withUnsafeTemporaryAllocation(byteCount: length * Self.lanes * 8, alignment: 64) { memory in
      let y = memory.baseAddress!.bindMemory(to: Group.self, capacity: length)
      let numbers = memory.baseAddress!.assumingMemoryBound(to: Double.self)
      // A part of a group stands in its own lanes.
      if lanes.lowerBound == 0 {
        loadRows(b, stride: length, count: length, lanes: lanes.upperBound, into: y)
      } else {
        y.update(repeating: Group(repeating: 0), count: length)
        for lane in lanes {
          for k in 0..<length { numbers[k * Self.lanes + lane] = b[(lane - lanes.lowerBound) * length + k] }
        }
      }
      switch kind {
      case .lu:
        if !transposed {
          permute(y, size, columns, order, isInverse: false)
          substitute(factor, y, size, columns, lower: true, transposed: false, isUnit: true)
          substitute(factor, y, size, columns, lower: false, transposed: false, isUnit: false)
        } else {
          substitute(factor, y, size, columns, lower: false, transposed: true, isUnit: false)
          substitute(factor, y, size, columns, lower: true, transposed: true, isUnit: true)
          permute(y, size, columns, order, isInverse: true)
        }
      case .cholesky:
        substitute(factor, y, size, columns, lower: true, transposed: false, isUnit: false)
        substitute(factor, y, size, columns, lower: true, transposed: true, isUnit: false)
      }
      if lanes.lowerBound == 0 {
        storeRows(UnsafePointer(y), count: length, lanes: lanes.upperBound, into: x, stride: length)
      } else {
        for lane in lanes {
          for k in 0..<length { x[(lane - lanes.lowerBound) * length + k] = numbers[k * Self.lanes + lane] }
        }
      }
    }
  }

  private static func forEachGroup<Context>(
    _ groups: Int, work: Int, makeContext: @Sendable () -> Context, _ body: @Sendable (Context, Int) -> Void
  ) {
    // Less work than this takes less time than starting threads.
    let threads = work > 1 << 21 ? ProcessInfo.processInfo.activeProcessorCount : 1
    let chunk = max(1, min(16, groups / (4 * threads)))
    parallelFor(count: (groups + chunk - 1) / chunk, threads: threads, makeContext: makeContext) {
      context, index in
      for group in index * chunk..<min(groups, (index + 1) * chunk) { body(context, group) }
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

/// Row orders, written by several threads and then only read.
private final class Permutations: @unchecked Sendable {
  private let memory: NumberBuffer
  let base: UnsafeMutablePointer<Int32>
  init(count: Int) {
    memory = NumberBuffer(count: (count + 1) / 2)
    base = UnsafeMutableRawPointer(memory.base).bindMemory(to: Int32.self, capacity: max(count, 1))
  }
}

/// In place, row by row; false if a pivot of some lane is zero, not finite, or small beside the largest.
/// - Parameter next: memory of n · n vectors that will be read next.
private func decomposeLU(
  _ a: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int, _ order: UnsafeMutablePointer<Int32>,
  next: UnsafeRawPointer
) -> Bool {
  let lanes = 8
  var least = SIMD8<Double>(repeating: .infinity)
  var most = SIMD8<Double>(repeating: 0)
  var k = 0
  while k < n {
    var best = a[k &* n &+ k].magnitude
    var place = SIMD8<Int64>(repeating: Int64(truncatingIfNeeded: k))
    costate_prefetch(next + k &* n &* 64, n &* 64)
    var i = k &+ 1
    while i < n {
      let candidate = a[i &* n &+ k].magnitude
      let isLarger = best .< candidate
      best = best.replacing(with: candidate, where: isLarger)
      place = place.replacing(with: SIMD8(repeating: Int64(truncatingIfNeeded: i)), where: isLarger)
      i = i &+ 1
    }
    least = SIMD8.minimum(best, least)
    most = SIMD8.maximum(best, most)
    withUnsafeBytes(of: place) { bytes in
      let rows = bytes.baseAddress!.assumingMemoryBound(to: Int64.self)
      var lane = 0
      while lane < lanes {
        order[k &* lanes &+ lane] = Int32(truncatingIfNeeded: rows[lane])
        lane = lane &+ 1
      }
      // Each row is exchanged for all lanes at once, as whole vectors: loads after stores of parts would wait. Rows are collected as
      // bits, 64 at a time.
      var window = k & ~63
      while window < n {
        var bits: UInt64 = 0
        lane = 0
        while lane < lanes {
          // Nothing is left of a shift by more than 63 bits, or by a negative number of them.
          bits |= UInt64(1) << (rows[lane] &- Int64(truncatingIfNeeded: window))
          lane = lane &+ 1
        }
        if window <= k { bits &= ~(1 &<< UInt64(truncatingIfNeeded: k &- window)) }
        while bits != 0 {
          let row = window &+ bits.trailingZeroBitCount
          bits &= bits &- 1
          exchange(
            a + k &* n, a + row &* n, n, place .== SIMD8(repeating: Int64(truncatingIfNeeded: row)))
        }
        window = window &+ 64
      }
    }
    let inverse = 1.0 / a[k &* n &+ k]
    a[k &* n &+ k] = inverse
    let pivotRow = a + k &* n
    i = k &+ 1
    // Two rows at once read the pivot's row half as often.
    while i &+ 2 <= n {
      let (first, second) = (a + i &* n, a + (i &+ 1) &* n)
      let factors = (first[k] * inverse, second[k] * inverse)
      (first[k], second[k]) = factors
      let negative = (-factors.0, -factors.1)
      var j = k &+ 1
      while j < n {
        first[j] = SIMD8.multiplyAdd(negative.0, pivotRow[j], first[j])
        second[j] = SIMD8.multiplyAdd(negative.1, pivotRow[j], second[j])
        j = j &+ 1
      }
      i = i &+ 2
    }
    if i < n {
      let row = a + i &* n
      let factor = row[k] * inverse
      row[k] = factor
      var j = k &+ 1
      while j < n {
        row[j] = SIMD8.multiplyAdd(-factor, pivotRow[j], row[j])
        j = j &+ 1
      }
    }
    k = k &+ 1
  }
  // NaN compares false.
  return n == 0 || all((least .>= 1e-8 * most) .& (most .< SIMD8(repeating: .infinity)))
}

/// Exchanges two rows in some of the lanes.
@inline(__always)
private func exchange(
  _ first: UnsafeMutablePointer<SIMD8<Double>>, _ second: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int,
  _ mask: SIMDMask<SIMD8<Int64>>
) {
  var j = 0
  while j < n {
    let (x, y) = (first[j], second[j])
    first[j] = x.replacing(with: y, where: mask)
    second[j] = y.replacing(with: x, where: mask)
    j = j &+ 1
  }
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
  var k = 0
  while k < n {
    let pivot = a[k &* n &+ k]
    least = SIMD8.minimum(pivot, least)
    most = SIMD8.maximum(pivot, most)
    let inverse = 1.0 / pivot.squareRoot
    a[k &* n &+ k] = inverse
    var i = k &+ 1
    while i < n {
      a[i &* n &+ k] = a[i &* n &+ k] * inverse
      let negative = -a[i &* n &+ k]
      var j = k &+ 1
      while j <= i {
        a[i &* n &+ j] = SIMD8.multiplyAdd(negative, a[j &* n &+ k], a[i &* n &+ j])
        j = j &+ 1
      }
      i = i &+ 1
    }
    k = k &+ 1
  }
  let isSymmetric = difference .<= 1e-10 * largest
  return n == 0
    || all(
      (least .>= 1e-8 * most) .& (least .> SIMD8(repeating: 0)) .& (most .< SIMD8(repeating: .infinity))
        .& isSymmetric)
}

/// In place: rows in the order of P A, or back, by the exchanges of the decomposition.
private func permute(
  _ y: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int, _ columns: Int, _ order: UnsafePointer<Int32>,
  isInverse: Bool
) {
  let lanes = 8
  let numbers = UnsafeMutableRawPointer(y).assumingMemoryBound(to: Double.self)
  var step = 0
  while step < n {
    let k = isInverse ? n &- 1 &- step : step
    var lane = 0
    while lane < lanes {
      let first = numbers + (k &* columns &* lanes &+ lane)
      let second = numbers + (Int(order[k &* lanes &+ lane]) &* columns &* lanes &+ lane)
      var c = 0
      while c < columns {
        let kept = first[c &* lanes]
        first[c &* lanes] = second[c &* lanes]
        second[c &* lanes] = kept
        c = c &+ 1
      }
      lane = lane &+ 1
    }
    step = step &+ 1
  }
}

/// In place: T⁻¹ y or T⁻ᵀ y with a half of a, whose rows are read one after the other.
private func substitute(
  _ a: UnsafePointer<SIMD8<Double>>, _ y: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int, _ columns: Int,
  lower: Bool, transposed: Bool, isUnit: Bool
) {
  // Lower, or upper transposed: from the first row to the last.
  let isForward = lower != transposed
  var step = 0
  while step < n {
    let i = isForward ? step : n &- 1 &- step
    let row = a + i &* n
    let (first, last) = lower ? (0, i) : (i &+ 1, n)
    var c = 0
    while c < columns {
      if transposed {
        // What has been solved for leaves the equations that follow.
        let known = isUnit ? y[i &* columns &+ c] : y[i &* columns &+ c] * row[i]
        y[i &* columns &+ c] = known
        let negative = -known
        var j = first
        while j < last {
          y[j &* columns &+ c] = SIMD8.multiplyAdd(row[j], negative, y[j &* columns &+ c])
          j = j &+ 1
        }
      } else {
        // Two sums, as one would wait for its own additions.
        var sums = (y[i &* columns &+ c], SIMD8<Double>(repeating: 0))
        var j = first
        while j &+ 2 <= last {
          sums.0 = SIMD8.multiplyAdd(-row[j], y[j &* columns &+ c], sums.0)
          sums.1 = SIMD8.multiplyAdd(-row[j &+ 1], y[(j &+ 1) &* columns &+ c], sums.1)
          j = j &+ 2
        }
        if j < last { sums.0 = SIMD8.multiplyAdd(-row[j], y[j &* columns &+ c], sums.0) }
        let sum = sums.0 + sums.1
        y[i &* columns &+ c] = isUnit ? sum : sum * row[i]
      }
      c = c &+ 1
    }
    step = step &+ 1
  }
}
