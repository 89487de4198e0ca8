import Foundation
import Lanes

/// Read once: asking the system takes as long as solving some programs.
let processorCount = ProcessInfo.processInfo.activeProcessorCount

/// What is asked of programs that are solved.
struct ProgramDemands {
  /// Derivatives.
  var derivatives: Bool
  /// How far solutions are from having none.
  var regularity: Bool
}

/// Solves groups of quadratic programs of one size, one group after the other, and their derivatives' systems: what one thread works with.
final class ProgramGroup<Matrices: BatchedProgramMatrices> {
  typealias L = Matrices.L
  /// What is known of a group besides what lies in its memory.
  struct State {
    var objectiveScale = L(1.0)
    var constraintCount = 0
    var margins: RegularityMargins<L>?
    var isPolished = L(1.0) .== L(0.0)
    var hasBarrier = false
  }
  private let scratch: LaneMemory<L>
  private let core: ProximalInteriorPoint<Matrices>
  private(set) var outcome = ProximalInteriorPoint<Matrices>.Outcome()
  private(set) var state = State()
  private var isConvex = L(0.0) .== L(0.0)
  /// Whether all numbers of the matrices and of q are finite; if not, nothing was solved.
  private(set) var isFinite = true

  init(_ size: ProgramSize) {
    scratch = LaneMemory<L>(Matrices.scratchCount(size))
    core = ProximalInteriorPoint(Matrices(size, scratch: scratch), scratch: scratch)
  }

  /// Memory that a group needs to keep for derivatives.
  static func keptCount(_ size: ProgramSize) -> Int {
    let n = Matrices.vectorCounts(size)
    return Matrices.keptCount(size)
      + ProximalInteriorPoint<Matrices>.keptCount(n: n.variables, m: n.rows)
  }
  /// Works in such memory from here on, or in its own.
  private func bind(_ memory: UnsafeMutablePointer<L>?, _ size: ProgramSize) {
    core.matrices.bind(memory)
    core.bind(memory.map { $0 + Matrices.keptCount(size) })
  }

  /// Takes so many programs that lie one after the other, and solves them.
  /// - Parameters:
  ///   - following: how many programs come next, whose data are fetched meanwhile.
  ///   - memory: where to keep what derivatives need, if they are asked for.
  ///   - isLate: it gets there in the end, past the caches.
  ///   - next: what else is fetched meanwhile.
  ///   - results: where everything goes, of the first of these programs.
  func solve(
    _ data: ProgramPointers, size: ProgramSize, first: Int, programs: Int, following: Int,
    _ options: QuadraticProgramOptions,
    _ demands: ProgramDemands, keepingIn memory: UnsafeMutablePointer<L>?, isLate: Bool,
    next: PacedPrefetch, into results: ProgramResults
  ) {
    bind(isLate ? nil : memory, size)
    let (n, m, constraints) = (size.variables, size.rows, size.constraints)
    let matrices = core.matrices
    let (quadratic, rows, linear) = (
      data.quadratic + first * n * n, data.rows + first * m * n, data.linear + first * n
    )
    isFinite =
      areFinite(quadratic, count: programs * n * n) && areFinite(rows, count: programs * m * n)
      && areFinite(linear, count: programs * n)
    guard isFinite else { return }
    matrices.loadMatrices(quadratic: quadratic, rows: rows, programs: programs)
    matrices.loadVariables(linear, place: 0, programs: programs, into: core.linear)
    let bytes = following * n * MemoryLayout<Double>.stride
    var next = (
      next, PacedPrefetch(quadratic + programs * n * n, byteCount: bytes * n, pieces: 4),
      PacedPrefetch(rows + programs * m * n, byteCount: bytes * m, pieces: 4)
    )
    core.load(
      lower: data.lower + first * constraints, upper: data.upper + first * constraints, programs: programs,
      infinity: options.infinity)
    core.equilibrate(rounds: options.equilibrationRounds)
    isConvex = core.isConvex()
    core.initialize()
    outcome = core.solveAndPolish(options, isAlone: Matrices.programCount == 1) {
      next.0.advance()
      next.1.advance()
      next.2.advance()
      return false
    }
    core.storeSolution(
      x: results.x + first * n, multipliers: results.multipliers + first * constraints, programs: programs)
    guard demands.derivatives else { return }
    state = State(
      objectiveScale: core.objectiveScale, constraintCount: core.count, hasBarrier: options.barrier > 0)
    for lane in 0..<L.laneCount { state.isPolished[lane: lane] = outcome.isPolished[lane] }
    core.prepareDerivative(hasBarrier: state.hasBarrier)
    core.storeShares(
      upper: results.upperShares + first * constraints, lower: results.lowerShares + first * constraints,
      programs: programs)
    if demands.regularity { state.margins = core.regularity(rounds: 2) }
    if isLate, let memory {
      let count = Matrices.keptCount(size)
      core.matrices.copyKept(to: memory)
      core.copyKept(to: memory + count)
    }
  }

  func isConvex(lane: Int) -> Bool { isConvex[lane: lane] }

