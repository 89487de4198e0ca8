import Lanes

/// The matrices of quadratic programs of one size, and the symmetric systems that are made of them: what the interior-point method needs
/// of linear algebra. Q is n x n; C holds all rows of constraints, the `equalityCount` equations first.
///
/// One program, one in every lane, or one with eight of its variables or constraints in a vector.
protocol ProgramMatrices: AnyObject {
  associatedtype L: Lane where L.Scalar == Double
  var variableCount: Int { get }
  var rowCount: Int { get }
  var equalityCount: Int { get }

  /// y = Q x.
  func multiplyQuadratic(_ x: UnsafePointer<L>, into y: UnsafeMutablePointer<L>)
  /// v = C x.
  func multiplyRows(_ x: UnsafePointer<L>, into v: UnsafeMutablePointer<L>)
  /// y += Cᵀ z.
  func addTransposedRows(_ z: UnsafePointer<L>, to y: UnsafeMutablePointer<L>)
  /// The largest magnitude in each column of D Q D and E C D together, and in each row of E C D, with diagonal D, E.
  func norms(
    columns: UnsafeMutablePointer<L>, rows: UnsafeMutablePointer<L>, columnScale: UnsafePointer<L>,
    rowScale: UnsafePointer<L>)
  /// The largest magnitude in each column of D Q D.
  func quadraticNorms(_ columns: UnsafeMutablePointer<L>, columnScale: UnsafePointer<L>)
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
  /// The same for rows' right-hand sides that are zero, where only the variables' part of the solution is wanted.
  /// - Parameter rows: scratch memory.
  func solveVariables(_ x: UnsafeMutablePointer<L>, scratch rows: UnsafeMutablePointer<L>)
  /// C times the x that was solved for last, where solving has made it: until matrices are used again.
  var rowsTimesSolution: UnsafePointer<L>? { get }

  // Where the elements of an L belong to one program:
  /// Their sum, in each.
  static func sum(_ x: L) -> L
  /// The largest of them, in each.
  static func largest(_ x: L) -> L
  /// The smallest of them, in each.
  static func least(_ x: L) -> L
  /// Sets to zero what only fills the last vector of variables.
  func clearPadding(_ x: UnsafeMutablePointer<L>)

  // Plain numbers, one program after the other:
  /// Takes numbers that belong to variables, for so many programs from `place` on. Others get the numbers of the last one if `place` is zero.
  func loadVariables(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<L>)
  /// The same for numbers that belong to constraints: equations, rows and bounds.
  /// - Parameter padding: for constraints that are not there.
  func loadConstraints(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<L>,
    padding: Double)
  func storeVariables(
    _ source: UnsafePointer<L>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>)
  func storeConstraints(
    _ source: UnsafePointer<L>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>)
}

/// Dense matrices of programs of one size.
protocol BatchedProgramMatrices: ProgramMatrices, SendableMetatype {
  /// How many programs are solved together.
  static var programCount: Int { get }
  /// What a core of these matrices needs as scratch memory, in all.
  static func scratchCount(_ size: ProgramSize) -> Int
  /// - Parameter scratch: for what need not last from a solution to its derivatives. Programs that are worked on one after the other share it:
  ///   every one begins it anew.
  init(_ size: ProgramSize, scratch: LaneMemory<L>)
  /// The numbers of variables and of rows of matrices of such a size, in vectors.
  static func vectorCounts(_ size: ProgramSize) -> (variables: Int, rows: Int)
  /// What lasts from a solution to its derivatives takes so much memory.
  static func keptCount(_ size: ProgramSize) -> Int
  /// Copies what lies in its own memory, past the caches.
  func copyKept(to target: UnsafeMutablePointer<L>)
  /// Has that in other memory from here on, or in its own.
  func bind(_ memory: UnsafeMutablePointer<L>?)
  /// Takes the symmetric part of Q, and C, of the first programs. If there are fewer than ``programCount`` the last one is repeated.
  func loadMatrices(quadratic: UnsafePointer<Double>, rows: UnsafePointer<Double>, programs: Int)
}

extension ProgramMatrices {
  @inline(__always) static func sum(_ x: L) -> L { x }
  @inline(__always) static func largest(_ x: L) -> L { x }
  @inline(__always) static func least(_ x: L) -> L { x }
  func clearPadding(_ x: UnsafeMutablePointer<L>) {}
  var hasPositivePivots: L.Mask { L(0.0) .== L(0.0) }
  var rowsTimesSolution: UnsafePointer<L>? { nil }
  func solveVariables(_ x: UnsafeMutablePointer<L>, scratch rows: UnsafeMutablePointer<L>) {
    rows.update(repeating: L(0.0), count: rowCount)
    solve(x, rows)
  }
}

/// Fresh memory costs more than much that is computed in it: blocks are kept for the next programs of the same size.
private let laneMemoryPool = ArenaPool(limit: 64 << 20)

/// Memory for lanes, aligned to cache lines; zeroed unless that is not wanted.
final class LaneMemory<L: Lane> {
  let base: UnsafeMutablePointer<L>
  private let count: Int
  private var used = 0
  init(_ count: Int, isZeroed: Bool = true) {
    self.count = max(count, 1)
    let bytes = self.count * MemoryLayout<L>.stride
    let memory =
      bytes < Self.large
      ? laneMemoryPool.take(bytes) ?? Arena.allocate(bytes) : BufferStore.take(bytes)
    base = memory.bindMemory(to: L.self, capacity: self.count)
    if isZeroed { base.initialize(repeating: L(0.0), count: self.count) }
  }
  deinit {
    let bytes = count * MemoryLayout<L>.stride
    if bytes < Self.large {
      laneMemoryPool.give(UnsafeMutableRawPointer(base), bytes)
    } else {
      BufferStore.give(UnsafeMutableRawPointer(base), bytes)
    }
  }
  private static var large: Int { 2 << 20 }
  /// Copies everything, past the caches.
  func copy(to target: UnsafeMutablePointer<L>) { copyStreaming(base, to: target, count: count) }
  /// Hands the same memory out once more, whatever it holds by now.
  func restart() { used = 0 }
  /// The next so many.
  func take(_ count: Int) -> UnsafeMutablePointer<L> {
    defer { used += count }
    precondition(used + count <= self.count, "memory exhausted")
    return base + used
  }
}
