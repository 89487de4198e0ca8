import Lanes

/// The matrices of quadratic programs of one size, and the symmetric systems that are made of them: what the interior-point method needs
/// of linear algebra. Q is n x n; C holds all rows of constraints, the `equalityCount` equations first.
///
/// One program, or one in every lane.
protocol ProgramMatrices: AnyObject {
  associatedtype L: Lane
  var variableCount: Int { get }
  var rowCount: Int { get }
  var equalityCount: Int { get }

  /// y = Q x.
  func multiplyQuadratic(_ x: UnsafePointer<L>, into y: UnsafeMutablePointer<L>)
  /// v = C x.
  func multiplyRows(_ x: UnsafePointer<L>, into v: UnsafeMutablePointer<L>)
  /// y += Cᵀ z.
  func addTransposedRows(_ z: UnsafePointer<L>, to y: UnsafeMutablePointer<L>)
  /// The largest magnitude in each column of Q and C together, and in each row of C.
  func norms(columns: UnsafeMutablePointer<L>, rows: UnsafeMutablePointer<L>)
  /// The largest magnitude in each column of Q.
  func quadraticNorms(_ columns: UnsafeMutablePointer<L>)
  /// Q ← c D Q D, C ← E C D with diagonal D, E.
  func scale(columns: UnsafePointer<L>, rows: UnsafePointer<L>, objective: L)

  /// Factors [Q + diag(diagonal), Cᵀ; C, −diag(1 / weights)]. Rows of weight zero are left out.
  /// - Returns: in which lanes all pivots had the right sign.
  func factorize(diagonal: UnsafePointer<L>, weights: UnsafePointer<L>) -> L.Mask
  /// In which lanes not one of the variables' pivots of the last factorisation was replaced.
  var hasPositivePivots: L.Mask { get }
  /// Solves with the factor: `x` (n) and `rows` hold the right-hand sides, then the solution. What belongs to rows of weight zero becomes
  /// zero.
  func solve(_ x: UnsafeMutablePointer<L>, _ rows: UnsafeMutablePointer<L>)
}

extension ProgramMatrices {
  var hasPositivePivots: L.Mask { L(0.0) .== L(0.0) }
}

/// Fresh memory costs more than much that is computed in it: blocks are kept for the next programs of the same size.
private let laneMemoryPool = ArenaPool(limit: 64 << 20)

/// Zeroed memory for lanes, aligned to cache lines.
final class LaneMemory<L: Lane> {
  let base: UnsafeMutablePointer<L>
  private let count: Int
  private var used = 0
  init(_ count: Int) {
    self.count = max(count, 1)
    let bytes = self.count * MemoryLayout<L>.stride
    let memory = laneMemoryPool.take(bytes) ?? Arena.allocate(bytes)
    base = memory.bindMemory(to: L.self, capacity: self.count)
    base.initialize(repeating: L(0.0), count: self.count)
  }
  deinit { laneMemoryPool.give(UnsafeMutableRawPointer(base), count * MemoryLayout<L>.stride) }
  /// The next so many.
  func take(_ count: Int) -> UnsafeMutablePointer<L> {
    defer { used += count }
    precondition(used + count <= self.count, "memory exhausted")
    return base + used
  }
}
