import Foundation
import Lanes

/// Quadratic programs of one size that were solved together, kept for derivatives.
final class ProgramGroup<Matrices: BatchedProgramMatrices>: @unchecked Sendable {
  typealias L = Matrices.L
  /// Its vectors are scratch memory of derivatives.
  private let lock = NSLock()
  private let core: ProximalInteriorPoint<Matrices>
  private(set) var outcome = ProximalInteriorPoint<Matrices>.Outcome()
  private var isConvex = L(0.0) .== L(0.0)
  private var margins: RegularityMargins<L>?
  private var hasBarrier = false

  init(_ size: ProgramSize) { core = ProximalInteriorPoint(Matrices(size)) }

  /// Takes so many programs that lie one after the other, and solves them.
  func solve(
    _ data: ProgramPointers, size: ProgramSize, first: Int, programs: Int, _ options: QuadraticProgramOptions
  ) {
    let (n, m, constraints) = (size.variables, size.rows, size.constraints)
    let matrices = core.matrices
    matrices.loadMatrices(
      quadratic: data.quadratic + first * n * n, rows: data.rows + first * m * n, programs: programs)
    matrices.loadVariables(data.linear + first * n, place: 0, programs: programs, into: core.linear)
    core.load(
      lower: data.lower + first * constraints, upper: data.upper + first * constraints, programs: programs,
      infinity: options.infinity)
    core.equilibrate(rounds: options.equilibrationRounds)
    isConvex = core.isConvex()
    core.initialize()
    outcome = core.solveAndPolish(options, isAlone: Matrices.programCount == 1)
    hasBarrier = options.barrier > 0
    margins = nil
  }

  func isConvex(lane: Int) -> Bool { isConvex[lane: lane] }

  /// x and the net multipliers of the first programs, in the programs' units.
  func store(x: UnsafeMutablePointer<Double>, multipliers: UnsafeMutablePointer<Double>, programs: Int) {
    core.storeSolution(x: x, multipliers: multipliers, programs: programs)
  }

  /// Which of the constraints are moved by which side.
  func storeShares(upper: UnsafeMutablePointer<Double>, lower: UnsafeMutablePointer<Double>, programs: Int) {
    lock.lock()
    defer { lock.unlock() }
    core.prepareDerivative(hasBarrier: hasBarrier)
    core.storeShares(upper: upper, lower: lower, programs: programs)
  }

  func regularity(lane: Int) -> QuadraticProgramRegularity {
    lock.lock()
    defer { lock.unlock() }
    let margins = self.margins ?? core.regularity(rounds: 2)
    self.margins = margins
    return QuadraticProgramRegularity(
      complementarity: hasBarrier ? .infinity : margins.complementarity[lane: lane],
      independence: margins.independence[lane: lane], curvature: margins.curvature[lane: lane],
      limits: (
        outcome.isPolished[lane] ? 1e-7 : 1e-4, margins.independenceLimit[lane: lane],
        margins.curvatureLimit[lane: lane]
      ))
  }

  /// Solves the derivative's system for one right-hand side of each program from `lane` on.
  /// - Returns: relative residuals.
  func solveDerivative(
    x: UnsafePointer<Double>, rows: UnsafePointer<Double>, lane first: Int, programs: Int,
    intoX: UnsafeMutablePointer<Double>, intoRows: UnsafeMutablePointer<Double>
  ) -> [Double] {
    lock.lock()
    defer { lock.unlock() }
    let error = core.solveDerivative(
      x: x, rows: rows, first: first, programs: programs, intoX: intoX, intoRows: intoRows)
    return (0..<programs).map { error[lane: first + $0] }
  }
}

/// Sizes of a program: the rows include the equations.
struct ProgramSize: Hashable, Sendable {
  var variables: Int
  var rows: Int
  var equalities: Int
  /// Rows and bounds.
  var constraints: Int { rows + variables }
}

