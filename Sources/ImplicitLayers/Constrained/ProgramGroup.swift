import Foundation
import Lanes

/// Scratch memory that programs share which one thread solves.
final class ProgramScratch<L: Lane>: @unchecked Sendable {
  let memory: LaneMemory<L>
  /// Of whoever works with it.
  let lock = NSLock()
  init(_ count: Int) { memory = LaneMemory(count) }
}

/// What is asked of programs that are solved.
struct ProgramDemands {
  /// Derivatives.
  var derivatives: Bool
  /// How far solutions are from having none.
  var regularity: Bool
}

/// Quadratic programs of one size that were solved together, kept for derivatives.
final class ProgramGroup<Matrices: BatchedProgramMatrices>: @unchecked Sendable {
  typealias L = Matrices.L
  let scratch: ProgramScratch<L>
  private let core: ProximalInteriorPoint<Matrices>
  private(set) var outcome = ProximalInteriorPoint<Matrices>.Outcome()
  private var isConvex = L(0.0) .== L(0.0)
  private var margins: RegularityMargins<L>?
  private var hasBarrier = false

  init(_ size: ProgramSize, _ scratch: ProgramScratch<L>) {
    self.scratch = scratch
    core = ProximalInteriorPoint(Matrices(size, scratch: scratch.memory), scratch: scratch.memory)
  }

  /// Takes so many programs that lie one after the other, and solves them.
  /// - Parameter results: where everything goes, of the first of these programs.
  func solve(
    _ data: ProgramPointers, size: ProgramSize, first: Int, programs: Int, _ options: QuadraticProgramOptions,
    _ demands: ProgramDemands, into results: ProgramResults
  ) {
    scratch.lock.lock()
    defer { scratch.lock.unlock() }
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
    core.storeSolution(
      x: results.x + first * n, multipliers: results.multipliers + first * constraints, programs: programs)
    margins = nil
    guard demands.derivatives else { return }
    core.prepareDerivative(hasBarrier: hasBarrier)
    core.storeShares(
      upper: results.upperShares + first * constraints, lower: results.lowerShares + first * constraints,
      programs: programs)
    if demands.regularity { margins = core.regularity(rounds: 2) }
  }

  func isConvex(lane: Int) -> Bool { isConvex[lane: lane] }

  func regularity(lane: Int) -> QuadraticProgramRegularity {
    guard let margins else { preconditionFailure("regularity was not asked for") }
    return QuadraticProgramRegularity(
      complementarity: hasBarrier ? .infinity : margins.complementarity[lane: lane],
      independence: margins.independence[lane: lane], curvature: margins.curvature[lane: lane],
      limits: (
        outcome.isPolished[lane] ? 1e-7 : 1e-4, margins.independenceLimit[lane: lane],
        margins.curvatureLimit[lane: lane]
      ))
  }

  /// Solves the derivative's system for one right-hand side of each program from `lane` on.
  /// - Returns: the largest relative residual; NaN counts as largest.
  func solveDerivative(
    x: UnsafePointer<Double>, rows: UnsafePointer<Double>, lane first: Int, programs: Int,
    intoX: UnsafeMutablePointer<Double>, intoRows: UnsafeMutablePointer<Double>
  ) -> Double {
    scratch.lock.lock()
    defer { scratch.lock.unlock() }
    let error = core.solveDerivative(
      x: x, rows: rows, first: first, programs: programs, intoX: intoX, intoRows: intoRows)
    var worst = 0.0
    for k in 0..<programs { worst = worse(worst, error[lane: first + k]) }
    return worst
  }
}

/// The larger of two errors; NaN counts as largest.
func worse(_ a: Double, _ b: Double) -> Double { a.isNaN || b <= a ? a : b }

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
    case packed([ProgramGroup<PackedProgramMatrices>])
    case lanes([ProgramGroup<DenseProgramMatrices<SIMD8<Double>>>])
  }
  let size: ProgramSize
  let count: Int
  private var groups = Groups.packed([])
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
  ) -> [ProgramGroup<Matrices>] {
    let (size, count, each) = (size, count, Matrices.programCount)
    let total = (count + each - 1) / each
    let kept = Slots<ProgramGroup<Matrices>>(demands.derivatives ? total : 0)
    let found = Slots<(SolverStatus, Int)>(count)
    // Less work than this takes less time than starting threads.
    let unknowns = size.variables + size.equalities
    let work = count * unknowns * unknowns * (size.variables + size.rows)
    parallelFor(
      count: total, threads: work > 1 << 17 ? ProcessInfo.processInfo.activeProcessorCount : 1,
      makeContext: {
        let scratch = ProgramScratch<Matrices.L>(Matrices.scratchCount(size))
        return (scratch, demands.derivatives ? nil : ProgramGroup<Matrices>(size, scratch))
      }
    ) { context, index in
      let group = context.1 ?? ProgramGroup<Matrices>(size, context.0)
      let first = index * each
      let programs = min(each, count - first)
      group.solve(data, size: size, first: first, programs: programs, options, demands, into: results)
      for lane in 0..<programs {
        found.base[first + lane] =
          group.isConvex(lane: lane)
          ? (group.outcome.status[lane], group.outcome.iterations[lane]) : (.degenerate, -1)
      }
      if demands.derivatives { kept.base[index] = group }
    }
    for k in 0..<count {
      let (status, steps) = found.base[k]!
      (statuses[k], iterations[k]) = (status, max(steps, 0))
      if steps < 0, nonConvex == nil { nonConvex = k }
    }
    return demands.derivatives ? (0..<total).map { kept.base[$0]! } : []
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
        x: x, rows: rows, lane: member % M.programCount, programs: 1, intoX: intoX, intoRows: intoRows)
    }
    precondition(members == 0..<count, "all members, or one")
    let worst = Slots<Double>(groups.count)
    let (source, sourceRows) = (Shared(value: x), Shared(value: rows))
    let (target, targetRows) = (Shared(value: intoX), Shared(value: intoRows))
    // A thread takes the groups that share scratch memory.
    var places: [ObjectIdentifier: Int] = [:]
    var sets: [[Int]] = []
    for (index, group) in groups.enumerated() {
      if let place = places[ObjectIdentifier(group.scratch)] {
        sets[place].append(index)
      } else {
        places[ObjectIdentifier(group.scratch)] = sets.count
        sets.append([index])
      }
    }
    let shared = sets
    parallelFor(count: shared.count, threads: shared.count, makeContext: { 0 }) { _, place in
      for index in shared[place] {
        let first = index * M.programCount
        worst.base[index] = groups[index].solveDerivative(
          x: source.value + first * n, rows: sourceRows.value + first * constraints, lane: 0,
          programs: min(M.programCount, count - first), intoX: target.value + first * n,
          intoRows: targetRows.value + first * constraints)
      }
    }
    return (0..<groups.count).reduce(0.0) { worse($0, worst.base[$1]!) }
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