  /// Solves the derivative's system for one right-hand side of each program from `lane` on.
  /// - Returns: the largest relative residual; NaN counts as largest.
  func solveDerivative(
    _ state: State, in memory: UnsafeMutablePointer<L>, size: ProgramSize, next: PacedPrefetch,
    x: UnsafePointer<Double>, rows: UnsafePointer<Double>, lane first: Int, programs: Int,
    intoX: UnsafeMutablePointer<Double>, intoRows: UnsafeMutablePointer<Double>
  ) -> MemberResidual {
    bind(memory, size)
    core.resume(objectiveScale: state.objectiveScale, constraintCount: state.constraintCount)
    let error = core.solveDerivative(
      x: x, rows: rows, first: first, programs: programs, intoX: intoX, intoRows: intoRows, next: next)
    var worst = MemberResidual()
    for k in 0..<programs { worst = worse(worst, MemberResidual(member: k, error: error[lane: first + k])) }
    return worst
  }
}

extension ProgramGroup.State {
  func regularity(lane: Int) -> QuadraticProgramRegularity {
    guard let margins else { preconditionFailure("regularity was not asked for") }
    return QuadraticProgramRegularity(
      margins, lane: lane, hasBarrier: hasBarrier, isPolished: isPolished[lane: lane])
  }
}

/// Groups of programs: what of them lasts for derivatives, and whoever works on them.
private final class ProgramGroups<Matrices: BatchedProgramMatrices>: @unchecked Sendable {
  typealias L = Matrices.L
  private let size: ProgramSize
  private let each: Int
  private let memory: LaneMemory<L>?
  /// There is more memory than caches hold: what is written to it is not needed there, and would drive out what is.
  let isLarge: Bool
  let states: Slots<ProgramGroup<Matrices>.State>
  private let lock = NSLock()
  private var idle: [ProgramGroup<Matrices>] = []

  init(_ size: ProgramSize, count: Int) {
    self.size = size
    each = ProgramGroup<Matrices>.keptCount(size)
    memory = count > 0 ? LaneMemory(count * each, isZeroed: false) : nil
    isLarge = count * each * MemoryLayout<L>.stride > 16 << 20
    states = Slots(count)
  }

  func memory(_ group: Int) -> UnsafeMutablePointer<L>? { memory.map { $0.base + group * each } }
  /// Fetches the memory of a group, if there is one.
  func prefetch(_ group: Int, pieces: Int) -> PacedPrefetch {
    guard group < states.count, let place = memory(group) else { return PacedPrefetch() }
    return PacedPrefetch(place, byteCount: each * MemoryLayout<L>.stride, pieces: pieces)
  }

  /// What a thread works with, as long as it does.
  final class Lease {
    let group: ProgramGroup<Matrices>
    private let owner: ProgramGroups<Matrices>
    init(from owner: ProgramGroups<Matrices>) {
      self.owner = owner
      group = owner.lock.withLock { owner.idle.popLast() } ?? ProgramGroup(owner.size)
    }
    deinit {
      let (owner, group) = (owner, group)
      owner.lock.withLock { owner.idle.append(group) }
    }
  }
}

