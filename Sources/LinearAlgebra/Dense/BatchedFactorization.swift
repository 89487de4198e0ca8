import CLanes
import Foundation
import Lanes

/// Decompositions of many small dense matrices at once, eight in the lanes of a vector register.
///
/// A = L U P with partial pivoting, every matrix with its own pivots, or A = L Lᵀ.
/// - Complexity: O(count · size³) to make. With AVX-512 and matrices larger than the caches in all, a ninth of the time of as many single
///   ones at 8 rows, a fifth at 16, and a third at 32, where reading and writing the matrices takes most of it.
public final class BatchedFactorization: Sendable {
  /// Which decomposition.
  public enum Kind: Sendable, Hashable {
    /// A = L U P.
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
  /// For LU the column of the pivot of row k, for every lane.
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
    // -1: the pivots of a group are safe; otherwise a bit for each lane whose factor can be used.
    let failed = Shared(value: NumberBuffer(count: groups))
    let source = Shared(value: matrices)
    let rowsLength = kind == .lu ? luMemoryLength(size) : 0
    Self.forEachGroup(
      groups, work: count * size * size * size,
      makeContext: {
        (
          rows: NumberBuffer(count: rowsLength), factors: NumberBuffer(count: usesScratch ? groupLength : 0),
          solutions: NumberBuffer(count: Self.memoryLength(size, systems?.columns ?? 0))
        )
      }
    ) { scratch, group in
      let first = group * Self.lanes
      let used = min(Self.lanes, count - first)
      let kept = memory.base + (keepsFactors ? group * groupLength : 0)
      let base = UnsafeMutableRawPointer(usesScratch ? scratch.factors.base : kept).assumingMemoryBound(
        to: Group.self)
      let order = permutations.base + (kind == .lu ? group * size * Self.lanes : 0)
      let report: PivotReport
      switch kind {
      case .lu:
        let start = source.value + first * size * size
        report = decomposeLU(
          start, size, count: used, memory: scratch.rows.base, into: base, order,
          ahead: group + 1 < count / Self.lanes ? start + Self.lanes * size * size : nil)
      case .cholesky:
        loadRows(
          source.value + first * size * size, stride: size * size, count: size * size, lanes: used,
          into: base, repeatsLast: true)
        let isSafe = areFinite(base, count: size * size) && decomposeCholesky(base, size)
        report = PivotReport(isSafe: isSafe, usable: .max)
      }
      failed.value.base[group] = report.isSafe ? -1 : Double(report.usable)
      if isStreamed { costate_copy_streaming(base, kept, groupLength * 8) }
      guard let systems, size > 0, systems.columns > 0, report.usable != 0 else { return }
      let length = size * systems.columns
      Self.solveGroup(
        base, ahead: nil, order, kind, size: size,
        systems.b + first * length, systems.x + first * length, columns: systems.columns,
        transposed: systems.isTransposed, lanes: 0..<used, memory: scratch.solutions)
    }
    order = permutations
    // Groups with a small pivot are looked at one matrix at a time; there the errors say what is wrong.
    for group in 0..<groups where failed.value.base[group] >= 0 {
      let usable = UInt8(failed.value.base[group])
      for system in group * Self.lanes..<min(count, (group + 1) * Self.lanes) {
        let matrix = matrices + system * size * size
        do throws(LinearAlgebraError) {
          switch kind {
          case .lu:
            _ = try LUFactorization(matrix, size: size, minimumReciprocalCondition: limit)
            if usable >> (system % Self.lanes) & 1 == 0 {
              throw .singular("the reciprocal of a pivot is not finite; scale the system")
            }
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
    Self.forEachGroup(
      groups.count, work: systems.count * size * length,
      makeContext: { NumberBuffer(count: Self.memoryLength(size, columns)) }
    ) { memory, place in
      let group = groups.lowerBound + place
      let base = UnsafeRawPointer(factor.base + group * size * size * Self.lanes)
        .assumingMemoryBound(to: Group.self)
      let first = max(group * Self.lanes, systems.lowerBound)
      let end = min((group + 1) * Self.lanes, systems.upperBound, count)
      let start = (first - systems.lowerBound) * length
      Self.solveGroup(
        base, ahead: group + 1 < groups.upperBound ? base + size * size : nil,
        order.base + (kind == .lu ? group * size * Self.lanes : 0), kind, size: size,
        source.value + start, target.value + start, columns: columns, transposed: transposed,
        lanes: first - group * Self.lanes..<end - group * Self.lanes, memory: memory)
      withExtendedLifetime((factor, order)) {}
    }
  }

  /// Numbers of memory for solving.
  private static func memoryLength(_ size: Int, _ columns: Int) -> Int { 2 * size * columns * lanes }
  /// Solves for the systems in some lanes of a group; `b` and `x` begin with the first of them.
  private static func solveGroup(
    _ factor: UnsafePointer<Group>, ahead: UnsafePointer<Group>?, _ order: UnsafePointer<Int32>, _ kind: Kind,
    size: Int,
    _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>, columns: Int, transposed: Bool,
    lanes: Range<Int>, memory: NumberBuffer
  ) {
    let length = size * columns
    let y = UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: Group.self)
    // A row for every lane. A part of a group stands in its own lanes, and those of a permutation on their way.
    let rows = UnsafeMutableRawPointer(y + length).assumingMemoryBound(to: Double.self)
    let (isPermutedBefore, isPermutedAfter) = (kind == .lu && transposed, kind == .lu && !transposed)
    if lanes.lowerBound == 0, !isPermutedBefore {
      loadRows(b, stride: length, count: length, lanes: lanes.upperBound, into: y)
    } else {
      for lane in 0..<Self.lanes {
        let (row, given) = (rows + lane * length, b + (lane - lanes.lowerBound) * length)
        if !lanes.contains(lane) {
          row.update(repeating: 0, count: length)
        } else if isPermutedBefore {
          moveRows(size, columns, order + lane) { k, pivot in (given + pivot, row + k) }
        } else {
          row.update(from: given, count: length)
        }
      }
      loadRows(rows, stride: length, count: length, lanes: Self.lanes, into: y)
    }
    // A = L U P, so Aᵀ = Pᵀ Uᵀ Lᵀ; or A = L Lᵀ.
    switch kind {
    case .lu where transposed:
      substitute(factor, y, size, columns, lower: false, transposed: true, isUnit: true, ahead: ahead)
      substitute(
        factor, y, size, columns, lower: true, transposed: true, isUnit: false,
        ahead: ahead.map { $0 + size * size / 2 })
    case .lu:
      substitute(factor, y, size, columns, lower: true, transposed: false, isUnit: false, ahead: ahead)
      substitute(
        factor, y, size, columns, lower: false, transposed: false, isUnit: true,
        ahead: ahead.map { $0 + size * size / 2 })
    case .cholesky:
      substitute(factor, y, size, columns, lower: true, transposed: false, isUnit: false, ahead: ahead)
      substitute(
        factor, y, size, columns, lower: true, transposed: true, isUnit: false,
        ahead: ahead.map { $0 + size * size / 2 })
    }
    if lanes.lowerBound == 0, !isPermutedAfter {
      storeRows(UnsafePointer(y), count: length, lanes: lanes.upperBound, into: x, stride: length)
    } else {
      storeRows(UnsafePointer(y), count: length, lanes: Self.lanes, into: rows, stride: length)
      for lane in lanes {
        let (row, result) = (rows + lane * length, x + (lane - lanes.lowerBound) * length)
        if isPermutedAfter {
          moveRows(size, columns, order + lane) { k, pivot in (UnsafePointer(row + k), result + pivot) }
        } else {
          result.update(from: row, count: length)
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