/// Where programs' data begin: row-major, one program after the other.
struct ProgramPointers: @unchecked Sendable {
  var quadratic: UnsafePointer<Double>
  var linear: UnsafePointer<Double>
  var rows: UnsafePointer<Double>
  var lower: UnsafePointer<Double>
  var upper: UnsafePointer<Double>
}

/// Programs that were solved together: small ones eight at a time in lanes, others one by one.
final class SolvedPrograms: @unchecked Sendable {
  private enum Groups {
    case packed([ProgramGroup<PackedProgramMatrices>])
    case lanes([ProgramGroup<DenseProgramMatrices<SIMD8<Double>>>])
  }
  let size: ProgramSize
  let count: Int
  private var groups = Groups.packed([])
  /// Lane by lane.
  private(set) var statuses: [SolverStatus]
  private(set) var iterations: [Int]

  /// Solves.
  /// - Parameters:
  ///   - keeps: whether derivatives will be asked for. Otherwise memory is reused from group to group.
  ///   - x, multipliers: where results go.
  init(
    _ data: ProgramPointers, size: ProgramSize, count: Int, options: QuadraticProgramOptions, keeps: Bool,
    x: UnsafeMutablePointer<Double>, multipliers: UnsafeMutablePointer<Double>
  ) {
    self.size = size
    self.count = count
    statuses = [SolverStatus](repeating: .converged, count: count)
    iterations = [Int](repeating: 0, count: count)
    if count < 3 || size.variables + size.equalities > Self.largestInLanes {
      groups = .packed(solve(data, options, keeps: keeps, x: x, multipliers: multipliers))
    } else {
      groups = .lanes(solve(data, options, keeps: keeps, x: x, multipliers: multipliers))
    }
  }
  /// Programs of more unknowns are solved one by one: eight of them have no room in a core's caches.
  private static let largestInLanes = 24

  private func solve<Matrices: BatchedProgramMatrices>(
    _ data: ProgramPointers, _ options: QuadraticProgramOptions, keeps: Bool, x: UnsafeMutablePointer<Double>,
    multipliers: UnsafeMutablePointer<Double>
  ) -> [ProgramGroup<Matrices>] {
    let (size, count, each) = (size, count, Matrices.programCount)
    let total = (count + each - 1) / each
    let kept = Slots<ProgramGroup<Matrices>>(keeps ? total : 0)
    let found = Slots<(SolverStatus, Int)>(count)
    let (target, rows) = (Shared(value: x), Shared(value: multipliers))
    // Less work than this takes less time than starting threads.
    let unknowns = size.variables + size.equalities
    let work = count * unknowns * unknowns * (size.variables + size.rows)
    parallelFor(
      count: total, threads: work > 1 << 17 ? ProcessInfo.processInfo.activeProcessorCount : 1,
      makeContext: { keeps ? nil : ProgramGroup<Matrices>(size) }
    ) { shared, index in
      let group = shared ?? ProgramGroup<Matrices>(size)
      let first = index * each
      let programs = min(each, count - first)
      group.solve(data, size: size, first: first, programs: programs, options)
      group.store(
        x: target.value + first * size.variables, multipliers: rows.value + first * size.constraints,
        programs: programs)
      for lane in 0..<programs {
        found.base[first + lane] =
          group.isConvex(lane: lane)
          ? (group.outcome.status[lane], group.outcome.iterations[lane]) : (.degenerate, -1)
      }
      if keeps { kept.base[index] = group }
    }
    for k in 0..<count {
      let (status, steps) = found.base[k]!
      (statuses[k], iterations[k]) = (status, max(steps, 0))
      if steps < 0, nonConvex == nil { nonConvex = k }
    }
    return keeps ? (0..<total).map { kept.base[$0]! } : []
  }
  /// The first program whose Q is not positive semidefinite.
  private(set) var nonConvex: Int?