/// Where results of programs go: one program after the other.
struct ProgramResults: @unchecked Sendable {
  var x: UnsafeMutablePointer<Double>
  var multipliers: UnsafeMutablePointer<Double>
  /// Used if derivatives are asked for.
  var upperShares: UnsafeMutablePointer<Double>
  var lowerShares: UnsafeMutablePointer<Double>
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
    case packed(ProgramGroups<PackedProgramMatrices>)
    case lanes(ProgramGroups<DenseProgramMatrices<SIMD8<Double>>>)
  }
  let size: ProgramSize
  let count: Int
  private var groups: Groups?
  /// Lane by lane.
  private(set) var statuses: [SolverStatus]
  private(set) var iterations: [Int]

  /// Solves. If no derivatives are asked for, memory is reused from group to group.
  init(
    _ data: ProgramPointers, size: ProgramSize, count: Int, options: QuadraticProgramOptions,
    demands: ProgramDemands, into results: ProgramResults
  ) {
    self.size = size
    self.count = count
    statuses = [SolverStatus](repeating: .converged, count: count)
    iterations = [Int](repeating: 0, count: count)
    let unknowns = size.variables + size.equalities
    if count < 3 || unknowns * (unknowns + size.rows) > Self.mostEntriesInLanes {
      groups = .packed(solve(data, options, demands, results))
    } else {
      groups = .lanes(solve(data, options, demands, results))
    }
  }
  /// Programs with more entries in their matrices are solved one by one, with vectors along rows: eight of them have no room in a core's
  /// caches. Measured.
  private static let mostEntriesInLanes = 1200

  private func solve<Matrices: BatchedProgramMatrices>(
    _ data: ProgramPointers, _ options: QuadraticProgramOptions, _ demands: ProgramDemands,
    _ results: ProgramResults
  ) -> ProgramGroups<Matrices> {
    let (size, count, each) = (size, count, Matrices.programCount)
    let total = (count + each - 1) / each
    let groups = ProgramGroups<Matrices>(size, count: demands.derivatives ? total : 0)
    let found = Slots<(SolverStatus, Int)>(count)
    parallelFor(count: total, threads: threads, makeContext: { ProgramGroups.Lease(from: groups) }) {
      lease, index in
      let group = lease.group
      let first = index * each
      let programs = min(each, count - first)
      group.solve(
        data, size: size, first: first, programs: programs,
        following: min(each, count - first - programs), options, demands,
        keepingIn: groups.memory(index), isLate: groups.isLarge,
        next: groups.isLarge ? PacedPrefetch() : groups.prefetch(index + 1, pieces: 6), into: results)
      for lane in 0..<programs {
        found.base[first + lane] =
          !group.isFinite
          ? (.nonFinite, -2)
          : group.isConvex(lane: lane)
            ? (group.outcome.status[lane], group.outcome.iterations[lane]) : (.degenerate, -1)
      }
      if demands.derivatives { groups.states.base[index] = group.state }
    }
    for k in 0..<count {
      let (status, steps) = found.base[k]!
      (statuses[k], iterations[k]) = (status, max(steps, 0))
      if steps == -1, nonConvex == nil { nonConvex = k }
      if steps == -2 { isFinite = false }
    }
    return groups
  }
  /// Less work than this takes less time than starting threads.
  private var threads: Int {
    let unknowns = size.variables + size.equalities
    let work = count * unknowns * unknowns * (size.variables + size.rows)
    return work > 1 << 17 ? processorCount : 1
  }
  /// The first program whose Q is not positive semidefinite.
  private(set) var nonConvex: Int?
  /// Whether all matrices and vectors q are made of finite numbers.
  private(set) var isFinite = true

  func regularity(_ member: Int) -> QuadraticProgramRegularity {
    switch groups {
    case .packed(let groups): regularity(member, groups)
    case .lanes(let groups): regularity(member, groups)
    case nil: preconditionFailure("nothing was solved")
    }
  }
  private func regularity<M>(_ member: Int, _ groups: ProgramGroups<M>) -> QuadraticProgramRegularity {
    groups.states.base[member / M.programCount]!.regularity(lane: member % M.programCount)
  }

  /// Solves the derivatives' systems of consecutive members, one right-hand side each; the worst relative residual, and whose
  /// it is.
  func solveDerivative(
    members: Range<Int>, x: UnsafePointer<Double>, rows: UnsafePointer<Double>,
    intoX: UnsafeMutablePointer<Double>,
    intoRows: UnsafeMutablePointer<Double>
  ) -> MemberResidual {
    switch groups {
    case .packed(let groups): solveDerivative(groups, members, x, rows, intoX, intoRows)
    case .lanes(let groups): solveDerivative(groups, members, x, rows, intoX, intoRows)
    case nil: preconditionFailure("nothing was solved")
    }
  }
  private func solveDerivative<M>(
    _ groups: ProgramGroups<M>, _ members: Range<Int>, _ x: UnsafePointer<Double>,
    _ rows: UnsafePointer<Double>, _ intoX: UnsafeMutablePointer<Double>,
    _ intoRows: UnsafeMutablePointer<Double>
  ) -> MemberResidual {
    let (size, n, constraints, count) = (size, size.variables, size.constraints, count)
    if members.count == 1 {
      let index = members.lowerBound / M.programCount
      let found = ProgramGroups<M>.Lease(from: groups).group.solveDerivative(
        groups.states.base[index]!, in: groups.memory(index)!, size: size, next: PacedPrefetch(), x: x,
        rows: rows, lane: members.lowerBound % M.programCount, programs: 1, intoX: intoX, intoRows: intoRows)
      return MemberResidual(member: members.lowerBound, error: found.error)
    }
    precondition(members == 0..<count, "all members, or one")
    let total = groups.states.count
    let worst = Slots<MemberResidual>(total)
    let (source, sourceRows) = (Shared(value: x), Shared(value: rows))
    let (target, targetRows) = (Shared(value: intoX), Shared(value: intoRows))
    parallelFor(count: total, threads: threads, makeContext: { ProgramGroups<M>.Lease(from: groups) }) {
      lease, index in
      let first = index * M.programCount
      var found = lease.group.solveDerivative(
        groups.states.base[index]!, in: groups.memory(index)!, size: size,
        next: groups.prefetch(index + 1, pieces: 3), x: source.value + first * n,
        rows: sourceRows.value + first * constraints, lane: 0, programs: min(M.programCount, count - first),
        intoX: target.value + first * n, intoRows: targetRows.value + first * constraints)
      found.member += first
      worst.base[index] = found
    }
    return (0..<total).reduce(MemberResidual()) { worse($0, worst.base[$1]!) }
  }
}

/// Places that threads fill, each its own.
private final class Slots<Value>: @unchecked Sendable {
  let base: UnsafeMutablePointer<Value?>
  let count: Int
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
