import Kinematics
import Lanes

/// The rows that some lane has, of unit and sparse rows: equalities, then friction, then limits.
struct ActiveRows {
  var equalityEnd = 0
  var frictionEnd = 0
  var count = 0
  /// Of contacts, the slots.
  var slotCount = 0
}

/// Arrays of one solve. Those of rows follow ``ActiveRows``.
struct SolverMemory<L: Lane> {
  // Of degrees of freedom.
  var start: UnsafeMutablePointer<L>
  var massAcceleration: UnsafeMutablePointer<L>
  var gradient: UnsafeMutablePointer<L>
  var search: UnsafeMutablePointer<L>
  var massSearch: UnsafeMutablePointer<L>
  /// Only for conjugate gradients.
  var preconditioned: UnsafeMutablePointer<L>
  var previousGradient: UnsafeMutablePointer<L>
  var previousPreconditioned: UnsafeMutablePointer<L>
  var massFactor: UnsafeMutablePointer<L>

  // Of unit and sparse rows: which (sparse ones after all unit ones), y, its change along the search direction, weights,
  // largest forces, forces and curvatures.
  var rowSource: UnsafeMutablePointer<Int32>
  var rowViolation: UnsafeMutablePointer<L>
  var rowChange: UnsafeMutablePointer<L>
  var rowWeight: UnsafeMutablePointer<L>
  var rowLimit: UnsafeMutablePointer<L>
  var rowForce: UnsafeMutablePointer<L>
  var rowCurvature: UnsafeMutablePointer<L>

  // Of contacts: y and its change (six a slot), curvature W (lower triangle of 6 x 6), scalars of the line search.
  var slotViolation: UnsafeMutablePointer<L>
  var slotChange: UnsafeMutablePointer<L>
  var slotCurvature: UnsafeMutablePointer<L>
  var slotLine: UnsafeMutablePointer<L>

  static var stride: Int { 6 }
  static var curvatureStride: Int { 21 }
  static var lineStride: Int { 20 }
}

/// One thread's memory of the constraint solver, and what a solve leaves behind besides the solution.
final class ConstraintSolverWorkspace<L: Lane> where L.Scalar: LaneScalar {
  private var arena: Arena
  private var slotArena: Arena
  // Each thread has a workspace of its own.
  @exclusivity(unchecked) private var slotCapacity = 0
  @exclusivity(unchecked) private(set) var memory: SolverMemory<L>

  /// The factor of H = M + Jᵀ W J, at the solution if it was asked for.
  let hessian: ConstraintHessian<L>
  @exclusivity(unchecked) var rows = ActiveRows()

  /// Of each lane.
  let status: UnsafeMutablePointer<ConstraintStatus>
  let iterations: UnsafeMutablePointer<Int32>
  /// How near the solution is to one at which a row changes its state: the smallest distance over rows, relative to the
  /// numbers whose difference it is (1: far, 0: at a kink).
  let kinkMargin: UnsafeMutablePointer<L>
  /// Lanes (nonzero) in which rounding left a pivot of H without a digit, in the last factorisation.
  let guardedPivots: UnsafeMutablePointer<L>

  init(_ solver: PrimalSolver<L.Scalar>) {
    let n = solver.mass.count
    let rows = solver.pattern.unitRows.count + solver.pattern.sparseRows.count
    let usesGradients = solver.options.method == .conjugateGradient
    var measure = ArenaMeasure()
    for _ in 0..<5 { measure.take(L.self, n) }
    for _ in 0..<3 { measure.take(L.self, usesGradients ? n : 0) }
    measure.take(L.self, usesGradients ? solver.mass.entryCount : 0)
    measure.take(Int32.self, rows)
    for _ in 0..<6 { measure.take(L.self, rows) }
    measure.take(UInt8.self, L.laneCount)
    measure.take(Int32.self, L.laneCount)
    for _ in 0..<2 { measure.take(L.self, 1) }
    arena = Arena(byteCount: measure.byteCount + ConstraintHessian<L>.byteCount(solver))
    slotArena = Arena(byteCount: 64)
    let none = slotArena.take(L.self, 0)
    memory = SolverMemory(
      start: arena.take(L.self, n), massAcceleration: arena.take(L.self, n), gradient: arena.take(L.self, n),
      search: arena.take(L.self, n), massSearch: arena.take(L.self, n),
      preconditioned: arena.take(L.self, usesGradients ? n : 0),
      previousGradient: arena.take(L.self, usesGradients ? n : 0),
      previousPreconditioned: arena.take(L.self, usesGradients ? n : 0),
      massFactor: arena.take(L.self, usesGradients ? solver.mass.entryCount : 0),
      rowSource: arena.take(Int32.self, rows), rowViolation: arena.take(L.self, rows),
      rowChange: arena.take(L.self, rows), rowWeight: arena.take(L.self, rows),
      rowLimit: arena.take(L.self, rows), rowForce: arena.take(L.self, rows),
      rowCurvature: arena.take(L.self, rows), slotViolation: none, slotChange: none, slotCurvature: none,
      slotLine: none)
    status = arena.take(ConstraintStatus.self, L.laneCount)
    iterations = arena.take(Int32.self, L.laneCount)
    kinkMargin = arena.take(L.self, 1)
    guardedPivots = arena.take(L.self, 1)
    hessian = ConstraintHessian(solver, &arena)
  }

  /// Makes room for contacts; allocates only where there have never been as many.
  func reserve(slots: Int) {
    guard slots > slotCapacity else { return }
    let capacity = max(slots, 2 * slotCapacity, 8)
    let sizes = [
      SolverMemory<L>.stride, SolverMemory<L>.stride, SolverMemory<L>.curvatureStride,
      SolverMemory<L>.lineStride,
    ]
    var measure = ArenaMeasure()
    for size in sizes { measure.take(L.self, size * capacity) }
    slotArena = Arena(byteCount: measure.byteCount)
    memory.slotViolation = slotArena.take(L.self, sizes[0] * capacity)
    memory.slotChange = slotArena.take(L.self, sizes[1] * capacity)
    memory.slotCurvature = slotArena.take(L.self, sizes[2] * capacity)
    memory.slotLine = slotArena.take(L.self, sizes[3] * capacity)
    slotCapacity = capacity
  }
}