  func regularity(_ member: Int) -> QuadraticProgramRegularity {
    switch groups {
    case .packed(let groups): regularity(member, groups)
    case .lanes(let groups): regularity(member, groups)
    }
  }
  private func regularity<M>(_ member: Int, _ groups: [ProgramGroup<M>]) -> QuadraticProgramRegularity {
    groups[member / M.programCount].regularity(lane: member % M.programCount)
  }

  /// Shares of all programs.
  func storeShares(upper: UnsafeMutablePointer<Double>, lower: UnsafeMutablePointer<Double>) {
    switch groups {
    case .packed(let groups): storeShares(groups, upper, lower)
    case .lanes(let groups): storeShares(groups, upper, lower)
    }
  }
  private func storeShares<M>(
    _ groups: [ProgramGroup<M>], _ upper: UnsafeMutablePointer<Double>, _ lower: UnsafeMutablePointer<Double>
  ) {
    let (constraints, count) = (size.constraints, count)
    let (above, below) = (Shared(value: upper), Shared(value: lower))
    forEach(groups.count) { index in
      let first = index * M.programCount
      groups[index].storeShares(
        upper: above.value + first * constraints, lower: below.value + first * constraints,
        programs: min(M.programCount, count - first))
    }
  }

  /// Solves the derivatives' systems of consecutive members, one right-hand side each; the worst relative residual.
  func solveDerivative(
    members: Range<Int>, x: UnsafePointer<Double>, rows: UnsafePointer<Double>,
    intoX: UnsafeMutablePointer<Double>,
    intoRows: UnsafeMutablePointer<Double>
  ) -> Double {
    switch groups {
    case .packed(let groups): solveDerivative(groups, members, x, rows, intoX, intoRows)
    case .lanes(let groups): solveDerivative(groups, members, x, rows, intoX, intoRows)
    }
  }
  private func solveDerivative<M>(
    _ groups: [ProgramGroup<M>], _ members: Range<Int>, _ x: UnsafePointer<Double>,
    _ rows: UnsafePointer<Double>, _ intoX: UnsafeMutablePointer<Double>,
    _ intoRows: UnsafeMutablePointer<Double>
  ) -> Double {
    let (n, constraints, count) = (size.variables, size.constraints, count)
    if members.count == 1 {
      let member = members.lowerBound
      return groups[member / M.programCount].solveDerivative(
        x: x, rows: rows, lane: member % M.programCount, programs: 1, intoX: intoX, intoRows: intoRows)[0]
    }
    precondition(members == 0..<count, "all members, or one")
    let worst = Slots<Double>(groups.count)
    let (source, sourceRows) = (Shared(value: x), Shared(value: rows))
    let (target, targetRows) = (Shared(value: intoX), Shared(value: intoRows))
    forEach(groups.count) { index in
      let first = index * M.programCount
      let errors = groups[index].solveDerivative(
        x: source.value + first * n, rows: sourceRows.value + first * constraints, lane: 0,
        programs: min(M.programCount, count - first), intoX: target.value + first * n,
        intoRows: targetRows.value + first * constraints)
      // NaN counts as worst.
      worst.base[index] = errors.reduce(0) { $1 <= $0 ? $0 : $1 }
    }
    return (0..<groups.count).reduce(0.0) { worst.base[$1]! <= $0 ? $0 : worst.base[$1]! }
  }

  private func forEach(_ groups: Int, _ body: @Sendable (Int) -> Void) {
    let work = groups * (size.variables + size.equalities) * (size.variables + size.rows) * 20
    parallelFor(
      count: groups, threads: work > 1 << 17 ? ProcessInfo.processInfo.activeProcessorCount : 1,
      makeContext: { 0 }
    ) { _, index in body(index) }
  }
}

/// Places that threads fill, each its own.
private final class Slots<Value>: @unchecked Sendable {
  let base: UnsafeMutablePointer<Value?>
  private let count: Int
  init(_ count: Int) {
    self.count = count
    base = .allocate(capacity: max(count, 1))
    base.initialize(repeating: nil, count: count)
  }
  deinit {
    base.deinitialize(count: count)
    base.deallocate()
  }
}
